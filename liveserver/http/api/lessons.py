"""Lessons: made, listed, ended, cut, restored; tokens for them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.events.lesson import LessonState
from liveserver.core.people import Placement
from liveserver.core.permissions import Permission, Role, may_issue
from liveserver.core.presets import Name
from liveserver.core.retention import Programme
from liveserver.core.times import parse_rfc3339
from liveserver.http import links
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX, cuts
from liveserver.http.api.registry import people
from liveserver.http.context import Call, Services, base_url
from liveserver.http.fields import choice, flag, several, text, whole
from liveserver.http.ports import Object
from liveserver.http.routes import LESSON, Route, Scope
from liveserver.store.model.people import Person
from liveserver.tokens import ALL_LESSONS

MAX_TOKENS = 10_000
_SLICE = 100  # tokens signed before others are let in: about 3 ms of the loop
_LESSON_ROLES = (Role.INSTRUCTOR, Role.LEARNER, Role.MODERATOR, Role.INSPECTOR)


@dataclass(frozen=True, slots=True)
class NewLesson:
    title: str = text(1, 200)
    programmes: tuple[str, ...] = several(len(Programme), 20, Programme, default=())
    preset: Name = choice(Name, default=Name.DEFAULT)  # noqa: RUF009 - it makes a dataclass field
    planned_minutes: int | None = whole(1, 1440, default=None)
    planned_start: str | None = text(1, 40, default=None)
    course: str = text(0, 200, default="")
    training_class: str = text(0, 64, default="", called="class")
    project: str = text(0, 64, default="")


@dataclass(frozen=True, slots=True)
class Plan:
    """Another time for a lesson; what is null is not planned."""

    planned_start: str | None = text(1, 40, default=None)
    planned_minutes: int | None = whole(1, 1440, default=None)


@dataclass(frozen=True, slots=True)
class NewTokens:
    """`person`, or the whole `roster` of the lesson's class; else `count` nobodies under a `name`."""

    role: Role = choice(Role)  # noqa: RUF009 - it makes a dataclass field
    name: str = text(0, 60, default="")
    count: int = whole(1, MAX_TOKENS, default=1)
    person: str | None = text(1, 64, default=None)
    roster: bool = flag(default=False)


@dataclass(frozen=True, slots=True)
class LessonsQuery:
    state: LessonState | None = choice(LessonState, default=None)  # noqa: RUF009 - it makes a dataclass field
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


@dataclass(frozen=True, slots=True)
class CutsQuery:
    after: str | None = text(1, 200, default=None)
    limit: int = whole(1, 200, default=50)


async def create(call: Call[NewLesson, None]) -> web.Response:
    body = call.body
    placed = Placement(course=body.course)
    if body.training_class or body.project or (body.course and call.services.people is not None):
        placed = await people(call).lessons.place(body.training_class, body.course, body.project)
    lesson = await call.services.rooms.lessons.create(
        body.title,
        call.bearer,
        frozenset(map(Programme, body.programmes)),
        preset=body.preset,
        planned_s=_seconds(body.planned_minutes),
        planned_start_ms=moment(body.planned_start),
        placed=placed,
    )
    tokens = {
        role: lesson_token(
            call.services, role, role.value, person=f"{role.value}-{lesson.id}", lesson=lesson.id
        )
        for role in _LESSON_ROLES
        if may_issue(call.bearer.role, role)
        # Learners of a class are persons with names.
        and (role is not Role.LEARNER or not placed.training_class)
    }
    pages = links.pages(base_url(call.request), lesson.id, tokens)
    return json_answer({"id": lesson.id, "pages": pages, "tokens": tokens}, status=201)


async def listed(call: Call[None, LessonsQuery]) -> web.Response:
    """All lessons; for a token of one lesson, that one."""
    rooms, query = call.services.rooms, call.query
    if call.bearer.lesson == ALL_LESSONS:
        return json_answer(await rooms.lessons.page(query.state, query.after, query.limit))
    own = await rooms.lessons.one(call.bearer.lesson)
    fits = query.after is None and query.state in (None, own["state"])
    return json_answer({"items": [own] if fits else [], "next": None})


async def one(call: Call[None, None]) -> web.Response:
    return json_answer(await call.services.rooms.lessons.one(call.lesson))


async def tokens(call: Call[NewTokens, None]) -> web.Response:
    """Of people who are known here; else `count` tokens, each for a person of its own, told apart by a number
    after the name."""
    wanted, services = call.body, call.services
    if not may_issue(call.bearer.role, wanted.role):
        raise PeerError(
            "forbidden", f"the role {call.bearer.role} issues no tokens of {wanted.role}", status=403
        )
    lesson = await services.rooms.lessons.one(call.lesson)  # 404 for a lesson nobody made
    invited: Sequence[Person] = ()
    if services.people is not None:
        invited = await services.people.lessons.invited(
            lesson["class"], wanted.role, wanted.person, roster=wanted.roster
        )
    if invited or wanted.roster:
        return json_answer(await _tokens_of(services, wanted.role, lesson, invited))
    if not wanted.name:
        raise PeerError("bad_request", "field name is missing")
    made = []
    for number in range(1, wanted.count + 1):
        name = wanted.name if wanted.count == 1 else f"{wanted.name} {number}"
        made.append(
            lesson_token(services, wanted.role, name, person=secrets.token_hex(8), lesson=call.lesson)
        )
        if number % _SLICE == 0:
            await asyncio.sleep(0)
    return json_answer({"tokens": made})


async def replan(call: Call[Plan, None]) -> web.Response:
    start_ms, planned_s = moment(call.body.planned_start), _seconds(call.body.planned_minutes)
    await people(call).lessons.replan(call.lesson, start_ms, planned_s, call.bearer.person)
    return json_answer(await call.services.rooms.lessons.one(call.lesson))


async def end(call: Call[None, None]) -> web.Response:
    return json_answer(await call.services.rooms.lessons.end(call.lesson, call.bearer))


async def cut(call: Call[cuts.Cut, None]) -> dict[str, Any]:
    body, rooms = call.body, call.services.rooms
    return await rooms.moderating.cut(
        call.lesson, call.bearer, body.level, body.reason, body.person, began_ns=call.began_ns
    )


async def restore(call: Call[cuts.Restore, None]) -> dict[str, Any]:
    return await call.services.rooms.moderating.restore(call.lesson, call.bearer, call.body.reason)


async def listed_cuts(call: Call[None, CutsQuery]) -> web.Response:
    return json_answer(
        await call.services.rooms.moderating.cuts(call.lesson, call.query.after, call.query.limit)
    )


async def _tokens_of(services: Services, role: Role, lesson: Object, invited: Sequence[Person]) -> Object:
    found = []
    for number, person in enumerate(invited, start=1):
        token = lesson_token(
            services, role, person.name, person=person.id, lesson=lesson["id"], training_class=lesson["class"]
        )
        found.append({"person": person.id, "name": person.name, "token": token})
        if number % _SLICE == 0:
            await asyncio.sleep(0)
    return {"tokens": [one["token"] for one in found], "people": found}


def moment(text: str | None) -> int | None:
    """RFC 3339 as milliseconds since 1970. Raises PeerError `bad_request`."""
    try:
        return None if text is None else parse_rfc3339(text)
    except ValueError as error:
        raise PeerError("bad_request", f"field planned_start: {error}") from error


def _seconds(minutes: int | None) -> int | None:
    return None if minutes is None else minutes * 60


def lesson_token(
    services: Services,
    role: Role,
    name: str,
    *,
    person: str,
    lesson: str,
    training_class: str = "",
    stay: str = "",
    dated_s: int | None = None,
) -> str:
    now_s, ttl_s = services.clock.wall_s(), int(services.config.tokens.lesson.s)
    return services.tokens.issue(
        person=person, name=name, role=role, lesson=lesson, now_s=now_s, ttl_s=ttl_s,
        stay=stay, training_class=training_class, dated_s=dated_s,
    )  # fmt: skip


_PATH = f"{PREFIX}/lessons"
ROUTES = (
    Route(
        "POST",
        _PATH,
        create,
        "Make a lesson",
        Scope.ALL,
        {201: ("Made; with its links and a token per role", "CreatedLesson")},
        Permission.CREATE_LESSON,
        body=NewLesson,
    ),
    Route(
        "GET",
        _PATH,
        listed,
        "Lessons, newest first",
        Scope.ANY,
        {200: ("A page of lessons", "LessonList")},
        Permission.LIST_LESSONS,
        query=LessonsQuery,
    ),
    Route(
        "GET",
        f"{_PATH}/{LESSON}",
        one,
        "One lesson",
        Scope.LESSON,
        {200: ("The lesson", "Lesson")},
        Permission.SEE_LESSON,
    ),
    Route(
        "POST",
        f"{_PATH}/{LESSON}/tokens",
        tokens,
        "Tokens for a lesson, each for a person of its own",
        Scope.LESSON,
        {200: ("The tokens", "TokenList")},
        Permission.ISSUE_TOKENS,
        body=NewTokens,
    ),
    Route(
        "PUT",
        f"{_PATH}/{LESSON}/plan",
        replan,
        "Another time for a lesson that has not begun",
        Scope.LESSON,
        {200: ("The lesson", "Lesson")},
        Permission.CREATE_LESSON,
        body=Plan,
    ),
    Route(
        "POST",
        f"{_PATH}/{LESSON}/end",
        end,
        "End a lesson",
        Scope.LESSON,
        {200: ("The lesson, ended", "Lesson")},
        Permission.END,
    ),
    Route(
        "GET",
        f"{_PATH}/{LESSON}/cuts",
        listed_cuts,
        "Every cut of a lesson, newest first, each with its own times",
        Scope.LESSON,
        {200: ("A page of cuts", "CutList")},
        Permission.SEE_CUTS,
        query=CutsQuery,
    ),
    *cuts.routes(cut, restore),
)
