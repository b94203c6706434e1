"""Random checks of a lesson: asked on demand, and listed with their results (docs/PROTOCOL.md section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core import quiz
from liveserver.core.challenge import CheckKind
from liveserver.core.errors import PeerError
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.questions import QUESTION
from liveserver.http.context import Call
from liveserver.http.fields import choice, record, text, whole
from liveserver.http.routes import LESSON, Route, Scope


@dataclass(frozen=True, slots=True)
class NewChallenge:
    """Without a question one of the bank is asked; without a person, everybody."""

    kind: CheckKind = choice(CheckKind)  # noqa: RUF009 - it makes a dataclass field
    person: str | None = text(1, 64, default=None)
    question: quiz.Question | None = record(quiz.parse, QUESTION, default=None)  # noqa: RUF009 - as above


@dataclass(frozen=True, slots=True)
class ChallengesQuery:
    after: str | None = text(1, 20, default=None)
    limit: int = whole(1, 1000, default=200)
    person: str | None = text(1, 64, default=None)


async def ask(call: Call[NewChallenge, None]) -> web.Response:
    body, rooms = call.body, call.services.rooms
    if body.kind is CheckKind.FACE and body.question is not None:
        raise PeerError("bad_request", "field question goes with kind quiz")
    done = await rooms.checking.ask(call.lesson, call.bearer, body.kind, body.person, body.question)
    return json_answer(done, status=201)


async def listed(call: Call[None, ChallengesQuery]) -> web.Response:
    after = call.query.after or "0"
    if not (after.isascii() and after.isdigit()):
        raise PeerError("bad_request", "after is a cursor of this list")
    query, rooms = call.query, call.services.rooms
    return json_answer(await rooms.checking.listed(call.lesson, int(after), query.limit, query.person))


_PATH = f"{PREFIX}/lessons/{LESSON}/challenges"
ROUTES = (
    Route(
        "POST",
        _PATH,
        ask,
        "Check now whether a learner, or everybody, is there",
        Scope.LESSON,
        {201: ("Asked", "ChallengeAsked")},
        Permission.ISSUE_CHALLENGES,
        body=NewChallenge,
    ),
    Route(
        "GET",
        _PATH,
        listed,
        "The lesson's checks in the order of issue",
        Scope.LESSON,
        {200: ("A page of checks", "ChallengeList")},
        Permission.SEE_CHALLENGES,
        query=ChallengesQuery,
        view="checks",
    ),
)
