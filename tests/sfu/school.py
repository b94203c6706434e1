"""Lessons whose pictures go to a screen process, for tests.

The process is a puppet that speaks the real wire (tests/screen/puppet.py); time is moved by the tests.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping

from liveserver.core.screening import (
    Action,
    Category,
    Finding,
    Kind,
    Mode,
    Policy,
    Rule,
    Sight,
)
from liveserver.rtp import header
from liveserver.sfu.screen import Screen
from liveserver.sfu.screens import Screens
from liveserver.sfu.uplink import Uplink
from tests.drivers.process import until
from tests.sfu.hall import Hall

PUPPET = (sys.executable, "-m", "tests.screen.puppet")
RULES = (
    Rule(Kind.FRAME, Category.PORN, 0.5, Action.WARN),
    Rule(Kind.FRAME, Category.PORN, 0.8, Action.BLANK),
)
WATCH = Policy("test", 1, RULES, Mode.WATCH)


async def soon(look: Callable[[], object]) -> None:
    await asyncio.to_thread(until, look, "a process in another state")


class Told:
    """Who is told what was seen; `until` waits for more of it."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, str, int, dict[str, float], bytes]] = []
        self.findings: list[tuple[str, Finding]] = []
        self.sights: list[tuple[str, Sight, str]] = []
        self._changed = asyncio.Event()

    def looked(
        self, lesson: str, track: str, at_ms: int, scores: Mapping[str, float], thumbnail: bytes
    ) -> None:
        self.looks.append((lesson, track, at_ms, dict(scores), thumbnail))
        self._changed.set()

    def found(self, lesson: str, finding: Finding) -> None:
        self.findings.append((lesson, finding))
        self._changed.set()

    def sight(self, lesson: str, sight: Sight, why: str) -> None:
        self.sights.append((lesson, sight, why))
        self._changed.set()

    async def until(self, look: Callable[[Told], object]) -> None:
        async with asyncio.timeout(20):
            while not look(self):
                self._changed.clear()
                await self._changed.wait()

    def seeing(self, lesson: str) -> list[str]:
        return [sight.seeing for of, sight, _ in self.sights if of == lesson]


class Camera:
    """One track of a lesson: its frames are words for the puppet."""

    def __init__(self, hall: Hall, uplink: Uplink, ssrc: int = 1):
        self.hall, self.uplink, self.ssrc = hall, uplink, ssrc
        self.sequence = self.timestamp = 0

    def send(self, word: str = "right", *, key: bool = False, size: int = 0) -> None:
        self.sequence += 1
        self.timestamp += 3600
        payload = b"\x10" + (b"\0" if key else b"\1") + word.encode() + b" " + bytes(size)
        packet = header.parse(
            header.build(
                payload_type=96, sequence=self.sequence, timestamp=self.timestamp, ssrc=self.ssrc,
                payload=payload, marker=True,
            )
        )  # fmt: skip
        if self.uplink.ssrc != self.ssrc:
            self.uplink.adopt(self.ssrc)
        self.uplink.receive(packet, self.hall.clock.now_ns, self.hall.clock.wall_ns)
        self.uplink.flush(self.hall.clock.now_ns)


class School:
    """Lessons with a camera each on one node."""

    def __init__(self, hall: Hall):
        self.hall, self.told = hall, Told()
        self.policies: dict[str, Policy] = {}
        self.screens = self.with_processes(1)
        self.cameras: dict[str, Camera] = {}
        self.open: dict[str, Screen] = {}
        self.holds: list[bool] = []

    def with_processes(self, workers: int, command: tuple[str, ...] = PUPPET) -> Screens:
        self.screens = Screens(
            self.hall.fanout,
            self.hall.pacer,
            self.hall.clock,
            self.hall.clock.schedule,
            self.told,
            lambda lesson: self.policies.get(lesson, WATCH),
            command=command,
            workers=workers,
        )
        return self.screens

    def teach(self, lesson: str = "a", track: str = "camera") -> Camera:
        """A lesson begins."""
        screen = self.open[lesson] = self.screens.of(lesson)
        screen.on_hold = lambda held, now_ns: self.holds.append(held)
        uplink = self.hall.source(track, "vp8").uplink
        camera = self.cameras[lesson] = Camera(self.hall, uplink)
        screen.publish([uplink])
        return camera

    async def ready(self) -> None:
        await soon(lambda: all(screener.is_ready for screener in self.screens._screeners))

    async def looked_at(self, lesson: str, count: int) -> None:
        await self.told.until(lambda told: sum(look[0] == lesson for look in told.looks) >= count)

    def tick(self, ms: int = 0) -> None:
        """So much later, all that is done several times a second."""
        self.hall.clock.advance(ms)
        now_ns = self.hall.clock.now_ns
        for screener in self.screens._screeners:
            screener.watch(now_ns)
        for screen in self.open.values():
            screen.tick(now_ns)

    def sight(self, lesson: str = "a") -> Sight:
        return self.open[lesson].sight
