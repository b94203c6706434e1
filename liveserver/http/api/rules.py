"""What lessons are screened by: policies, and the operator's lists of words; both in versions."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.core.policies import policy_json
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import flag, whole
from liveserver.http.problems import problem
from liveserver.http.routes import LESSON, LEXICON, POLICY, Route, Scope
from liveserver.screening.lexicons import MAX_BYTES
from liveserver.screening.words import CSV, TSV

_VERSIONS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class VersionQuery:
    version: int | None = whole(1, _VERSIONS_MAX, default=None)


@dataclass(frozen=True, slots=True)
class UploadQuery:
    dry_run: bool = flag(default=False)


@dataclass(frozen=True, slots=True)
class RollBack:
    version: int = whole(1, _VERSIONS_MAX)


async def of_lesson(call: Call[None, None]) -> web.Response:
    return json_answer(await call.services.rules.of_lesson(call.lesson))


async def give_lesson(call: Call[Any, None]) -> web.Response:
    return json_answer(await call.services.rules.give(call.lesson, call.body, call.bearer))


async def policies(call: Call[None, None]) -> web.Response:
    return json_answer({"items": await call.services.rules.policies.listed(), "next": None})


async def policy(call: Call[None, VersionQuery]) -> web.Response:
    return json_answer(await call.services.rules.policies.shown(_policy(call), call.query.version))


async def put_policy(call: Call[Any, None]) -> web.Response:
    made = await call.services.rules.policies.put(_policy(call), call.body, call.bearer.person)
    return json_answer(policy_json(made))


async def lexicons(call: Call[None, None]) -> web.Response:
    return json_answer({"items": await call.services.rules.lexicons.listed(), "next": None})


async def lexicon(call: Call[None, VersionQuery]) -> web.Response:
    return json_answer(await call.services.rules.lexicons.shown(_lexicon(call), call.query.version))


async def upload(call: Call[str, UploadQuery]) -> web.Response:
    """200 with what changed, 422 with the rows that are wrong: then nothing is taken."""
    rules = call.services.rules
    done = await rules.lexicons.take(
        _lexicon(call),
        call.body,
        call.request.content_type,
        call.bearer.person,
        rules.policies.standard,
        dry_run=call.query.dry_run,
    )
    if done["errors"] and not call.query.dry_run:
        detail = f"{len(done['errors'])} rows are wrong; nothing was taken"
        return problem("lexicon_invalid", detail, HTTPStatus.UNPROCESSABLE_ENTITY, more=done)
    return json_answer(done)


async def roll_back(call: Call[RollBack, None]) -> web.Response:
    done = await call.services.rules.lexicons.roll_back(_lexicon(call), call.body.version, call.bearer.person)
    return json_answer(done)


def _policy(call: AnyCall) -> str:
    return call.request.match_info["policy"]


def _lexicon(call: AnyCall) -> str:
    return call.request.match_info["lexicon"]


ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/lessons/{LESSON}/policy",
        of_lesson,
        "What a lesson is screened by",
        Scope.LESSON,
        {200: ("The policy", "Policy")},
        Permission.SEE_POLICIES,
    ),
    Route(
        "PUT",
        f"{PREFIX}/lessons/{LESSON}/policy",
        give_lesson,
        "Put a lesson under another policy, at once: one that is kept, or one of its own",
        Scope.LESSON,
        {200: ("The policy", "Policy")},
        Permission.MANAGE_POLICIES,
        document="PolicyChoice",
    ),
    Route(
        "GET",
        f"{PREFIX}/policies",
        policies,
        "The newest version of each policy",
        Scope.ANY,
        {200: ("The policies", "VersionList")},
        Permission.SEE_POLICIES,
    ),
    Route(
        "GET",
        f"{PREFIX}/policies/{POLICY}",
        policy,
        "One policy with its versions",
        Scope.ANY,
        {200: ("The policy", "Policy")},
        Permission.SEE_POLICIES,
        query=VersionQuery,
    ),
    Route(
        "PUT",
        f"{PREFIX}/policies/{POLICY}",
        put_policy,
        "The next version of a policy; lessons keep theirs",
        Scope.ALL,
        {200: ("The new version", "Policy")},
        Permission.MANAGE_POLICIES,
        document="Policy",
    ),
    Route(
        "GET",
        f"{PREFIX}/lexicons",
        lexicons,
        "The operator's lists of words",
        Scope.ANY,
        {200: ("The lists", "VersionList")},
        Permission.SEE_POLICIES,
    ),
    Route(
        "GET",
        f"{PREFIX}/lexicons/{LEXICON}",
        lexicon,
        "One list with its rows and versions",
        Scope.ALL,
        {200: ("The list", "Lexicon")},
        Permission.MANAGE_POLICIES,
        query=VersionQuery,
    ),
    Route(
        "POST",
        f"{PREFIX}/lexicons/{LEXICON}",
        upload,
        "Replace a list, or try out what that would do",
        Scope.ALL,
        {200: ("What changed, and the recent lines that would fare otherwise", "LexiconTaken")},
        Permission.MANAGE_POLICIES,
        text_body=(TSV, CSV),
        query=UploadQuery,
        max_body=MAX_BYTES,
    ),
    Route(
        "POST",
        f"{PREFIX}/lexicons/{LEXICON}/rollback",
        roll_back,
        "An earlier version of a list as a new one",
        Scope.ALL,
        {200: ("The new version", "Version")},
        Permission.MANAGE_POLICIES,
        body=RollBack,
    ),
)
