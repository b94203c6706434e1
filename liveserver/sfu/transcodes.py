"""The node's transcode processes: which lessons have one, which wait for one, and their beat."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from liveserver.clock import Clock
from liveserver.log import Event, get_logger
from liveserver.rtp.fanout import Fanout
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.transcode import Transcode
from liveserver.sfu.transcoder import Transcoder, transcode_command

LINGER_NS = 5_000_000_000  # a reload of the page must not start the process anew
_TICK_S = 0.1
_log = get_logger()


class Transcodes:
    """The node's: who may have a process, and the beat of those that run. `maximum` 0: nobody."""

    def __init__(
        self,
        fanout: Fanout,
        pacer: Pacer,
        clock: Clock,
        *,
        maximum: int = 2,
        max_bitrate_bps: int = 2_500_000,
        linger_ns: int = LINGER_NS,
        command: Sequence[str] = (),
    ):
        self.fanout = fanout
        self.pacer = pacer
        self.clock = clock
        self.linger_ns = linger_ns
        self.counters: Counter[str] = Counter()
        self.maximum = maximum
        self._command = command or transcode_command(max_bitrate_bps)
        self._running: dict[Transcode, Transcoder] = {}
        self._waiting: dict[Transcode, None] = {}  # in the order they came
        self._tasks: set[asyncio.Task[None]] = set()
        self._beat: asyncio.Task[None] | None = None

    def of(self, lesson: str) -> Transcode:
        return Transcode(self, lesson)

    @property
    def running(self) -> int:
        return len(self._running)

    def begin(self, transcode: Transcode) -> Transcoder | None:
        """A process for this lesson, or None when the node has as many as it may."""
        if len(self._running) >= self.maximum:
            self._waiting[transcode] = None
            return None
        self.withdraw(transcode)
        self.counters["started"] += 1
        transcoder = Transcoder(self._command, transcode, self.clock)
        self._running[transcode] = transcoder
        self._keep(asyncio.create_task(transcoder.run(), name="transcode"))
        if self._beat is None:
            self._beat = asyncio.create_task(self._tick(), name="transcodes tick")
        return transcoder

    def end(self, transcode: Transcode) -> None:
        """Its process is ending: those who wait may have its place."""
        if self._running.pop(transcode, None) is None:
            return
        for other in list(self._waiting):
            if len(self._running) >= self.maximum:
                break
            self.withdraw(other)
            other.on_change()  # it may be that nobody there needs one any more

    def withdraw(self, transcode: Transcode) -> None:
        """It waits no longer."""
        self._waiting.pop(transcode, None)

    async def stop(self) -> None:
        """End every process; when this returns none is left."""
        self.maximum = 0
        self._waiting.clear()
        for transcode in list(self._running):
            transcode.close()
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        names = ("started", "restarts", "failed", "refused")
        return {f"{name}_total": float(self.counters[name]) for name in names} | {
            "running": float(len(self._running)),
            "waiting": float(len(self._waiting)),
            "viewers": float(sum(len(lane.uplink.downlinks) for t in self._running for lane in t.lanes)),
        }

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tick(self) -> None:
        while self._running:
            await asyncio.sleep(_TICK_S)
            now_ns = self.clock.monotonic_ns()
            for transcode in list(self._running):
                try:
                    transcode.tick(now_ns)
                except Exception:  # one lesson's failure must not stop the others' beat
                    _log.exception(Event.TRANSCODE_FAILED)
                    transcode.close()
        self._beat = None
