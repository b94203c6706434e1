"""`GET /recordings/{id}?link=…`: a sealed recording's file, by a link signed for it alone."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from liveserver.core.errors import PeerError
from liveserver.http.connections import CONNECTIONS
from liveserver.http.context import Call
from liveserver.http.fields import text
from liveserver.http.problems import RefusalError
from liveserver.http.routes import RECORDING, Route, Scope
from liveserver.tokens import TOKEN_MAX_CHARS

LINK_KIND = "recording"
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class PlaybackQuery:
    link: str = text(1, TOKEN_MAX_CHARS)


class _File(web.FileResponse):
    """A file is sent after the middlewares are done; to the connection's clock the request goes on."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        assert isinstance(request, web.Request)
        transport = request.transport
        for connections in request.app[CONNECTIONS]:
            connections.request_started(transport)
        try:
            return await super().prepare(request)
        finally:
            for connections in request.app[CONNECTIONS]:
                connections.request_ended(transport)


async def play(call: Call[None, PlaybackQuery]) -> web.StreamResponse:
    """The MP4, whole or the range asked for (RFC 9110 14)."""
    services, wanted = call.services, call.request.match_info["recording"]
    link = services.tokens.verify_link(LINK_KIND, call.query.link, services.clock.wall_s())
    if link.subject != wanted:
        raise PeerError("forbidden", "the link is for another recording", status=HTTPStatus.FORBIDDEN)
    recording = await services.store.recording(wanted)
    if recording is None or recording.state != "sealed":
        raise PeerError("not_found", "there is no such sealed recording", status=HTTPStatus.NOT_FOUND)
    path = services.config.objects_dir / recording.path
    _check_file(path, services.config.objects_dir)
    _check_range(call.request, path.stat().st_size)
    return _File(
        path,
        chunk_size=_CHUNK_BYTES,
        headers={
            "Content-Type": "video/mp4",
            "Content-Disposition": f'inline; filename="{wanted}.mp4"',
            "Cache-Control": "private, no-store",
        },
    )


def _check_file(path: Path, folder: Path) -> None:
    """PeerError `not_found` unless `path` is a file inside `folder`."""
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise PeerError("not_found", "the recording's file is not here", status=HTTPStatus.NOT_FOUND)


def _check_range(request: web.Request, size: int) -> None:
    """PeerError `range_invalid` for a range this file does not have."""
    try:
        start = request.http_range.start
    except ValueError:
        start = size
    if start is not None and start >= size:
        raise RefusalError(
            "range_invalid",
            f"the file has {size} bytes",
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            {"Content-Range": f"bytes */{size}"},
        )


ROUTES = (
    Route(
        "GET",
        f"/recordings/{RECORDING}",
        play,
        "A sealed recording's file; answers range requests",
        Scope.OPEN,
        {200: ("The file", "video/mp4"), 206: ("A part of it", "video/mp4")},
        query=PlaybackQuery,
    ),
)
