"""The pages' shells and their static files. What a page may load and reach is in its CSP header."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

import web as lectern
from liveserver.core.errors import PeerError
from liveserver.http.assets import Asset, folder
from liveserver.http.context import AnyCall, base_url
from liveserver.http.routes import LESSON, RECORDING, Handler, Route, Scope

_ADDRESSES = {
    "portal": "/",
    "teach": f"/teach/{LESSON}",
    "learn": f"/learn/{LESSON}",
    "moderate": "/moderate",
    "admin": "/admin",
    "inspect": "/inspect",
    "watch": f"/watch/{RECORDING}",
    "hours": "/hours",
}
# Each page has one shell, filled in per address people come by; those are few, and clients choose them.
_MAX_SHELLS = 64


def control_url(call: AnyCall) -> str:
    """Where a page on this request's host reaches the control port, `""` where there is none.

    The guard listens beside the public port, so what people call this host is used with its port.
    """
    configured = call.services.config.control.base_url
    if configured or not call.services.control_url:
        return configured
    control, here = urlsplit(call.services.control_url), urlsplit(base_url(call.request))
    host = f"[{here.hostname}]" if ":" in (here.hostname or "") else here.hostname
    return f"{control.scheme}://{host}:{control.port}"


def policy(origin: str, control: str, media: str = "") -> str:
    """The Content-Security-Policy of a page at `origin`: its own files, its own sockets, the control port,
    and `media`, where recordings are played from when that is elsewhere."""
    socket = origin.replace("http", "ws", 1)
    reach = " ".join(filter(None, ("'self'", socket, control)))
    shown = " ".join(filter(None, ("'self'", "blob:", media)))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        f"font-src 'self'; media-src {shown}; connect-src {reach}; manifest-src 'self'; "
        "worker-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class Shells:
    """The filled-in shells, kept by page and control address."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Asset] = {}

    def handler(self, page: str) -> Handler:
        async def show(call: AnyCall) -> web.Response:
            control = control_url(call)
            headers = {
                "Content-Security-Policy": policy(
                    base_url(call.request), control, call.services.config.objects.s3_public_url.rstrip("/")
                ),
                "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
                "X-Frame-Options": "DENY",
            }
            return self._shell(page, control).answer(call.request, headers)

        return show

    def _shell(self, page: str, control: str) -> Asset:
        key = (page, control)
        if key not in self._kept:
            if len(self._kept) >= _MAX_SHELLS:
                self._kept.clear()
            self._kept[key] = Asset.of(lectern.shell(page, control).encode(), "text/html")
        return self._kept[key]


def _static() -> Handler:
    files = folder(lectern.root() / "static")

    async def static(call: AnyCall) -> web.Response:
        found = files.get(call.request.match_info["file"])
        if found is None:
            raise PeerError("not_found", "there is no such file", status=404)
        return found.answer(call.request)

    return static


def routes() -> tuple[Route, ...]:
    """The pages and their files, read from the package now."""
    shells = Shells()
    shown = [
        Route(
            "GET", path, shells.handler(page), f"The page {page}", Scope.OPEN, {200: ("A page", "text/html")}
        )
        for page, path in _ADDRESSES.items()
    ]
    files = Route(
        "GET",
        "/static/{file:.{1,200}}",
        _static(),
        "Scripts, styles and texts of the pages",
        Scope.OPEN,
        {200: ("The file", "application/octet-stream"), 304: ("Unchanged", None)},
    )
    return (*shown, files)
