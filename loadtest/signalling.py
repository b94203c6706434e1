"""WHIP (RFC 9725) and WHEP from the client's side, over aiohttp: one offer, one answer, one DELETE."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from urllib.parse import urljoin

import aiohttp
from aiortc import RTCPeerConnection, RTCSessionDescription

log = logging.getLogger("loadtest")

# Statuses after which coming back makes no sense: bad request, no right, unknown lesson, no codec.
FINAL_STATUSES = frozenset({400, 401, 403, 404, 413, 415, 422})
TIMEOUT = aiohttp.ClientTimeout(total=10)
BUSY_MOST = 6


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """The server answered an offer with another status than 201."""

    def __init__(self, status: int, body: str):
        super().__init__(f"HTTP {status}: {body[:300]}")
        self.status = status

    @property
    def final(self) -> bool:
        return self.status in FINAL_STATUSES or self.ended

    @property
    def ended(self) -> bool:
        """A cut lesson may be restored, one that has ended stays so; both answer 410."""
        return self.status == 410 and "lesson_ended" in str(self)


class Signalling:
    """One WHIP or WHEP session of `connection`, and what its `control` channel said at the end."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str, connection: RTCPeerConnection):
        self._http, self._url, self._connection = http, url, connection
        self._headers = {"Authorization": f"Bearer {token}"}
        self._resource: str | None = None
        self.connected = asyncio.Event()
        self.gone = asyncio.Event()  # the connection is lost or the server has taken leave
        self.dismissed = False  # the server closed the session, it was not the network that broke
        self.farewell: str | None = None  # "replaced", "cut" or "ended": do not come back
        self.heard = asyncio.Event()  # a message came; whoever waits for the next one clears it
        self.messages: list[Mapping[str, object]] = []  # the newest 100 of the control channel
        connection.on("connectionstatechange", self._state_changed)
        self._channel = connection.createDataChannel("control")
        self._channel.on("message", self._heard)

    async def connect(self) -> None:
        """Offer, answer; raises Refusal, aiohttp.ClientError or TimeoutError.

        A server that is busy is asked again when it says (Retry-After), as the pages do, but not for ever.
        """
        await self._connection.setLocalDescription(await self._connection.createOffer())
        for _ in range(BUSY_MOST):
            pause_s = await self._offer(self._connection.localDescription.sdp)
            if pause_s is None:
                return
            await asyncio.sleep(pause_s)
        raise Refusal(503, "still busy")

    async def _offer(self, offer: str) -> float | None:
        """How long to wait before the next try; None once the answer is there."""
        headers = {**self._headers, "Content-Type": "application/sdp"}
        async with self._http.post(self._url, data=offer, headers=headers, timeout=TIMEOUT) as response:
            answer, again = await response.text(), response.headers.get("Retry-After", "")
            if response.status == 503 and again.isdecimal():
                return float(again)
            if response.status != 201:
                raise Refusal(response.status, answer)
            self._resource = urljoin(self._url, response.headers["Location"])
        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return None

    def send(self, message: Mapping[str, object]) -> None:
        self._channel.send(json.dumps(message))

    def send_bytes(self, data: bytes) -> None:
        """A piece of what the message before announced."""
        self._channel.send(data)

    async def close(self) -> None:
        """Leave in good order; a server that is away already is none of our business."""
        if self._resource:
            try:
                async with self._http.delete(self._resource, headers=self._headers, timeout=TIMEOUT):
                    pass
            except (aiohttp.ClientError, TimeoutError) as error:
                log.info("leave not heard: %s", error)
        await self._connection.close()

    def _state_changed(self) -> None:
        if self._connection.connectionState == "connected":
            self.connected.set()
        if self._connection.connectionState in ("failed", "closed"):
            self.dismissed = self._connection.connectionState == "closed"
            self.gone.set()

    def _heard(self, text: str | bytes) -> None:
        message = json.loads(text)
        self.messages = [*self.messages[-99:], message]
        self.heard.set()
        match message:
            case {"type": "replaced"}:
                self.farewell = "replaced"
            case {"type": "cut", "active": True, "level": "lesson"}:
                self.farewell = "cut"
            case {"type": "lesson", "state": "ended"}:
                self.farewell = "ended"
            case _:
                return
        self.gone.set()
