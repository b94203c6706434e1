"""One track of a lesson on its way to a screen process: what waits for it, and what is left out under load.

A process that does not follow costs the lesson pictures, oldest first, and never the newest keyframe. A
lesson that is watched is then looked at by keyframes alone for a while; one that is screened before it is
shown goes on from the keyframe, and what was left out is not shown.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from liveserver.clock import Clock
from liveserver.core.screening import Mode, Rule
from liveserver.rtp.depacketize import Frame
from liveserver.screen import wire
from liveserver.sfu.gate import Gate
from liveserver.sfu.tap import FrameTap
from liveserver.sfu.uplink import Uplink

MAX_WAITING_BYTES = 4_000_000
MAX_WAITING_FRAMES = 300
BEHIND_NS = 1_000_000_000  # waiting so long, a watched lesson is behind
HURRY_NS = 250_000_000  # waiting so long, pictures are looked at less often
PAUSE_NS = 600_000_000  # longer than between two looks
_REMEMBERED = 512  # frames whose arrival is known
THIN_NS = 5_000_000_000  # so long by keyframes alone before all is tried again
_MS = 1_000_000


class Waiting(NamedTuple):
    number: int
    frame: Frame
    codec: str
    since_ns: int


class Account:
    """The CPU time spent for one lesson; who has had least comes first (`sfu.screener`)."""

    def __init__(self) -> None:
        self.spent_us = 0
        self.total_us = 0


class ScreenLane:
    """`source` is the publisher's uplink. Fits `sfu.tap.FrameSink`.

    `looked_ns` is when a verdict came last, `heard_ns` when a frame did.
    """

    def __init__(
        self,
        source: Uplink,
        account: Account,
        clock: Clock,
        gate: Gate | None,
        pump: Callable[[], None],
        renew: Callable[[ScreenLane], None],
    ):
        self.id = 0
        self.source = source
        self.account = account
        self.gate = gate
        self.mode = Mode.OFF
        self.rules: tuple[Rule, ...] = ()
        self.counters: Counter[str] = Counter()
        self.waiting: deque[Waiting] = deque()
        self.arrivals: dict[int, int] = {}  # of those that were fed: number → when it arrived
        self.looked_ns = self.heard_ns = 0
        self.is_thin = self.is_lost = False
        self._unseen_since_ns: int | None = None  # when the first frame came that no look has followed
        self._in_work = 0
        self._thin_until_ns = 0
        self._number = 0
        self._ssrc: int | None = None
        self._waiting_bytes = 0
        self._skipping = False  # up to the next keyframe
        self._clock = clock
        self._pump = pump
        self._renew = renew
        self._tap = FrameTap(source.track, source.codec, source.clock_rate, self)

    def attach(self) -> None:
        """Begin with the newest keyframe that the track has."""
        for packet, arrival_ns in self.source.cache.group():
            self._tap.push(packet, arrival_ns)
        self.source.taps.append(self._tap)

    def detach(self) -> None:
        if self._tap in self.source.taps:
            self.source.taps.remove(self._tap)
        self.empty()

    def frame(self, track: str, codec: str, clock_rate: int, frame: Frame, source: int) -> None:
        if self._ssrc is not None and source != self._ssrc:
            self._renew(self)  # another source: its pictures have nothing to do with those before
        self._ssrc = source
        self._number += 1
        now_ns = self._clock.monotonic_ns()
        self.heard_ns = now_ns
        if self._unseen_since_ns is None:
            self._unseen_since_ns = now_ns
        if self.gate is not None:
            self.gate.hold(track, self._number, frame, source)
        self._take(Waiting(self._number, frame, codec, now_ns))
        self._pump()

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None:
        """Nothing here needs the publisher's clock."""

    def next(self, now_ns: int) -> wire.Frame | None:
        """The frame whose turn it is, or None."""
        if not self.waiting:
            return None
        number, frame, codec, since_ns = self.waiting.popleft()
        self._waiting_bytes -= len(frame.data)
        self.arrivals[number] = frame.arrival_ns
        if len(self.arrivals) > _REMEMBERED:
            del self.arrivals[next(iter(self.arrivals))]
        self.counters["fed"] += 1
        self._in_work += 1
        hurry = now_ns - since_ns > HURRY_NS
        at_ms = frame.arrival_ns // _MS
        return wire.Frame(self.id, number, frame.timestamp, at_ms, frame.keyframe, codec, frame.data, hurry)

    def done(self) -> None:
        """The process is through with a frame."""
        self._in_work -= 1

    def looked(self, now_ns: int) -> None:
        """A verdict has come."""
        self.looked_ns, self._unseen_since_ns, self.is_lost = now_ns, None, False

    def unseen_since_ns(self, now_ns: int) -> int | None:
        """Since when pictures come and no verdict does, or None.

        The last frames before a pause may be like the one that was looked at: that is seen well enough.
        """
        is_pause = now_ns - self.heard_ns > PAUSE_NS
        is_through = not self.waiting and not self._in_work and not self.is_lost and not self._skipping
        return None if is_pause and is_through else self._unseen_since_ns

    def lag_ns(self, now_ns: int) -> int:
        """How long what waits longest has waited."""
        return now_ns - self.waiting[0].since_ns if self.waiting else 0

    def keep_up(self, now_ns: int, *, is_served: bool) -> None:
        """Several times a second: what waits too long is left out. `is_served`: there is a process."""
        limit_ns = BEHIND_NS
        if self.gate is not None:
            limit_ns += self.gate.delay_ns
        if self.lag_ns(now_ns) > limit_ns:
            self._fall_behind(now_ns, is_served=is_served)
        if self.is_thin and now_ns >= self._thin_until_ns:
            self.is_thin, self._skipping = False, True  # all of it again, from a keyframe on

    def restart(self) -> None:
        """The process that knew the pictures before is gone, or one has come: from the newest keyframe on."""
        self._in_work = 0
        self._keep_newest()
        now_ns = self._clock.monotonic_ns()  # what waited for a process was not held up by it
        self.waiting = deque(waiting._replace(since_ns=now_ns) for waiting in self.waiting)

    def lost(self) -> None:
        """The process cannot go on without a keyframe."""
        self.is_lost = True
        self._keep_newest()

    def empty(self) -> None:
        self.waiting.clear()
        self._waiting_bytes = self._in_work = 0
        self._unseen_since_ns = None
        self._skipping = True

    @property
    def is_behind(self) -> bool:
        """Whether pictures are left out that would have been looked at."""
        return self.is_thin or (self._skipping and self.mode is not Mode.KEYFRAMES)

    def _take(self, waiting: Waiting) -> None:
        if self.mode is Mode.OFF:
            return
        keyframes_alone = self.mode is Mode.KEYFRAMES or self.is_thin
        if not waiting.frame.keyframe and (keyframes_alone or self._skipping):
            self.counters["skipped"] += 1
            return
        if keyframes_alone and self.waiting:
            self._drop(len(self.waiting))  # the newest alone
        self._skipping = False
        self.waiting.append(waiting)
        self._waiting_bytes += len(waiting.frame.data)
        if self._waiting_bytes > MAX_WAITING_BYTES or len(self.waiting) > MAX_WAITING_FRAMES:
            self._fall_behind(waiting.since_ns, is_served=True)

    def _fall_behind(self, now_ns: int, *, is_served: bool) -> None:
        if is_served and self.mode is Mode.WATCH:
            self.is_thin, self._thin_until_ns = True, now_ns + THIN_NS
        before = len(self.waiting)
        self._keep_newest()
        if self.waiting and (self.is_thin or len(self.waiting) == before):
            # The keyframe itself is looked at whatever it costs, what follows it is too much.
            self._drop(len(self.waiting) - 1, newest=True)
            self._skipping = True
            self.source.want_keyframe()

    def _keep_newest(self) -> None:
        """Leave out what waits, but the newest keyframe and what follows it."""
        keyframes = [index for index, waiting in enumerate(self.waiting) if waiting.frame.keyframe]
        if keyframes:
            self._drop(keyframes[-1])
            return
        self._drop(len(self.waiting))
        self._skipping = True
        self.source.want_keyframe()

    def _drop(self, count: int, *, newest: bool = False) -> None:
        for _ in range(count):
            dropped = self.waiting.pop() if newest else self.waiting.popleft()
            self._waiting_bytes -= len(dropped.frame.data)
        self.counters["dropped"] += count
