"""From the portal into a lesson: a token for it, as what one's place in the class makes one."""

from __future__ import annotations

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http import links
from liveserver.http.answers import json_answer
from liveserver.http.api import PREFIX
from liveserver.http.api.lessons import lesson_token
from liveserver.http.api.registry import people
from liveserver.http.api.session import parts
from liveserver.http.context import Call, base_url
from liveserver.http.routes import LESSON, Route, Scope


async def enter(call: Call[None, None]) -> web.Response:
    """For lessons that are over as well: recordings are seen with it."""
    lesson, person, tokens = call.lesson, call.bearer.person, call.services.tokens
    # What is taken back while the rest is looked up voids it.
    dated_s = tokens.revoked.dated(person, call.services.clock.wall_s())
    role = await people(call).lessons.role_of(lesson, person)
    await parts(call).signing_in.require_factor(call.bearer, role)
    name = await people(call).lessons.name(person) or call.bearer.name
    of = (await call.services.rooms.lessons.one(lesson))["class"]
    token = lesson_token(
        call.services, role, name, person=person, lesson=lesson, training_class=of, stay=call.bearer.stay,
        dated_s=dated_s,
    )  # fmt: skip
    pages = links.pages(base_url(call.request), lesson, {role: token})
    return json_answer({"role": role, "token": token, "pages": pages})


ROUTES = (
    Route(
        "POST",
        f"{PREFIX}/lessons/{LESSON}/entry",
        enter,
        "A token for a lesson of one's own class",
        Scope.ANY,
        {200: ("The token, and the pages it opens", "LessonEntry")},
        Permission.ENTER_LESSONS,
    ),
)
