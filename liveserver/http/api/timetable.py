"""Timetables: of a class, and of whoever asks; as lists, and as iCalendar."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http import links
from liveserver.http.answers import json_answer, rfc3339
from liveserver.http.api import PREFIX
from liveserver.http.api.classes import PATH, class_of
from liveserver.http.api.registry import file_answer, people
from liveserver.http.context import AnyCall, Call, base_url
from liveserver.http.fields import text, whole
from liveserver.http.ports import Object
from liveserver.http.routes import Route, Scope
from liveserver.people.calendar import MEDIA_TYPE
from liveserver.people.lessons import Own

_CALENDAR_MOST = 1_000


@dataclass(frozen=True, slots=True)
class PageQuery:
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


async def of_class(call: Call[None, PageQuery]) -> web.Response:
    query = call.query
    lessons, following = await people(call).lessons.timetable(class_of(call), query.after, query.limit)
    return json_answer({"items": call.services.rooms.lessons.describe(lessons), "next": following})


async def class_calendar(call: AnyCall) -> web.Response:
    key = class_of(call)
    lessons, _ = await people(call).lessons.timetable(key, None, _CALENDAR_MOST)
    title = (await people(call).registry.one("class", key, masked=True))["name"]
    body = await people(call).lessons.calendar(lessons, title, base_url(call.request))
    return file_answer(body, MEDIA_TYPE, f"timetable-{key}.ics")


async def mine(call: Call[None, PageQuery]) -> web.Response:
    """Each with the pages that are the person's, until it has ended; a token for one gives `entry`."""
    found, following = await people(call).lessons.mine(call.bearer.person, call.query.after, call.query.limit)
    shown = call.services.rooms.lessons.describe([own.lesson for own in found])
    items = [_own(call, own, lesson) for own, lesson in zip(found, shown, strict=True)]
    return json_answer({"items": items, "next": following})


async def my_calendar(call: AnyCall) -> web.Response:
    found, _ = await people(call).lessons.mine(call.bearer.person, None, _CALENDAR_MOST)
    lessons = [own.lesson for own in found]
    name = await people(call).lessons.name(call.bearer.person) or call.bearer.name
    body = await people(call).lessons.calendar(lessons, name, base_url(call.request))
    return file_answer(body, MEDIA_TYPE, "timetable.ics")


def _own(call: AnyCall, own: Own, lesson: Object) -> Object:
    is_over = lesson["state"] == "ended"
    pages = {} if is_over else links.addresses(base_url(call.request), own.lesson.id, own.role)
    return {
        "id": own.lesson.id,
        "title": own.lesson.title,
        "role": own.role,
        "class": own.training_class.name,
        "class_id": own.training_class.id,
        "course": own.lesson.course,
        "project": own.project.name if own.project else "",
        "project_id": own.lesson.project,
        "zone": own.project.zone if own.project else False,
        "planned_start": rfc3339(own.lesson.planned_start_ms),
        "planned_s": own.lesson.planned_s,
        "state": lesson["state"],
        "pages": pages,
    }


ROUTES = (
    Route(
        "GET",
        f"{PATH}/timetable",
        of_class,
        "The lessons of a class, the last planned one first",
        Scope.ALL,
        {200: ("A page of lessons", "LessonList")},
        Permission.SEE_PEOPLE,
        query=PageQuery,
    ),
    Route(
        "GET",
        f"{PATH}/timetable.ics",
        class_calendar,
        "The timetable of a class as iCalendar",
        Scope.ALL,
        {200: ("RFC 5545", MEDIA_TYPE)},
        Permission.SEE_PEOPLE,
    ),
    Route(
        "GET",
        f"{PREFIX}/me/lessons",
        mine,
        "The lessons of the classes one learns or teaches in, the last planned one first",
        Scope.ANY,
        {200: ("A page; with one's own pages, until a lesson has ended", "OwnLessonList")},
        Permission.SEE_OWN_LESSONS,
        query=PageQuery,
    ),
    Route(
        "GET",
        f"{PREFIX}/me/timetable.ics",
        my_calendar,
        "One's own timetable as iCalendar",
        Scope.ANY,
        {200: ("RFC 5545", MEDIA_TYPE)},
        Permission.SEE_OWN_LESSONS,
    ),
)
