"""`GET /recordings/{id}?link=…`: a sealed recording's file, by a link signed for it alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from liveserver.core.errors import PeerError
from liveserver.core.permissions import STAFF, Role
from liveserver.http.connections import CONNECTIONS
from liveserver.http.context import AnyCall, Call
from liveserver.http.fields import text
from liveserver.http.ports.recordings import Bucket, Keeper, StoredObject, StoredRecording
from liveserver.http.problems import RefusalError
from liveserver.http.routes import RECORDING, Route, Scope
from liveserver.tokens import TOKEN_MAX_CHARS, Claims, Link
from recorder.objects import ObjectError

LINK_KIND = "recording"
_NO_STORE = {"Cache-Control": "private, no-store"}
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class PlaybackQuery:
    link: str = text(1, TOKEN_MAX_CHARS)


@dataclass(frozen=True, slots=True)
class Sent:
    """An object as clients get it. `direct`: they may be sent to the bucket for it. A page's pictures and
    texts are of its own origin or not shown at all, so those pass through here."""

    file_name: str
    content_type: str = "video/mp4"
    direct: bool = True

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": self.content_type,
            "Content-Disposition": f'inline; filename="{self.file_name}"',
            **_NO_STORE,
        }


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


def playback_link(call: AnyCall, recording: str) -> str:
    """A link to `recording` for the call's bearer. Raises PeerError 401 once his token is void."""
    services = call.services
    ttl_s, now_s = int(services.config.tokens.playback_link.s), services.clock.wall_s()
    who = call.bearer
    services.tokens.require_standing(who, now_s)  # still, after all that was looked up
    return services.tokens.sign_link(LINK_KIND, recording, now_s, ttl_s, who.name, who.person, who.role)


def opened(call: Call[None, PlaybackQuery]) -> Link:
    """The call's link, which is for the recording in its path; PeerError 401 or 403 for any other."""
    services = call.services
    link = services.tokens.verify_link(LINK_KIND, call.query.link, services.clock.wall_s())
    if link.subject != call.request.match_info["recording"]:
        raise PeerError("forbidden", "the link is for another recording", status=HTTPStatus.FORBIDDEN)
    return link


async def sealed(call: Call[None, PlaybackQuery]) -> StoredRecording:
    """The recording that the call's link opens."""
    link = opened(call)
    recording = await call.services.store.recordings.one(link.subject)
    if recording is None or recording.state != "sealed":
        raise PeerError("not_found", "there is no such sealed recording", status=HTTPStatus.NOT_FOUND)
    call.services.rooms.playback.may_play(recording.lesson, link.person, link.role)
    if call.services.inspections is not None and link.role in STAFF:  # lists give out links as well
        claims = Claims(link.person, link.name, Role(link.role), recording.lesson, 0, link.token_id)
        await call.services.inspections.saw(claims, "recording", "", recording.id)
    return recording


async def play(call: Call[None, PlaybackQuery]) -> web.StreamResponse:
    """The MP4, whole or the range asked for (RFC 9110 14)."""
    recording = await sealed(call)
    return await send(call, recording.path, Sent(f"{recording.id}.mp4"))


async def send(call: AnyCall, key: str, sent: Sent) -> web.StreamResponse:
    """The object `key` from the disk or from the bucket. PeerError `not_found` where it is in neither."""
    services = call.services
    path = services.config.objects_dir / key
    if services.keeper is not None and not path.is_file():
        found = await services.keeper.located(key)
        if found is not None:
            return await _from_bucket(call, services.keeper, found, sent)
    _check_file(path, services.config.objects_dir)
    _check_range(call.request, path.stat().st_size)
    return _File(path, chunk_size=_CHUNK_BYTES, headers=sent.headers)


async def _from_bucket(call: AnyCall, keeper: Keeper, found: StoredObject, sent: Sent) -> web.StreamResponse:
    """From the bucket: the player is sent there where browsers reach it, else the bytes pass through here.

    A signed address keeps media off the process that forwards lessons, and ends with the link that was asked
    with. Streaming through is the default because a bucket inside the house has no address for browsers.
    """
    services = call.services
    try:
        bucket = await keeper.remote()
        public = services.config.objects.s3_public_url.rstrip("/")
        if public and sent.direct:
            ttl_s = int(services.config.tokens.playback_link.s)
            name = sent.file_name
            address = await asyncio.to_thread(bucket.presigned, found.key, found.version, ttl_s, name, public)
            return web.Response(status=HTTPStatus.FOUND, headers={"Location": address, **_NO_STORE})
        _check_range(call.request, found.size)
        return await _stream(call.request, bucket, found, sent)
    except ObjectError as error:
        raise PeerError("not_found", "the recording's file is not here", status=404) from error
    except OSError as error:
        raise PeerError("unavailable", "the archive does not answer", status=503, retry_after_s=10) from error


async def _stream(
    request: web.Request, bucket: Bucket, found: StoredObject, sent: Sent
) -> web.StreamResponse:
    wanted = request.http_range
    start = wanted.start or 0
    start = max(0, found.size + start) if start < 0 else start
    stop = min(wanted.stop if wanted.stop is not None else found.size, found.size)
    is_part = wanted.start is not None
    response = web.StreamResponse(status=206 if is_part else 200, headers=sent.headers)
    response.headers["Accept-Ranges"] = "bytes"
    response.content_length = stop - start
    if is_part:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    body = await asyncio.to_thread(bucket.open_range, found.key, start, found.version)
    try:
        await response.prepare(request)
        left = stop - start
        while left > 0:
            data = await asyncio.to_thread(body.read, min(_CHUNK_BYTES, left))
            if not data:
                break
            left -= len(data)
            await response.write(data)
        if left:
            assert request.transport is not None
            request.transport.abort()  # what is told as whole must not end early without a sign
    except OSError:
        if not response.prepared:
            raise
        if request.transport is not None:
            request.transport.abort()
    finally:
        await asyncio.to_thread(body.close)
    return response


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
        {
            200: ("The file", "video/mp4"),
            206: ("A part of it", "video/mp4"),
            302: ("It is played from the bucket, at the address in Location", None),
        },
        query=PlaybackQuery,
    ),
)
