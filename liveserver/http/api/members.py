"""Who learns and who teaches in a class."""

from __future__ import annotations

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.hours.export import CSV, XLSX
from liveserver.http import fields
from liveserver.http.answers import json_answer
from liveserver.http.api.attendance import PERSON
from liveserver.http.api.classes import PATH, added, changed, class_of
from liveserver.http.api.people_fields import (
    ImportQuery,
    NewAssignment,
    NewEnrolment,
    RosterQuery,
    TeachersQuery,
)
from liveserver.http.api.registry import file_answer, people
from liveserver.http.context import AnyCall, Call
from liveserver.http.routes import Route, Scope
from liveserver.sheets.reading import FILE_MOST


async def roster(call: Call[None, RosterQuery]) -> web.Response:
    query = call.query
    return json_answer(
        await people(call).members.roster(class_of(call), query.q, query.status, query.after, query.limit)
    )


async def roster_csv(call: AnyCall) -> web.Response:
    key = class_of(call)
    return file_answer(await people(call).members.roster_csv(key), CSV, f"roster-{key}.csv")


async def take_file(call: Call[bytes, ImportQuery]) -> web.Response:
    taken = await people(call).roster_import.take(
        class_of(call),
        call.body,
        call.request.content_type,
        call.bearer.person,
        dry_run=call.query.dry_run,
    )
    return json_answer(taken)


async def enrol(call: AnyCall) -> web.Response:
    return await added(call, people(call).members.enrol)


async def change_enrolment(call: AnyCall) -> web.Response:
    return await changed(call, "person", people(call).members.change_enrolment)


async def teachers(call: Call[None, TeachersQuery]) -> web.Response:
    query = call.query
    return json_answer(
        await people(call).members.teachers(class_of(call), query.status, query.after, query.limit)
    )


async def assign(call: AnyCall) -> web.Response:
    return await added(call, people(call).members.assign)


async def change_assignment(call: AnyCall) -> web.Response:
    return await changed(call, "person", people(call).members.change_assignment)


_SEE, _MANAGE = Permission.SEE_PEOPLE, Permission.MANAGE_PEOPLE
ROUTES = (
    Route(
        "GET",
        f"{PATH}/roster",
        roster,
        "The learners of a class, those who left too",
        Scope.ALL,
        {200: ("A page, newest first", "EnrolmentList")},
        _SEE,
        query=RosterQuery,
        view="roster",
    ),
    Route(
        "GET",
        f"{PATH}/roster.csv",
        roster_csv,
        "The roster as a file, personal data masked",
        Scope.ALL,
        {200: ("UTF-8 with a mark", CSV)},
        _SEE,
        view="roster_file",
    ),
    Route(
        "POST",
        f"{PATH}/roster/import",
        take_file,
        "A roster from a file: what becomes of each row, and nothing written while `dry_run`",
        Scope.ALL,
        {200: ("Every row; all good ones are written, or none", "RosterImport")},
        _MANAGE,
        bytes_body=(CSV, XLSX),
        query=ImportQuery,
        max_body=FILE_MOST,
    ),
    Route(
        "POST",
        f"{PATH}/roster",
        enrol,
        "Enrol a person in a class, or again",
        Scope.ALL,
        {201: ("Enrolled", "Enrolment")},
        _MANAGE,
        body=fields.partial(NewEnrolment, ("status",), required=("person",)),
    ),
    Route(
        "PATCH",
        f"{PATH}/roster/{PERSON}",
        change_enrolment,
        "Change what is given of an enrolment; with a status, a learner leaves or comes back",
        Scope.ALL,
        {200: ("As it is now", "Enrolment")},
        _MANAGE,
        body=fields.partial(NewEnrolment, ("person",)),
    ),
    Route(
        "GET",
        f"{PATH}/instructors",
        teachers,
        "Who teaches a class, and taught it",
        Scope.ALL,
        {200: ("A page, newest first", "AssignmentList")},
        _SEE,
        query=TeachersQuery,
        view="teachers",
    ),
    Route(
        "POST",
        f"{PATH}/instructors",
        assign,
        "Let a person teach a class",
        Scope.ALL,
        {201: ("Assigned", "Assignment")},
        _MANAGE,
        body=fields.partial(NewAssignment, ("status",), required=("person",)),
    ),
    Route(
        "PATCH",
        f"{PATH}/instructors/{PERSON}",
        change_assignment,
        "Change what is given of it; with a status, somebody is released or comes back",
        Scope.ALL,
        {200: ("As it is now", "Assignment")},
        _MANAGE,
        body=fields.partial(NewAssignment, ("person",)),
    ),
)
