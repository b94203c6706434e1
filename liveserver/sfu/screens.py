"""The node's screening: its processes, which lesson each of them looks at, and their beat."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from liveserver.clock import Clock
from liveserver.core.screening import Finding, Policy, Seeing, Sight
from liveserver.log import Event, get_logger
from liveserver.rtp.fanout import Fanout
from liveserver.sfu.gate import Gate, Schedule
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.screen import Screen
from liveserver.sfu.screener import Screener

_TICK_S = 0.1
_log = get_logger()


class Watcher(Protocol):
    """Who is told what was seen. Called on the main loop; must not block."""

    def looked(
        self, lesson: str, track: str, at_ms: int, scores: Mapping[str, float], thumbnail: bytes
    ) -> None:
        """A picture of `track` was scored. `thumbnail`: a JPEG of at most 320x180, or empty."""

    def found(self, lesson: str, finding: Finding) -> None:
        """A picture for which the lesson's policy asks for something to be done."""

    def sight(self, lesson: str, sight: Sight, why: str) -> None:
        """How well the lesson is seen has changed."""


class Screens:
    """The node's: `policy` says by what a lesson is screened now. Processes start with the first lesson."""

    def __init__(
        self,
        fanout: Fanout,
        pacer: Pacer,
        clock: Clock,
        schedule: Schedule,
        watcher: Watcher,
        policy: Callable[[str], Policy],
        *,
        command: Sequence[str],
        workers: int = 1,
    ):
        self.clock = clock
        self.watcher = watcher
        self.policy = policy
        self.counters: Counter[str] = Counter()
        self._fanout = fanout
        self._pacer = pacer
        self._schedule = schedule
        self._screeners = [Screener(command, clock) for _ in range(workers)]
        self._screens: dict[str, Screen] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def of(self, lesson: str) -> Screen:
        """The lesson's, new."""
        self._start()
        screen = self._screens[lesson] = Screen(self, lesson)
        return screen

    def forget(self, screen: Screen) -> None:
        """Its lesson has left this node."""
        if self._screens.get(screen.lesson) is screen:
            del self._screens[screen.lesson]

    def least_busy(self) -> Screener:
        """The process that looks at the fewest tracks."""
        lessons = Counter(id(screen.screener) for screen in self._screens.values())
        return min(self._screeners, key=lambda one: (len(one), lessons[id(one)]))

    def new_gate(self, delay_ns: int) -> Gate:
        return Gate(self._fanout, self._pacer, self.clock, self._schedule, delay_ns)

    def use_list(self, name: str, rows: bytes) -> None:
        """From now on these are the words of the list `name` (TSV) that text in pictures is searched for."""
        for screener in self._screeners:
            screener.use_list(name, rows)

    async def stop(self) -> None:
        """End every process; when this returns none is left."""
        for screen in list(self._screens.values()):
            screen.close()
        for screener in self._screeners:
            screener.close()
        if self._tasks:
            self._tasks[0].cancel()  # the beat
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        totals: Counter[str] = sum((one.counters for one in self._screeners), Counter())
        names = ("frames", "looks", "findings", "restarts")
        seeing = Counter(screen.sight.seeing for screen in self._screens.values())
        lanes = [lane for screen in self._screens.values() for lane in screen.lanes]
        dropped = sum(lane.counters["dropped"] for lane in lanes)
        return {
            **{f"{name}_total": float(totals[name]) for name in names},
            "cpu_seconds_total": totals["cpu_us"] / 1e6,
            "alarms_total": float(self.counters["alarms"]),
            "went_behind_total": float(self.counters[f"became_{Seeing.BEHIND}"]),
            "went_blind_total": float(self.counters[f"became_{Seeing.BLIND}"]),
            "dropped_frames_total": float(self.counters["dropped"] + dropped),
            "waiting_frames": float(sum(one.waiting for one in self._screeners)),
            "processes_ready": float(sum(one.is_ready for one in self._screeners)),
            **{f"lessons_{one}": float(seeing[one]) for one in Seeing},
        }

    def describe(self) -> list[Mapping[str, object]]:
        """For /debug/rooms."""
        return [
            {
                "pid": one.pid,
                "ready": one.is_ready,
                "restarts": one.restarts,
                "tracks": len(one),
                "waiting": one.waiting,
                **one.counters,
            }
            for one in self._screeners
        ]

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._beat(), name="screens tick")]
            self._tasks += [asyncio.create_task(one.run(), name="screen process") for one in self._screeners]

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            now_ns = self.clock.monotonic_ns()
            for screener in self._screeners:
                screener.watch(now_ns)
            for screen in list(self._screens.values()):
                try:
                    screen.tick(now_ns)
                except Exception:  # one lesson's failure must not stop the others' beat
                    _log.exception(Event.SCREENING_FAILED, lesson=screen.lesson)
