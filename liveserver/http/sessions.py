"""What WHIP (RFC 9725) and WHEP have in common: a session is made by POST, patched, and left by DELETE."""

from __future__ import annotations

from aiohttp import hdrs, web
from multidict import CIMultiDict

from liveserver.http.context import AnyCall, base_url
from liveserver.http.ports.rooms import Answer

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"


def created(call: AnyCall, prefix: str, answer: Answer) -> web.Response:
    """201 with the session's absolute address, its entity tag and the SDP answer (RFC 9725 4.2)."""
    location = f"{base_url(call.request)}{prefix}/{call.lesson}/{answer.session_id}"
    headers = ice_servers(call)
    headers.update({"Content-Type": SDP, "Location": location, "ETag": quoted(answer.etag)})
    return web.Response(status=201, body=answer.sdp.encode(), headers=headers)


async def show_ice_servers(call: AnyCall) -> web.Response:
    """204 with the relays, for clients that cannot take them after their offer (RFC 9725 4.6)."""
    return web.Response(status=204, headers=ice_servers(call))


def ice_servers(call: AnyCall) -> CIMultiDict[str]:
    """A Link header for each configured relay, with credentials for whoever asks (RFC 9725 4.6)."""
    services, bearer = call.services, call.bearer
    if services.turn is None:
        return CIMultiDict()
    now_s = services.clock.wall_s()
    servers = services.turn.servers(bearer.person, call.lesson, bearer.expires_at_s, now_s)
    headers = CIMultiDict((hdrs.LINK, server.link) for server in servers)
    if headers:
        headers[hdrs.CACHE_CONTROL] = "no-store"
    return headers


async def patch(call: AnyCall) -> web.Response:
    """Trickled candidates → 204; an ICE restart → 200 with the server's new credentials (RFC 9725 4.3)."""
    session = call.request.match_info["session"]
    done = await call.services.rooms.joining.patch(
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
    await call.services.rooms.joining.leave(call.request.match_info["session"], call.bearer)
    return web.Response()


def quoted(etag: str) -> str:
    """An entity tag as it stands in a header (RFC 9110 8.8.3)."""
    return f'"{etag}"'


def unquoted(if_match: str | None) -> str | None:
    """The entity tag of an If-Match header without its quotes; `*` stays what it is."""
    if if_match is None:
        return None
    return if_match.strip().removeprefix("W/").strip('"')
