"""WHEP and WHIP (RFC 9725) over HTTP: an offer, an answer, a DELETE."""

from __future__ import annotations

import logging
from urllib.parse import urljoin

import aiohttp

from loadtest.swarm import sdp
from loadtest.swarm.sdp import Ours, Theirs

log = logging.getLogger("loadtest")
_TIMEOUT = aiohttp.ClientTimeout(total=60)


class RefusedError(Exception):
    """The server answered an offer with another status than 201. `retry_after_s`: when to come again."""

    def __init__(self, status: int, body: str, retry_after_s: int | None = None):
        super().__init__(f"HTTP {status}: {body[:300]}")
        self.status, self.retry_after_s = status, retry_after_s


class Whep:
    """One session at `url`. Without a token no Authorization is sent."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str | None):
        self._http, self._url = http, url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._resource: str | None = None

    async def open(self, ours: Ours) -> Theirs:
        """Offer to view. RefusedError, UnsuitableError, aiohttp.ClientError, TimeoutError."""
        return await self.post(sdp.viewer_offer(ours))

    async def post(self, offer: str) -> Theirs:
        headers = {**self._headers, "Content-Type": "application/sdp"}
        async with self._http.post(self._url, data=offer, headers=headers, timeout=_TIMEOUT) as response:
            answer = await response.text()
            if response.status != 201:
                advice = response.headers.get("Retry-After", "")
                raise RefusedError(response.status, answer, int(advice) if advice.isdecimal() else None)
            if "Location" in response.headers:
                self._resource = urljoin(self._url, response.headers["Location"])
        return sdp.read(answer)

    async def close(self) -> None:
        """Leave in good order; a server that is away already is none of our business."""
        if self._resource is None:
            return
        try:
            async with self._http.delete(self._resource, headers=self._headers, timeout=_TIMEOUT):
                pass
        except (aiohttp.ClientError, TimeoutError) as error:
            log.info("leave not heard: %s", error)
