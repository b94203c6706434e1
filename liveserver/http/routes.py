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
INCIDENT = "{incident:[A-Za-z0-9_-]{1,64}}"
CLASS = "{class:[A-Za-z0-9_-]{1,64}}"
LINE = "{line:[A-Za-z0-9_-]{1,64}}"
PERSON = "{person:[^/]{1,200}}"
POLICY = "{policy:[a-z0-9][a-z0-9_-]{0,79}}"
LEXICON = "{lexicon:[a-z]{1,32}}"
CHALLENGE = "{challenge:[A-Za-z0-9_-]{1,64}}"
PHOTO = "{photo:[A-Za-z0-9_-]{1,64}}"
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

    `path` is aiohttp's, absolute. `body` and `query` are dataclasses of `fields`; `document` is the schema of
    a JSON body that is handed over as it is read, `text_body` the media types of one that is handed over as
    text, `bytes_body` of one that is as it came. `max_body`: bytes, where it is not the configured bound.
    `answers` maps a status to what it means and the schema (or the media type) of its body.
    `token_in_query`: players send the token there. `view`: what the ledger calls it when
    somebody of the staff looks at it; "" where nothing of a person is to be seen, or where the answer itself
    leaves a fact of its own.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    scope: Scope
    answers: dict[int, tuple[str, str | None]]
    permission: Permission | None = None
    body: type[Any] | None = None
    document: str | None = None
    text_body: tuple[str, ...] = ()
    bytes_body: tuple[str, ...] = ()
    max_body: int | None = None
    query: type[Any] | None = None
    token_in_query: bool = False
    view: str = ""
