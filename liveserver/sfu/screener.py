"""The node's end of one screen process (`sfu.child`): whose frame comes next, what it said, whether it hangs.

A few frames are in the process at a time; the others wait in their lanes, where the newest can still
overtake. Lessons take turns by the CPU time that they have cost: one that moves much cannot starve others.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from liveserver.clock import Clock
from liveserver.confined.framing import WireError
from liveserver.log import Event, get_logger
from liveserver.screen.wire import (
    Alive,
    Close,
    Decoder,
    Done,
    Found,
    List,
    Looked,
    Lost,
    Message,
    Open,
    Passed,
    Ready,
    Refused,
    encode,
)
from liveserver.sfu.child import Bounds, Child
from liveserver.sfu.screen_lane import ScreenLane

WINDOW = 3  # frames in the process: one at work, and no waiting for the next
READY_NS = 15_000_000_000  # a busy machine starts it within seconds
# Fed and without a word it hangs when it is stopped, has used so much CPU since, or after so long whatever it
# does; with its start it is back within 5 s (REL-G11). One that is only slow on a busy machine is let be.
STOPPED_NS = 500_000_000
BUSY_S = 2.0
SILENCE_NS = 10_000_000_000
PAUSES_S = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0)  # before each start that follows; it is never given up
# What it may send: evidence of half a megabyte for some lessons a second, a dozen messages a frame.
MAX_BYTES_PER_S = 30_000_000
MAX_PARTS_PER_S = 20_000
_LEAST_COST_US = 500
_KILLED = (-signal.SIGKILL, -signal.SIGTERM)  # from outside: no frame's fault
_log = get_logger()


class Listener(Protocol):
    """Who owns a lane. Called on the main loop; must not block."""

    def passed(self, lane: ScreenLane, message: Passed) -> None: ...

    def looked(self, lane: ScreenLane, message: Looked) -> None: ...

    def found(self, lane: ScreenLane, message: Found) -> None: ...

    def blamed(self, why: str) -> None:
        """The process died at work on a frame of this lesson."""


class _Fed(NamedTuple):
    lane: int
    number: int
    sent_ns: int


class Screener:
    """One process at a time; `run` is its life."""

    def __init__(self, command: Sequence[str], clock: Clock):
        self.counters: Counter[str] = Counter()
        self.lists: dict[str, bytes] = {}
        self._lanes: dict[int, tuple[ScreenLane, Listener]] = {}
        self._made = 0
        self._in_work: deque[_Fed] = deque()
        self._turn_us = 0  # what the lesson had cost whose turn was last
        self._heard_ns = 0
        self._silent_cpu_s: float | None = None  # what it had used when it fell silent
        self._said_ready = self._was_stopped = False
        self._clock = clock
        bounds = Bounds(PAUSES_S, MAX_BYTES_PER_S, MAX_PARTS_PER_S, for_ever=True)
        self._child: Child[Message] = Child(
            command, self, clock, bounds, _decoding, trouble=Event.SCREEN_PROCESS_FAILED
        )

    @property
    def is_ready(self) -> bool:
        """Whether it looks at what it is given."""
        return self._said_ready and self._child.is_running

    @property
    def is_new(self) -> bool:
        """Whether none has been ready yet and none has failed."""
        return not self._said_ready and not self.restarts

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def restarts(self) -> int:
        """Starts after the first."""
        return self._child.restarts

    @property
    def waiting(self) -> int:
        """Frames that wait for it or are in it."""
        return len(self._in_work) + sum(len(lane.waiting) for lane, _ in self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    async def run(self) -> None:
        """Until `close`."""
        await self._child.run()

    def close(self) -> None:
        """End it at once; `run` returns soon."""
        self._child.close()

    # --- lanes ---

    def open(self, lane: ScreenLane, listener: Listener) -> None:
        """Look at this track from now on; again for the same lane: by other rules, or as another source."""
        self.close_lane(lane)
        self._made += 1
        lane.id = self._made
        self._lanes[lane.id] = (lane, listener)
        self.change(lane)

    def change(self, lane: ScreenLane) -> None:
        """The lane's mode or rules are others now."""
        if self.is_ready and lane.id in self._lanes:
            self._child.send(encode(Open(lane.id, lane.source.track, lane.mode, lane.rules)))

    def close_lane(self, lane: ScreenLane) -> None:
        if self._lanes.pop(lane.id, None) is not None and self.is_ready:
            self._child.send(encode(Close(lane.id)))

    def use_list(self, name: str, rows: bytes) -> None:
        """From now on these are the words of the list `name` (TSV)."""
        if self.lists.get(name, b"") == rows:
            return
        self.lists[name] = rows
        if self.is_ready:
            self._child.send(encode(List(name, rows)))

    def pump(self) -> None:
        """Give it what it may have."""
        while self.is_ready and len(self._in_work) < WINDOW:
            lane = min(self._wanting(), key=lambda one: one.account.spent_us, default=None)
            if lane is None:
                return
            now_ns = self._clock.monotonic_ns()
            # Who had nothing to look at for a while has not saved it up.
            lane.account.spent_us = self._turn_us = max(lane.account.spent_us, self._turn_us)
            frame = lane.next(now_ns)
            assert frame is not None
            self._in_work.append(_Fed(lane.id, frame.number, now_ns))
            self._child.send(encode(frame))

    def watch(self, now_ns: int) -> None:
        """Several times a second: end a process that hangs; see that lanes keep up."""
        if self._child.is_running:
            if not self._said_ready:
                if now_ns - self._child.started_ns > READY_NS:
                    self._child.end("it did not become ready")
            elif self._in_work and self._hangs(now_ns):
                self._child.end("it is fed and says nothing")
        for lane, _ in self._lanes.values():
            lane.keep_up(now_ns, is_served=self.is_ready)

    def _hangs(self, now_ns: int) -> bool:
        silent_ns = now_ns - max(self._in_work[0].sent_ns, self._heard_ns)
        if silent_ns <= STOPPED_NS // 2:
            return False
        state, cpu_s = self._child.vitals()
        if self._silent_cpu_s is None:
            self._silent_cpu_s = cpu_s
        self._was_stopped = state in "Tt" and silent_ns > STOPPED_NS
        return self._was_stopped or cpu_s - self._silent_cpu_s > BUSY_S or silent_ns > SILENCE_NS

    def _wanting(self) -> list[ScreenLane]:
        return [lane for lane, _ in self._lanes.values() if lane.waiting]

    # --- what becomes of the process (`sfu.child.Owner`) ---

    def begun(self) -> None:
        self._said_ready = self._was_stopped = False
        self._in_work = deque()

    def heard(self, message: Message) -> None:
        self._heard_ns, self._silent_cpu_s = self._clock.monotonic_ns(), None
        match message:
            case Ready():
                self._begin()
            case Refused(reason):
                _log.error(Event.SCREENING_LACKS, model="pictures", error=reason)
            case _ if not self._said_ready:
                raise WireError(f"{type(message).__name__} before it was ready")
            case Done(lane_id, number, cost_us):
                self._done(lane_id, number, cost_us)
            case Alive():
                return
            case Passed() | Looked() | Found() | Lost():
                known = self._lanes.get(message.lane)
                if known is not None:  # else it has been closed meanwhile
                    self._tell(*known, message)
            case _:
                raise WireError(f"{type(message).__name__} out of turn")

    def interrupted(self, why: str) -> None:
        self.counters["restarts"] += 1
        is_suspect = self._child.is_ended or self._child.exit_code not in _KILLED
        _log.warning(Event.SCREEN_PROCESS_RESTARTING, why=why, tracks=len(self._lanes))
        culprit = self._lanes.get(self._in_work[0].lane) if self._in_work else None
        for lane, _ in list(self._lanes.values()):
            lane.restart()
        if culprit is not None and is_suspect and not self._was_stopped:
            culprit[1].blamed(why)

    def failed(self) -> None:
        """It is never given up."""

    def _begin(self) -> None:
        if self._said_ready:
            raise WireError("twice ready")
        self._said_ready = True
        self._child.settle()
        for name, rows in self.lists.items():
            self._child.send(encode(List(name, rows)))
        for lane, _ in self._lanes.values():
            lane.restart()
            self.change(lane)
        self.pump()

    def _done(self, lane_id: int, number: int, cost_us: int) -> None:
        if not self._in_work or self._in_work[0][:2] != (lane_id, number):
            raise WireError("a frame is done that was not next")
        self._in_work.popleft()
        self.counters["frames"] += 1
        self.counters["cpu_us"] += cost_us
        known = self._lanes.get(lane_id)
        if known is not None:
            lane, _ = known
            lane.done()
            lane.account.spent_us += max(cost_us, _LEAST_COST_US)
            lane.account.total_us += cost_us
        self.pump()

    def _tell(self, lane: ScreenLane, listener: Listener, message: Passed | Looked | Found | Lost) -> None:
        match message:
            case Passed():
                listener.passed(lane, message)
            case Looked():
                self.counters["looks"] += 1
                listener.looked(lane, message)
            case Found():
                self.counters["findings"] += 1
                listener.found(lane, message)
            case Lost():
                lane.lost()


def _decoding() -> Callable[[bytes], Sequence[Message]]:
    return Decoder().feed


def screen_command(width: int, folder: Path | None) -> list[str]:
    """How the process is started."""
    command = [sys.executable, "-m", "liveserver.screen", str(width)]
    return command if folder is None else [*command, str(folder)]
