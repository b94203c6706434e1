"""Consents to photos, and the photos that a person has to decide about (docs/PROTOCOL.md section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from liveserver.core import consent
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.context import Call
from liveserver.http.fields import flag, text
from liveserver.http.routes import CHALLENGE, LESSON, PHOTO, Route, Scope


@dataclass(frozen=True, slots=True)
class Consent:
    text_sha256: str = text(64, 64)


@dataclass(frozen=True, slots=True)
class Review:
    person: str = text(1, 64)
    passed: bool = flag()


@dataclass(frozen=True, slots=True)
class Reason:
    reason: str = text(1, 200)


async def words(call: Call[None, None]) -> web.Response:
    return json_answer(
        {"purpose": "face", "text": dict(consent.FACE), "sha256": consent.digest(consent.FACE)}
    )


async def mine(call: Call[None, None]) -> web.Response:
    return json_answer({"face": call.services.rooms.checking.consents(call.bearer)})


async def give(call: Call[Consent, None]) -> web.Response:
    await call.services.rooms.checking.agree(call.bearer, call.body.text_sha256)
    return json_answer({"face": True})


async def withdraw(call: Call[None, None]) -> web.Response:
    await call.services.rooms.checking.withdraw(call.bearer)
    return json_answer({"face": False})


async def photo(call: Call[None, Reason]) -> web.Response:
    name = call.request.match_info["photo"]
    jpeg = await call.services.rooms.checking.photo(call.lesson, name, call.bearer, call.query.reason)
    headers = {"Content-Type": "image/jpeg", "Cache-Control": "no-store"}
    return web.Response(body=jpeg, headers=headers)


async def review(call: Call[Review, None]) -> web.Response:
    challenge = call.request.match_info["challenge"]
    body = call.body
    await call.services.rooms.checking.review(
        call.lesson, call.bearer, challenge, body.person, passed=body.passed
    )
    return json_answer({"challenge": challenge, "person": body.person, "passed": body.passed})


_MINE = f"{PREFIX}/me/consents"
ROUTES = (
    Route(
        "GET",
        f"{PREFIX}/consents/face",
        words,
        "What is agreed to before photos are taken",
        Scope.OPEN,
        {200: ("The words in each language, and their hash", "ConsentText")},
    ),
    Route(
        "GET",
        _MINE,
        mine,
        "What one agrees to",
        Scope.ANY,
        {200: ("Purpose by purpose", "Consents")},
        Permission.ATTEND,
    ),
    Route(
        "PUT",
        f"{_MINE}/face",
        give,
        "Agree to photos",
        Scope.ANY,
        {200: ("Recorded", "Consents")},
        Permission.ATTEND,
        body=Consent,
    ),
    Route(
        "DELETE",
        f"{_MINE}/face",
        withdraw,
        "Take the consent to photos back; those there are are erased",
        Scope.ANY,
        {200: ("Recorded, and erased", "Consents")},
        Permission.ATTEND,
    ),
    Route(
        "GET",
        f"{PREFIX}/lessons/{LESSON}/photos/{PHOTO}",
        photo,
        "A photo that a person has to decide about; each look is recorded",
        Scope.LESSON,
        {200: ("The photo", "image/jpeg")},
        Permission.REVIEW_PHOTOS,
        query=Reason,
    ),
    Route(
        "POST",
        f"{PREFIX}/lessons/{LESSON}/challenges/{CHALLENGE}/review",
        review,
        "Decide about a photo",
        Scope.LESSON,
        {200: ("Decided", "Reviewed")},
        Permission.REVIEW_PHOTOS,
        body=Review,
    ),
)
