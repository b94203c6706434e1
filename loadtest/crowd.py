"""All learners of one lesson on WebSockets: they come, beat, hear, lose their connections and come back."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from loadtest import frames
from loadtest.classroom import Classroom
from loadtest.hearing import Hearing, Report
from loadtest.learner_socket import Learner

AT_ONCE = 40
"""Connections that have not said what they want; one address may have 50 (`http.unfinished_per_address`)."""
_STEP_S = 0.05


class Crowd:
    """All learners of one lesson, with one task for all heartbeats."""

    def __init__(self, classroom: Classroom, tokens: Sequence[str]):
        self._room = classroom
        self._tokens = tokens
        self._gate = asyncio.Semaphore(AT_ONCE)
        parts = urlsplit(classroom.socket_url)
        self._address = socket.gethostbyname(parts.hostname or ""), parts.port or 80
        self._tls = ssl.create_default_context() if parts.scheme == "wss" else None
        self._hearing = Hearing()
        self.heartbeats_ns: list[int] = []
        self.gone: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.here: dict[int, Learner] = {}

    async def join(self, numbers: Sequence[int]) -> None:
        await asyncio.gather(*(self._join(number) for number in numbers))

    async def _join(self, number: int, after_s: float = 0.0) -> None:
        await asyncio.sleep(after_s)
        async with self._gate:
            learner = Learner(self._told, self._tls, self._address[0])
            try:
                await learner.join(self._room.socket_url, self._address, self._tokens[number])
            except (OSError, frames.FrameError) as error:
                learner.drop()
                self.failed[str(error) or type(error).__name__] += 1
                return
        learner.gone = self._lost
        self.here[number] = learner

    async def come_back(self, count: int) -> float:
        """`count` of them lose their connection at once; seconds until all are back."""
        numbers = list(self.here)[:count]
        for number in numbers:
            self.here.pop(number).drop()
        began_s = time.monotonic()
        await asyncio.gather(*(self._join(number, random.uniform(0.5, 8.0)) for number in numbers))
        return time.monotonic() - began_s

    async def beat(self, every_s: float) -> None:
        """Heartbeats of all, spread evenly over their interval; 0: none."""
        if not every_s:
            return
        sequence = 0
        while True:
            numbers = list(self.here)
            steps = int(every_s / _STEP_S)
            for step in range(steps):
                for number in numbers[step::steps]:
                    learner = self.here.get(number)
                    if learner is not None:
                        # The number is the time of sending, so that the answer says how long it took.
                        sequence = time.time_ns() // 1000
                        learner.say({"type": "heartbeat", "seq": sequence})
                await asyncio.sleep(_STEP_S)

    async def hear(self, marker: bytes, cause: Callable[[], Any]) -> Report:
        """Who is told a text with `marker` in it after `cause`, and how long after."""
        return await self._hearing.hear(marker, len(self.here), cause)

    def _told(self, payload: bytes, at_ns: int) -> None:
        if not self._hearing.told(payload, at_ns) and payload.startswith(b'{"type":"heartbeat"'):
            self.heartbeats_ns.append(at_ns - json.loads(payload)["seq"] * 1000)

    def _lost(self, learner: Learner) -> None:
        self.gone[str(learner.closed)] += 1
