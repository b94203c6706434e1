"""Whoever was not let in, as lines in the log: some a second, the rest as a number (REL-A2)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

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
        resource = request.match_info.route.resource
        asked = (request.method, resource.canonical if resource else None)
        now_ns = request.app[EDGE].clock.monotonic_ns()
        self.note_of(asked, lambda: client_of(request).address, code, status, now_ns)

    def note_of(
        self, asked: tuple[str, str | None], address: Callable[[], str], code: str, status: int, now_ns: int
    ) -> None:
        """As `note`, of a method and route that were asked for from an address."""
        if not self._rate.allows(now_ns):
            self._unsaid += 1
            return
        unsaid, self._unsaid = self._unsaid, 0
        method, route = asked
        _log.warning(
            Event.HTTP_REFUSED,
            code=code,
            status=status,
            method=method,
            route=route,
            client=hmac.digest(self._key, address().encode(), "sha256").hex()[:12],
            **({"unsaid_before": unsaid} if unsaid else {}),
        )


REFUSALS = web.AppKey("refusals", Refusals)
