"""What belongs to one class but its people: the authority's approval, and groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http import fields
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.people_fields import ApprovalStep, NewGroup
from liveserver.http.api.registry import people, plain
from liveserver.http.context import AnyCall, Call
from liveserver.http.ports import Object
from liveserver.http.ports.people import Values
from liveserver.http.routes import CLASS, Route, Scope

GROUP = "{group:[A-Za-z0-9_-]{1,64}}"
PATH = f"{PREFIX}/classes/{CLASS}"


def class_of(call: AnyCall) -> str:
    return call.request.match_info["class"]


async def added(call: AnyCall, add: Callable[[str, Values, str], Awaitable[Object]]) -> web.Response:
    """What the body says, added to the class by the bearer."""
    values = plain(fields.given(call.body))
    return json_answer(await add(class_of(call), values, call.bearer.person), 201)


async def changed(
    call: AnyCall, of: str, change: Callable[[str, str, Values, str], Awaitable[Object]]
) -> web.Response:
    """What the body says, changed by the bearer of what the path names `of`."""
    key, values = call.request.match_info[of], plain(fields.given(call.body))
    return json_answer(await change(class_of(call), key, values, call.bearer.person))


async def approve(call: Call[ApprovalStep, None]) -> web.Response:
    step, by = call.body, call.bearer.person
    return json_answer(await people(call).classes.approve(class_of(call), step.approval, step.note, by))


async def groups(call: AnyCall) -> web.Response:
    return json_answer(await people(call).classes.groups(class_of(call)))


async def add_group(call: Call[NewGroup, None]) -> web.Response:
    made = await people(call).classes.add_group(class_of(call), call.body.name, call.bearer.person)
    return json_answer(made, 201)


async def change_group(call: AnyCall) -> web.Response:
    return await changed(call, "group", people(call).classes.change_group)


ROUTES = (
    Route(
        "POST",
        f"{PATH}/approval",
        approve,
        "The next step of the authority's approval",
        Scope.ALL,
        {200: ("The class", "Class")},
        Permission.MANAGE_PEOPLE,
        body=ApprovalStep,
    ),
    Route(
        "GET",
        f"{PATH}/groups",
        groups,
        "The groups of a class",
        Scope.ALL,
        {200: ("The groups", "GroupList")},
        Permission.SEE_PEOPLE,
    ),
    Route(
        "POST",
        f"{PATH}/groups",
        add_group,
        "Add a group to a class",
        Scope.ALL,
        {201: ("Added", "Group")},
        Permission.MANAGE_PEOPLE,
        body=fields.partial(NewGroup, ("status",), required=("name",)),
    ),
    Route(
        "PATCH",
        f"{PATH}/groups/{GROUP}",
        change_group,
        "Rename, archive or restore a group",
        Scope.ALL,
        {200: ("As it is now", "Group")},
        Permission.MANAGE_PEOPLE,
        body=fields.partial(NewGroup),
    ),
)
