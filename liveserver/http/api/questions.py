"""Banks of questions: searched, added to, taken out of use and back; and the one a lesson is asked from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from liveserver.core import quiz
from liveserver.core.people import Status
from liveserver.core.permissions import Permission
from liveserver.http import fields
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.registry import KEY
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import choice, records, text, whole
from liveserver.http.routes import LESSON, Route, Scope

AT_ONCE = 200
QUESTION = {
    "required": ["kind", "text", "right"],
    "properties": {
        "kind": {"type": "string", "enum": [str(kind) for kind in quiz.QuestionKind]},
        "text": {"type": "string", "minLength": 1, "maxLength": quiz.MAX_TEXT},
        "options": {"type": "array", "items": {"type": "string"}, "maxItems": quiz.MAX_OPTIONS},
        "right": {"type": "array", "items": {"type": "integer"}},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class NewQuestions:
    """`course` "" is everybody's bank."""

    questions: tuple[quiz.Question, ...] = records(quiz.parse, QUESTION, 1, AT_ONCE)
    course: str = text(0, 64, default="")


@dataclass(frozen=True, slots=True)
class QuestionsQuery:
    q: str = text(0, 100, default="")
    course: str | None = text(0, 64, default=None)
    status: Status | None = choice(Status, default=None)  # noqa: RUF009 - it makes a dataclass field
    after: str | None = text(1, 80, default=None)
    limit: int = whole(1, 1000, default=100)


async def listed(call: Call[None, QuestionsQuery]) -> web.Response:
    given = fields.given(call.query)
    where: dict[str, Any] = {name: str(given[name]) for name in ("course", "status") if name in given}
    query = call.query
    return json_answer(await call.services.questions.page(query.q, query.after, query.limit, where))


async def add(call: Call[NewQuestions, None]) -> web.Response:
    body = call.body
    added = await call.services.questions.add(body.course, body.questions, call.bearer.person)
    return json_answer({"items": added}, status=201)


def _status_setter(status: Status) -> Callable[[AnyCall], Awaitable[web.Response]]:
    async def set_status(call: Call[Any, Any]) -> web.Response:
        key, by = call.request.match_info["id"], call.bearer.person
        return json_answer(await call.services.questions.set_status(key, status, by))

    return set_status


async def of_lesson(call: AnyCall) -> web.Response:
    return json_answer(await call.services.questions.of_lesson(call.lesson))


_PATH = f"{PREFIX}/questions"
_ONE = f"{_PATH}/{KEY}"
_MANAGE = Permission.MANAGE_QUESTIONS
_NOW: dict[int, tuple[str, str | None]] = {200: ("As it is now", "BankQuestion")}
ROUTES = (
    Route("GET", _PATH, listed, "Questions of all banks, newest first", Scope.ALL,
          {200: ("A page", "BankQuestionList")}, _MANAGE, query=QuestionsQuery),
    Route("POST", _PATH, add, "Add questions to a course's bank, all or none", Scope.ALL,
          {201: ("Added", "BankQuestionsAdded")}, _MANAGE, body=NewQuestions),
    Route("POST", f"{_ONE}/archive", _status_setter(Status.ARCHIVED), "Ask a question no more", Scope.ALL,
          _NOW, _MANAGE),
    Route("POST", f"{_ONE}/restore", _status_setter(Status.ACTIVE), "Ask a question again", Scope.ALL,
          _NOW, _MANAGE),
    Route("GET", f"{PREFIX}/lessons/{LESSON}/questions", of_lesson, "What the lesson's checks are drawn from",
          Scope.LESSON, {200: ("All of them", "BankQuestionList")}, Permission.ISSUE_CHALLENGES),
)  # fmt: skip
