"""One route as data. The application and the OpenAPI document are both built from the table of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web

from liveserver.core.permissions import Permission
from liveserver.http.context import AnyCall

Handler = Callable[[AnyCall], Awaitable[web.StreamResponse]]
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]

LESSON = "{lesson:[A-Za-z0-9_-]{1,64}}"
SESSION = "{session:[A-Za-z0-9_-]{1,64}}"
RECORDING = "{recording:[A-Za-z0-9_-]{1,128}}"


class Scope(StrEnum):
    """What a token must cover besides its role's permission."""

    OPEN = "open"
    """Nothing: there is no token."""
    LESSON = "lesson"
    """The lesson in the path."""
    ALL = "all"
    """Every lesson."""
    ANY = "any"
    """Whatever it covers; the handler narrows what it shows."""


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table.

    `path` is aiohttp's, absolute. `body` and `query` are dataclasses of `fields`; `text_body` is the media
    type of a body that is handed over as text. `answers` maps a status to what it means and the schema
    (or the media type) of its body.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    scope: Scope
    answers: dict[int, tuple[str, str | None]]
    permission: Permission | None = None
    body: type[Any] | None = None
    text_body: str | None = None
    query: type[Any] | None = None
