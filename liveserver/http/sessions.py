"""What WHIP (RFC 9725) and WHEP have in common: a session is made by POST, patched, and left by DELETE."""

from __future__ import annotations

from aiohttp import web

from liveserver.http.context import AnyCall, base_url
from liveserver.http.ports import Answer

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"


def created(call: AnyCall, prefix: str, answer: Answer) -> web.Response:
    """201 with the session's absolute address, its entity tag and the SDP answer (RFC 9725 4.2)."""
    location = f"{base_url(call.request)}{prefix}/{call.lesson}/{answer.session_id}"
    return web.Response(
        status=201,
        body=answer.sdp.encode(),
        headers={"Content-Type": SDP, "Location": location, "ETag": quoted(answer.etag)},
    )


async def patch(call: AnyCall) -> web.Response:
    """Trickled candidates → 204; an ICE restart → 200 with the server's new credentials (RFC 9725 4.3)."""
    session = call.request.match_info["session"]
    done = await call.services.rooms.patch(
        session, call.bearer, call.body, unquoted(call.request.headers.get("If-Match"))
    )
    headers = {"ETag": quoted(done.etag)}
    if done.status == 204:
        return web.Response(status=204, headers=headers)
    return web.Response(
        status=done.status, body=done.body.encode(), headers={**headers, "Content-Type": FRAGMENT}
    )


async def leave(call: AnyCall) -> web.Response:
    """Ends the session → 200 (RFC 9725 4.2)."""
    await call.services.rooms.leave(call.request.match_info["session"], call.bearer)
    return web.Response()


def quoted(etag: str) -> str:
    """An entity tag as it stands in a header (RFC 9110 8.8.3)."""
    return f'"{etag}"'


def unquoted(if_match: str | None) -> str | None:
    """The entity tag of an If-Match header without its quotes; `*` stays what it is."""
    if if_match is None:
        return None
    return if_match.strip().removeprefix("W/").strip('"')
