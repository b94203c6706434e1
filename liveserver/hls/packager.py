"""The node's end of the packaging process (`sfu.child`): fed, watched, and what it makes handed on.

One process serves all lessons of a node. Nothing here waits: what it cannot follow is dropped, and it goes on
from the next keyframe.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from liveserver.clock import Clock
from liveserver.confined.framing import WireError
from liveserver.log import Event, get_logger
from liveserver.packaging.wire import (
    Decoder,
    Forget,
    Frame,
    Init,
    Lost,
    Message,
    Part,
    Ready,
    Report,
    ToProcess,
    encode,
)
from liveserver.sfu.child import Bounds, Child

QUEUE_BYTES = 8_000_000
READY_NS = 15_000_000_000
SILENCE_NS = 5_000_000_000  # fed for so long without a part, it hangs
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0)  # before each further start; the last is repeated
MAX_BYTES_PER_S = 400_000_000
MAX_MESSAGES_PER_S = 50_000
_log = get_logger()


class Listener(Protocol):
    """Whose lane it is. Called on the main loop; must not block."""

    def begun(self) -> None:
        """A process runs that knows nothing of the lane."""

    def interrupted(self) -> None:
        """The process has ended; another follows."""

    def init(self, init: Init) -> None: ...

    def part(self, part: Part) -> None: ...

    def lost(self) -> None:
        """It cannot go on without a keyframe."""


class Packager:
    """Starts with the first lane and stays. `counters` are for metrics."""

    def __init__(self, clock: Clock, command: Sequence[str] = ()):
        self.counters: Counter[str] = Counter()
        self._clock = clock
        self._lanes: dict[int, Listener] = {}
        self._last = 0
        self._task: asyncio.Task[None] | None = None
        bounds = Bounds(PAUSES_S, MAX_BYTES_PER_S, MAX_MESSAGES_PER_S, for_ever=True)
        command = command or [sys.executable, "-m", "liveserver.packaging"]
        self._child: Child[Message] = Child(
            command, self, clock, bounds, _decoding, trouble=Event.PACKAGING_FAILED
        )
        self.begun()

    @property
    def is_ready(self) -> bool:
        """Whether it listens."""
        return self._said_ready and self._child.is_running

    @property
    def pid(self) -> int | None:
        return self._child.pid

    def start(self) -> None:
        """Start the process, once."""
        if self._task is None:
            self._task = asyncio.create_task(self._child.run(), name="packager")

    async def stop(self) -> None:
        """End the process; when this returns it is gone."""
        self._child.close()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def open(self, listener: Listener) -> int:
        """A lane for `listener`, who is told at once when a process runs."""
        self._last = (self._last + 1) & 0xFFFFFFFF
        self._lanes[self._last] = listener
        if self.is_ready:
            listener.begun()
        return self._last

    def close(self, lane: int) -> None:
        self._lanes.pop(lane, None)
        self._fed.pop(lane, None)
        self._tell(Forget(lane))

    def feed(self, frame: Frame) -> None:
        """Queue one frame, or drop it."""
        if not self.is_ready:
            return
        message = encode(frame)
        if self._child.queued_bytes + len(message) > QUEUE_BYTES:
            self.counters["dropped"] += 1
            return
        self.counters["fed"] += 1
        self._fed.setdefault(frame.lane, self._clock.monotonic_ns())
        self._child.send(message)

    def report(self, report: Report) -> None:
        self._tell(report)

    def watch(self, now_ns: int) -> None:
        """Several times a second: end a process that hangs."""
        if not self._child.is_running:
            return
        if not self.is_ready:
            if now_ns - self._child.started_ns > READY_NS:
                self._child.end("it did not become ready")
        elif any(now_ns - fed_ns > SILENCE_NS for fed_ns in self._fed.values()):
            self._child.end("it is fed and sends nothing")

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        names = ("fed", "dropped", "parts", "restarts")
        return {f"{name}_total": float(self.counters[name]) for name in names} | {
            "lessons": float(len(self._lanes))
        }

    def _tell(self, message: ToProcess) -> None:
        if self.is_ready and self._child.queued_bytes < QUEUE_BYTES:
            self._child.send(encode(message))

    # --- what becomes of the process (`sfu.child.Owner`) ---

    def begun(self) -> None:
        self._said_ready = False
        self._fed: dict[int, int] = {}  # lane → when it was fed first since its last part

    def heard(self, message: Message) -> None:
        if isinstance(message, Ready) and not self._said_ready:
            self._said_ready = True
            for each in list(self._lanes.values()):
                each.begun()
            return
        if not self._said_ready or not isinstance(message, Init | Part | Lost):
            raise WireError(f"{type(message).__name__} out of turn")
        listener = self._lanes.get(message.lane)
        if listener is None:
            return  # closed while this was on its way
        match message:
            case Init():
                listener.init(message)
            case Part():
                self.counters["parts"] += 1
                self._fed.pop(message.lane, None)
                self._child.settle()
                listener.part(message)
            case Lost():
                listener.lost()

    def interrupted(self, why: str) -> None:
        self.counters["restarts"] += 1
        _log.warning(Event.PACKAGING_RESTARTING, why=why)
        for each in list(self._lanes.values()):
            each.interrupted()

    def failed(self) -> None:
        """Never: it is started again for ever."""


def _decoding() -> Callable[[bytes], Sequence[Message]]:
    return Decoder().feed
