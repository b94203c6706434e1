"""A mountpoint of Janus' streaming plugin, through its HTTP interface: the server offers, and we answer.

https://janus.conf.meetecho.com/docs/rest.html, https://janus.conf.meetecho.com/docs/streaming.html
"""

from __future__ import annotations

import secrets
from typing import Any

import aiohttp

from loadtest.swarm import sdp
from loadtest.swarm.sdp import Ours, Theirs, UnsuitableError
from loadtest.swarm.whep import RefusedError

_TIMEOUT = aiohttp.ClientTimeout(total=30)
_POLLS = 10  # events until the offer; others may come before it


class Janus:
    """One viewer of mountpoint `number`; `url` ends in /janus."""

    def __init__(self, http: aiohttp.ClientSession, url: str, number: int):
        self._http, self._url, self._number = http, url.rstrip("/"), number
        self._session = ""

    async def open(self, ours: Ours) -> Theirs:
        """Take the server's offer and answer it. RefusedError, UnsuitableError, aiohttp.ClientError."""
        self._session = f"{self._url}/{(await self._post(self._url, janus='create'))['data']['id']}"
        attached = await self._post(self._session, janus="attach", plugin="janus.plugin.streaming")
        handle = f"{self._session}/{attached['data']['id']}"
        await self._post(handle, janus="message", body={"request": "watch", "id": self._number})
        theirs = sdp.read(await self._offer())
        answer = {"type": "answer", "sdp": sdp.answer(ours, theirs)}
        await self._post(handle, janus="message", body={"request": "start"}, jsep=answer)
        return theirs

    async def close(self) -> None:
        if self._session:
            try:
                await self._post(self._session, janus="destroy")
            except (aiohttp.ClientError, TimeoutError, RefusedError):
                self._session = ""  # it is away already

    async def _offer(self) -> str:
        for _ in range(_POLLS):
            async with self._http.get(self._session, timeout=_TIMEOUT) as response:
                event = await response.json()
            if "jsep" in event:
                return str(event["jsep"]["sdp"])
            failure = event.get("plugindata", {}).get("data", {}).get("error")
            if failure:
                raise RefusedError(200, f"Janus: {failure}")
        raise UnsuitableError("Janus made no offer")

    async def _post(self, url: str, **message: Any) -> dict[str, Any]:
        body = {"transaction": secrets.token_hex(6), **message}
        async with self._http.post(url, json=body, timeout=_TIMEOUT) as response:
            answer: dict[str, Any] = await response.json()
        if answer.get("janus") not in ("success", "ack"):
            raise RefusedError(response.status, f"Janus: {answer.get('error', {}).get('reason', answer)}")
        return answer
