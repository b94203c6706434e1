"""Cut and restore: the same two operations on the public port and on the guard's control port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.events.cut import MAX_REASON_CHARACTERS, Level
from liveserver.core.permissions import Permission
from liveserver.http.answers import json_answer, rfc3339
from liveserver.http.api import PREFIX
from liveserver.http.context import Call
from liveserver.http.fields import choice, text
from liveserver.http.routes import LESSON, Route, Scope

WAITING = "waiting_for_second"  # as `liveserver.cut.switch` has it


@dataclass(frozen=True, slots=True)
class Cut:
    level: Level = choice(Level)  # noqa: RUF009 - it makes a dataclass field
    reason: str = text(1, MAX_REASON_CHARACTERS)
    person: str | None = text(1, 64, default=None)


@dataclass(frozen=True, slots=True)
class Restore:
    reason: str = text(1, MAX_REASON_CHARACTERS)


CutBy = Callable[[Call[Cut, None]], Awaitable[dict[str, Any]]]
RestoreBy = Callable[[Call[Restore, None]], Awaitable[dict[str, Any]]]


def routes(cut: CutBy, restore: RestoreBy) -> tuple[Route, ...]:
    """The two routes over what carries them out, which answers with `reason`, `at_ms`, `epoch` and more."""

    async def handle_cut(call: Call[Cut, None]) -> web.Response:
        if (call.body.level is Level.PERSON) != (call.body.person is not None):
            raise PeerError("bad_request", "field person goes with level person, and only with it")
        done = await cut(call)
        return json_answer({**_shape(done), "level": done["level"], "dark_ms": done.get("dark_ms")})

    async def handle_restore(call: Call[Restore, None]) -> web.Response:
        done = await restore(call)
        if done["state"] != WAITING:
            return json_answer({"state": done["state"], **_shape(done)})
        waiting = {"by": done["by"], "expires_at": rfc3339(done["expires_at_ms"])}
        return json_answer({"state": done["state"], **_shape(done), **waiting}, status=202)

    return (
        Route(
            "POST",
            f"{PREFIX}/lessons/{LESSON}/cut",
            handle_cut,
            "Cut a lesson off; also on the control port",
            Scope.LESSON,
            {200: ("Cut, and how long until it was dark", "CutDone")},
            Permission.CUT,
            body=Cut,
        ),
        Route(
            "POST",
            f"{PREFIX}/lessons/{LESSON}/restore",
            handle_restore,
            "Lift every cut of a lesson; also on the control port",
            Scope.LESSON,
            {
                200: ("Restored", "RestoreDone"),
                202: ("A second person has to restore as well, until then it stays cut", "RestoreWaiting"),
            },
            Permission.RESTORE,
            body=Restore,
        ),
    )


def _shape(done: dict[str, Any]) -> dict[str, Any]:
    return {"reason": done["reason"], "at": rfc3339(done["at_ms"]), "epoch": done["epoch"]}
