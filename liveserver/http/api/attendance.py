"""Who attended, what it was worth and why; hours changed by two persons; a learner's own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import choice, text, whole
from liveserver.http.ports.hours import Hours
from liveserver.http.routes import CHALLENGE, LESSON, Route, Scope

PERSON = "{person:[A-Za-z0-9_.@:-]{1,128}}"
ADJUSTMENT = "{adjustment:[A-Za-z0-9_-]{1,64}}"


class Verdict(StrEnum):
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class AttendanceQuery:
    after: str = text(0, 128, default="")
    limit: int = whole(1, 1000, default=1000)


@dataclass(frozen=True, slots=True)
class NewAdjustment:
    person: str = text(1, 128)
    delta_s: int = whole(-86_400, 86_400)
    reason: str = text(1, 500)


@dataclass(frozen=True, slots=True)
class Excuse:
    person: str = text(1, 128)
    reason: str = text(1, 500)


@dataclass(frozen=True, slots=True)
class Decision:
    decision: Verdict = choice(Verdict)  # noqa: RUF009 - it makes a dataclass field
    reason: str = text(1, 500)


def hours(call: AnyCall) -> Hours:
    found = call.services.hours
    if found is None:
        raise PeerError("not_available", "this node keeps no hours", status=503)
    return found


async def listed(call: Call[None, AttendanceQuery]) -> web.Response:
    query = call.query
    return json_answer(await hours(call).attendance(call.lesson, query.after, query.limit))


async def one(call: Call[None, None]) -> web.Response:
    return json_answer(await hours(call).explained(call.lesson, call.request.match_info["person"]))


async def own(call: Call[None, None]) -> web.Response:
    return json_answer(await hours(call).own(call.bearer.person, call.bearer.lesson))


async def own_lesson(call: Call[None, None]) -> web.Response:
    return json_answer(await hours(call).explained(call.lesson, call.bearer.person))


async def settlements(call: Call[None, None]) -> web.Response:
    return json_answer(await hours(call).settlements(call.lesson))


async def adjustments(call: Call[None, None]) -> web.Response:
    return json_answer(await hours(call).adjustments(call.lesson))


async def ask(call: Call[NewAdjustment, None]) -> web.Response:
    body, by = call.body, call.bearer.person
    made = await hours(call).ask_adjustment(call.lesson, body.person, body.delta_s, body.reason, by)
    return json_answer(made, status=201)


async def excuse(call: Call[Excuse, None]) -> web.Response:
    return await _revised(call, excused=True)


async def withdraw(call: Call[Excuse, None]) -> web.Response:
    return await _revised(call, excused=False)


async def _revised(call: Call[Excuse, None], *, excused: bool) -> web.Response:
    body, challenge, by = call.body, call.request.match_info["challenge"], call.bearer.person
    done = await hours(call).excuse(call.lesson, challenge, body.person, body.reason, by, excused=excused)
    return json_answer(done, status=201)


async def decide(call: Call[Decision, None]) -> web.Response:
    """By another person than the one who asked."""
    adjustment, body = call.request.match_info["adjustment"], call.body
    approve = body.decision is Verdict.APPROVED
    return json_answer(
        await hours(call).decide_adjustment(
            adjustment, approve=approve, words=body.reason, by=call.bearer.person
        )
    )


_LESSON = f"{PREFIX}/lessons/{LESSON}"
ROUTES = (
    Route(
        "GET",
        f"{_LESSON}/attendance",
        listed,
        "Who attended a lesson, and what it was worth",
        Scope.LESSON,
        {200: ("A page of the sheet, by person", "AttendanceList")},
        Permission.SEE_ATTENDANCE,
        query=AttendanceQuery,
        view="attendance",
    ),
    Route(
        "GET",
        f"{_LESSON}/attendance/{PERSON}",
        one,
        "One learner's hours, explained",
        Scope.LESSON,
        {200: ("The hours and what they were reckoned from", "ExplainedHours")},
        Permission.SEE_ATTENDANCE,
        view="hours",
    ),
    Route(
        "GET",
        f"{_LESSON}/settlements",
        settlements,
        "The revisions of a lesson's attendance",
        Scope.LESSON,
        {200: ("Every revision, the first first", "SettlementList")},
        Permission.SEE_ATTENDANCE,
    ),
    Route(
        "GET",
        f"{_LESSON}/adjustments",
        adjustments,
        "What was asked for and decided about a lesson's hours",
        Scope.LESSON,
        {200: ("In the order they were asked for", "AdjustmentList")},
        Permission.SEE_ATTENDANCE,
        view="adjustments",
    ),
    Route(
        "POST",
        f"{_LESSON}/adjustments",
        ask,
        "Ask that a learner's hours be changed",
        Scope.LESSON,
        {201: ("Asked; another person decides", "Adjustment")},
        Permission.ASK_ADJUSTMENT,
        body=NewAdjustment,
    ),
    Route(
        "POST",
        f"{_LESSON}/challenges/{CHALLENGE}/excuse",
        excuse,
        "Excuse a missed check; once the lesson is over another person decides",
        Scope.LESSON,
        {201: ("Excused, or asked for", "Adjustment")},
        Permission.ASK_ADJUSTMENT,
        body=Excuse,
    ),
    Route(
        "POST",
        f"{_LESSON}/challenges/{CHALLENGE}/excuse/withdrawal",
        withdraw,
        "Take an excuse back; once the lesson is over another person decides",
        Scope.LESSON,
        {201: ("Taken back, or asked for", "Adjustment")},
        Permission.ASK_ADJUSTMENT,
        body=Excuse,
    ),
    Route(
        "POST",
        f"{PREFIX}/adjustments/{ADJUSTMENT}/decision",
        decide,
        "Approve or refuse a change that another person asked for",
        Scope.ALL,
        {200: ("Decided", "Adjustment")},
        Permission.DECIDE_ADJUSTMENT,
        body=Decision,
    ),
    Route(
        "GET",
        f"{PREFIX}/me/hours",
        own,
        "One's own hours",
        Scope.ANY,
        {200: ("One's lessons, the newest first, and their sum", "OwnHours")},
        Permission.SEE_OWN_HOURS,
    ),
    Route(
        "GET",
        f"{PREFIX}/me/hours/{LESSON}",
        own_lesson,
        "One's own hours in a lesson, explained",
        Scope.LESSON,
        {200: ("The hours and what they were reckoned from", "ExplainedHours")},
        Permission.SEE_OWN_HOURS,
    ),
)
