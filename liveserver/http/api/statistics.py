"""Hours over time, by learner and by course; how far the learners of a project are."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.attendance import PERSON, hours
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import text
from liveserver.http.routes import Route, Scope

COURSE, PROJECT = "{course:[^/]{1,200}}", "{project:[A-Za-z0-9_-]{1,64}}"


@dataclass(frozen=True, slots=True)
class Period:
    """Days such as 2026-03-02, in China, both included."""

    since: str | None = text(10, 10, default=None)
    until: str | None = text(10, 10, default=None)


async def learner(call: Call[None, Period]) -> web.Response:
    person = call.request.match_info["person"]
    return json_answer(await hours(call).statistics.learner(person, call.query.since, call.query.until))


async def own(call: Call[None, Period]) -> web.Response:
    person = call.bearer.person
    return json_answer(await hours(call).statistics.learner(person, call.query.since, call.query.until))


async def course(call: Call[None, Period]) -> web.Response:
    name = call.request.match_info["course"]
    return json_answer(await hours(call).statistics.course(name, call.query.since, call.query.until))


async def project(call: AnyCall) -> web.Response:
    return json_answer(await hours(call).progress.of_project(call.request.match_info["project"]))


ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/statistics/learners/{PERSON}",
        learner,
        "A learner's hours: ever, over a period, by course",
        Scope.ALL,
        {200: ("Settled hours; the last 30 days unless said", "LearnerStatistics")},
        Permission.SEE_STATISTICS,
        query=Period,
        view="learner_statistics",
    ),
    Route(
        "GET",
        f"{PREFIX}/statistics/courses/{COURSE}",
        course,
        "A course's hours, over all learners and by each",
        Scope.ALL,
        {200: ("Settled hours; the last 30 days unless said", "CourseStatistics")},
        Permission.SEE_STATISTICS,
        query=Period,
        view="course_statistics",
    ),
    Route(
        "GET",
        f"{PREFIX}/statistics/projects/{PROJECT}",
        project,
        "How far the learners of a project are",
        Scope.ALL,
        {200: ("Settled hours of all its courses, against what is asked", "ProjectProgress")},
        Permission.SEE_STATISTICS,
        view="project_statistics",
    ),
    Route(
        "GET",
        f"{PREFIX}/me/statistics",
        own,
        "One's own hours over time",
        Scope.ANY,
        {200: ("Settled hours; the last 30 days unless said", "LearnerStatistics")},
        Permission.SEE_OWN_HOURS,
        query=Period,
    ),
)
