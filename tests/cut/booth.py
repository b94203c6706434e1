"""A guard without a node, for tests: its flags, its files and its real port, and who hears it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liveserver.bus import Bus, MemoryBus
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.core.events.cut import Level
from liveserver.cut.guard import Guard
from liveserver.cut.kills import KillFiles
from liveserver.cut.switch import ACT_TOPIC
from liveserver.http.context import Edge
from liveserver.http.control import control_app
from liveserver.http.listen import listen
from liveserver.metrics import Metrics
from liveserver.rtp.flags import VIDEO, Flags
from liveserver.tokens import Tokens

ROW = 2
MS = 1_000_000


class Booth:
    """A guard over a folder of its own, and the room's part of a node: who is told and says when."""

    def __init__(self, folder: Path, *, lease_ns: int = 5_000 * MS, bus: Bus | None = None, **rules: Any):
        self.folder = folder
        self.bus = bus or MemoryBus()
        self.flags = Flags(4)
        self.clock = Clock()
        self.files = KillFiles(folder)
        self.heard: list[dict[str, Any]] = []
        self.tokens = Tokens(bytes(32))
        self.url = ""
        self.guard = Guard(self.flags, self.files, self.bus, self.clock, lease_ns, self._serve, **rules)
        self.guard.start()

    async def _serve(self, guard: Guard) -> Callable[[], Any]:
        loop = asyncio.get_running_loop()
        self._unsubscribe = self.bus.subscribe(ACT_TOPIC, self.heard.append, loop)
        config = Config()
        app = control_app(Edge(config, self.tokens, Metrics(), self.clock), guard)
        listener = await listen(app, "127.0.0.1", 0, config.http, Metrics())
        self.url = listener.url
        return listener.close

    def run(self, coroutine: Any) -> dict[str, Any]:
        """On the guard's own loop, waited for from this thread."""
        return asyncio.run(self.guard.call(coroutine))

    def cut(
        self, lesson: str = "a", level: Level = Level.LESSON, person: str | None = None
    ) -> dict[str, Any]:
        return self.run(self.guard.cut(lesson, level, "advert", person, "mod"))

    def restore(self, lesson: str = "a", by: str = "mod") -> dict[str, Any]:
        return self.run(self.guard.restore(lesson, "checked", by))

    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.heard]

    def allows(self, kind: int = VIDEO) -> bool:
        return self.flags.allows(ROW, kind, self.clock.monotonic_ns())

    def stop(self) -> None:
        self.guard.stop()
        self.bus.close()
