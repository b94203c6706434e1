"""Whoever was not let in, as lines in the log: some a second, the rest as a number (REL-A2)."""

from __future__ import annotations

import hmac
import secrets

from aiohttp import web

from liveserver.core.rate import MessageRate
from liveserver.http.client import client_of
from liveserver.http.context import EDGE
from liveserver.log import Event, get_logger

_log = get_logger()


class Refusals:
    """Of one application. A client is named by a hash whose key dies with the process, tokens not at all."""

    def __init__(self, now_ns: int):
        self._rate = MessageRate(now_ns)
        self._key = secrets.token_bytes(16)
        self._unsaid = 0

    def note(self, request: web.Request, code: str, status: int) -> None:
        """`code` and `status`: what it was refused with."""
        if not self._rate.allows(request.app[EDGE].clock.monotonic_ns()):
            self._unsaid += 1
            return
        unsaid, self._unsaid = self._unsaid, 0
        route = request.match_info.route.resource
        address = client_of(request).address.encode()
        _log.warning(
            Event.HTTP_REFUSED,
            code=code,
            status=status,
            method=request.method,
            route=route.canonical if route else None,
            client=hmac.digest(self._key, address, "sha256").hex()[:12],
            **({"unsaid_before": unsaid} if unsaid else {}),
        )


REFUSALS = web.AppKey("refusals", Refusals)
