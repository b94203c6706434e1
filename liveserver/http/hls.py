"""LL-HLS: playlists, init segments, segments and parts of a lesson (docs/PROTOCOL.md section 3).

A token comes in the query and is carried into every address, because players add no headers. An edge that
keeps answers for all takes it out of its keys: it asks with `LL-Edge`, gets a placeholder in its place, and
asks `access` for each token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Permission
from liveserver.hls import playlist
from liveserver.hls.shelf import CACHED_S, TOKEN, Rendition, Shelf
from liveserver.http.auth import token_of
from liveserver.http.context import Call
from liveserver.http.fields import text, whole
from liveserver.http.ports.rooms import Broadcast
from liveserver.http.problems import RefusalError
from liveserver.http.routes import LESSON, Route, Scope
from liveserver.tokens import TOKEN_MAX_CHARS

PLAYLIST = "application/vnd.apple.mpegurl"
MP4 = "video/mp4"
EDGE_HEADER = "LL-Edge"
FIRST_S = 8.0  # whoever comes first waits so long for something to play
RELOAD_S = 3.0 * playlist.TARGET_S  # RFC 8216bis 6.2.5.2
KNOWN_TO_EDGES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_SOON = {"Cache-Control": "public, max-age=1"}
# As long as a part can be had at all: a cache that asks for no token gives it to nobody for longer.
_FOR_LONG = {"Cache-Control": f"public, max-age={CACHED_S}, immutable"}
_RUN, _RENDITION, _NUMBER = "{run:[0-9a-f]{16}}", "{rendition:video|audio}", r"\d{1,10}"


@dataclass(frozen=True, slots=True)
class MediaQuery:
    token: str = text(0, TOKEN_MAX_CHARS, default="")


@dataclass(frozen=True, slots=True)
class PlaylistQuery:
    """The delivery directives of RFC 8216bis 6.2.5."""

    token: str = text(0, TOKEN_MAX_CHARS, default="")
    _HLS_msn: int | None = whole(0, 2**40, default=None)
    _HLS_part: int | None = whole(0, 2**20, default=None)
    _HLS_skip: str = text(0, 3, default="")


async def index(call: Call[None, MediaQuery]) -> web.Response:
    """The multivariant playlist, once there is something to play."""
    broadcast = await _wanted(call, None)
    shelf = broadcast.shelf
    await _until(broadcast, None, lambda: shelf.is_ready(Rendition.AUDIO), FIRST_S)
    return _playlist(call, playlist.multivariant(broadcast.streams, f"?token={TOKEN}"))


async def listed(call: Call[None, PlaylistQuery]) -> web.Response:
    """A media playlist; with directives, once it has what was asked for."""
    query, rendition = call.query, Rendition(call.request.match_info["rendition"])
    sequence, part = query._HLS_msn, query._HLS_part
    if part is not None and sequence is None:
        raise PeerError("bad_request", "_HLS_part needs _HLS_msn")
    broadcast = await _wanted(call, rendition)
    shelf = broadcast.shelf
    await _until(broadcast, rendition, lambda: shelf.is_ready(rendition), FIRST_S)
    if sequence is not None and not shelf.is_over:
        shelf.check_asked(rendition, sequence, part)
        wanted: int = sequence
        await _until(broadcast, rendition, lambda: shelf.has(rendition, wanted, part), RELOAD_S)
        await _still_wanted(call, rendition)
    skip = query._HLS_skip in ("YES", "v2")
    return _playlist(call, shelf.text(rendition, skip=skip))


async def init(call: Call[None, MediaQuery]) -> web.Response:
    """What a player needs before the segments that name it."""
    shelf, rendition = await _shelf(call)
    return _media(shelf.init(rendition, int(call.request.match_info["number"])))


async def segment(call: Call[None, MediaQuery]) -> web.Response:
    """A whole segment."""
    shelf, rendition = await _shelf(call)
    return _media(shelf.segment(rendition, int(call.request.match_info["sequence"])))


async def part(call: Call[None, MediaQuery]) -> web.Response:
    """A part; the one that comes next is waited for (the preload hint, RFC 8216bis 4.4.5.3)."""
    found = call.request.match_info
    sequence, number, rendition = int(found["sequence"]), int(found["part"]), Rendition(found["rendition"])
    shelf, _ = await _shelf(call)
    if shelf.awaits(sequence, number):
        broadcast = await _wanted(call, rendition)
        await _until(broadcast, rendition, lambda: not shelf.awaits(sequence, number), RELOAD_S)
        await _still_wanted(call, rendition)
    data = shelf.part(rendition, sequence, number)
    if data is None and shelf.is_past(sequence, number):
        # Who was hinted at it asks for it all at once: the answer is everybody's, and for good.
        raise RefusalError("not_found", "its segment ended before it", HTTPStatus.NOT_FOUND, _SOON)
    return _media(data)


async def access(call: Call[None, MediaQuery]) -> web.Response:
    """Whether the token's bearer may have the lesson's media now; `door` answers the same, of edges alone."""
    try:
        broadcast = await _wanted(call, None)
    except PeerError as error:
        if EDGE_HEADER not in call.request.headers:
            raise
        raise for_edge(error) from None
    return web.Response(status=HTTPStatus.NO_CONTENT, headers=granted(broadcast))


def granted(broadcast: Broadcast) -> dict[str, str]:
    """The headers of a 204 of `access`.

    `LL-Run` is another after each cut: an edge that has it in its keys serves nothing from before.
    """
    return {"Cache-Control": "private, max-age=1", "LL-Run": broadcast.shelf.run}


def for_edge(error: PeerError) -> PeerError:
    """A refusal of `access` as edges know them: nginx's `auth_request` takes 401 and 403 alone.

    `LL-Refusal` has status and code of any other.
    """
    if error.status in KNOWN_TO_EDGES:
        return error
    told = {"LL-Refusal": f"{error.status} {error.code}"}
    return RefusalError(error.code, error.detail, HTTPStatus.FORBIDDEN, told)


async def _wanted(
    call: Call[None, MediaQuery] | Call[None, PlaylistQuery], rendition: Rendition | None
) -> Broadcast:
    broadcast = await call.services.rooms.joining.wide(call.lesson, call.bearer)
    check(broadcast, rendition)
    return broadcast


async def _still_wanted(
    call: Call[None, MediaQuery] | Call[None, PlaylistQuery], rendition: Rendition
) -> None:
    """After a wait of up to `RELOAD_S`: who was removed or signed out meanwhile gets nothing more."""
    call.services.tokens.require_standing(call.bearer, call.services.clock.wall_s())
    await _wanted(call, rendition)


def check(broadcast: Broadcast, rendition: Rendition | None) -> None:
    """`lesson_cut` (410) while a cut holds it back, the same for everybody: an edge asks once for all."""
    try:
        broadcast.check(rendition)
    except PeerError as error:
        raise RefusalError(error.code, error.detail, error.status, _SOON) from error


async def _shelf(call: Call[None, MediaQuery]) -> tuple[Shelf, Rendition]:
    """The shelf that an address is of; PeerError `not_found` for an earlier one's."""
    found = call.request.match_info
    rendition = Rendition(found["rendition"])
    shelf = (await _wanted(call, rendition)).shelf
    if shelf.run != found["run"]:
        # Everybody who played has such addresses when a lesson is cut.
        raise RefusalError("not_found", "that is gone", HTTPStatus.NOT_FOUND, _SOON)
    return shelf, rendition


async def _until(
    broadcast: Broadcast, rendition: Rendition | None, is_there: Callable[[], bool], timeout_s: float
) -> None:
    """Wait until `is_there`. Raises PeerError lesson_cut (410), unavailable (503) when it takes too long."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + timeout_s
    while not is_there():
        left_s = end_s - loop.time()
        if left_s <= 0 or broadcast.shelf.is_over:
            told = {**_SOON, "Retry-After": "2"}
            raise RefusalError(
                "unavailable", "there is nothing to play", HTTPStatus.SERVICE_UNAVAILABLE, told
            )
        await broadcast.shelf.more(left_s)
        check(broadcast, rendition)


def _playlist(call: Call[None, MediaQuery] | Call[None, PlaylistQuery], written: str) -> web.Response:
    if EDGE_HEADER not in call.request.headers:
        written = written.replace(f"?token={TOKEN}", playlist.with_token(token_of(call.request) or ""))
    body = written.encode()
    response = web.Response(body=body, headers={"Content-Type": PLAYLIST, **_SOON})
    response.enable_compression() if len(body) > 2000 else None
    return response


def _media(data: bytes | None) -> web.Response:
    if data is None:
        raise PeerError("not_found", "there is no such part", status=HTTPStatus.NOT_FOUND)
    return web.Response(body=data, headers={"Content-Type": MP4, **_FOR_LONG})


_REFUSED = {404: ("It is gone", None), 410: ("The lesson is cut", None), 503: ("Nothing to play yet", None)}


def _route(
    path: str,
    handler: Callable[..., Awaitable[web.Response]],
    summary: str,
    kind: str,
    query: type = MediaQuery,
    view: str = "",
) -> Route:
    return Route(
        "GET", f"/hls/{LESSON}/{path}", handler, summary, Scope.LESSON, {200: (summary, kind), **_REFUSED},
        Permission.WATCH, query=query, token_in_query=True, view=view,
    )  # fmt: skip


ACCESS = Route(
    "GET",
    f"/hls/{LESSON}/access",
    access,
    "Whether a token may have a lesson's media now",
    Scope.LESSON,
    {204: ("It may", None), **_REFUSED},
    Permission.WATCH,
    query=MediaQuery,
    token_in_query=True,
)
ROUTES = (
    _route("index.m3u8", index, "The multivariant playlist of a lesson", PLAYLIST, view="live"),
    _route(f"{_RENDITION}.m3u8", listed, "A media playlist", PLAYLIST, PlaylistQuery),
    _route(f"{_RUN}/{_RENDITION}/init{{number:{_NUMBER}}}.mp4", init, "An init segment", MP4),
    _route(f"{_RUN}/{_RENDITION}/{{sequence:{_NUMBER}}}.m4s", segment, "A segment", MP4),
    _route(f"{_RUN}/{_RENDITION}/{{sequence:{_NUMBER}}}.{{part:{_NUMBER}}}.m4s", part, "A part", MP4),
    ACCESS,
)
