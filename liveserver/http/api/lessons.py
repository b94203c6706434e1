"""Lessons: made, listed, ended, cut, restored; tokens for them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.events import LessonState
from liveserver.core.permissions import Permission, Role, may_issue
from liveserver.core.presets import Name
from liveserver.core.retention import Programme
from liveserver.http import links
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX, cuts
from liveserver.http.context import Call, Services, base_url
from liveserver.http.fields import choice, several, text, whole
from liveserver.http.routes import LESSON, Route, Scope
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
    course: str = text(0, 200, default="")


@dataclass(frozen=True, slots=True)
class NewTokens:
    role: Role = choice(Role)  # noqa: RUF009 - it makes a dataclass field
    name: str = text(1, 60)
    count: int = whole(1, MAX_TOKENS, default=1)


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
    programmes = frozenset(map(Programme, call.body.programmes))
    minutes = call.body.planned_minutes
    lesson = await call.services.rooms.create_lesson(
        call.body.title,
        call.bearer,
        programmes,
        preset=call.body.preset,
        planned_s=None if minutes is None else minutes * 60,
        course=call.body.course,
    )
    tokens = {
        role: _token(call.services, role, role.value, person=f"{role.value}-{lesson.id}", lesson=lesson.id)
        for role in _LESSON_ROLES
        if may_issue(call.bearer.role, role)
    }
    pages = links.pages(base_url(call.request), lesson.id, tokens)
    return json_answer({"id": lesson.id, "pages": pages, "tokens": tokens}, status=201)


async def listed(call: Call[None, LessonsQuery]) -> web.Response:
    """All lessons; for a token of one lesson, that one."""
    rooms, query = call.services.rooms, call.query
    if call.bearer.lesson == ALL_LESSONS:
        return json_answer(await rooms.lessons(query.state, query.after, query.limit))
    own = await rooms.lesson(call.bearer.lesson)
    fits = query.after is None and query.state in (None, own["state"])
    return json_answer({"items": [own] if fits else [], "next": None})


async def one(call: Call[None, None]) -> web.Response:
    return json_answer(await call.services.rooms.lesson(call.lesson))


async def tokens(call: Call[NewTokens, None]) -> web.Response:
    """`count` tokens, each for a person of its own; several are told apart by a number after the name."""
    wanted, services = call.body, call.services
    if not may_issue(call.bearer.role, wanted.role):
        raise PeerError(
            "forbidden", f"the role {call.bearer.role} issues no tokens of {wanted.role}", status=403
        )
    await services.rooms.lesson(call.lesson)  # 404 for a lesson nobody made
    made = []
    for number in range(1, wanted.count + 1):
        name = wanted.name if wanted.count == 1 else f"{wanted.name} {number}"
        made.append(_token(services, wanted.role, name, person=secrets.token_hex(8), lesson=call.lesson))
        if number % _SLICE == 0:
            await asyncio.sleep(0)
    return json_answer({"tokens": made})


async def end(call: Call[None, None]) -> web.Response:
    return json_answer(await call.services.rooms.end(call.lesson, call.bearer))


async def cut(call: Call[cuts.Cut, None]) -> dict[str, Any]:
    body, rooms = call.body, call.services.rooms
    return await rooms.cut(
        call.lesson, call.bearer, body.level, body.reason, body.person, began_ns=call.began_ns
    )


async def restore(call: Call[cuts.Restore, None]) -> dict[str, Any]:
    return await call.services.rooms.restore(call.lesson, call.bearer, call.body.reason)


async def listed_cuts(call: Call[None, CutsQuery]) -> web.Response:
    return json_answer(await call.services.rooms.cuts(call.lesson, call.query.after, call.query.limit))


def _token(services: Services, role: Role, name: str, *, person: str, lesson: str) -> str:
    now_s, ttl_s = services.clock.wall_s(), int(services.config.tokens.lesson.s)
    return services.tokens.issue(person=person, name=name, role=role, lesson=lesson, now_s=now_s, ttl_s=ttl_s)


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
