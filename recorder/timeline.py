"""Where on the wall clock a frame belongs: RTP timestamps and sender reports to milliseconds. Pure.

Every track has **runs**: stretches of RTP timestamps of one source that count on without a jump. Within a
run the distance between two frames is what the publisher's timestamps say; where the run lies on the wall
clock is found in one of two ways:

1. *By arrival*, until a sender report came: wall = ticks / clock_rate + offset, the offset being the
   smallest (arrival - ticks / clock_rate) seen lately, so that jitter only ever shortens.
2. *By sender report* (RFC 3550 §6.4.1): wall = NTP time of the frame + `lead`, where `lead` is the smallest
   (arrival - NTP time) over **all** tracks. One lead for all tracks is what puts lips and voice together:
   a camera's picture arrives later than the voice (encoding, pacing), and arrival alone would keep it late.

A report that puts a frame more than `REPORT_TRUST_MS` from where its arrival does is a broken clock and is
not used. After a restart of the publisher (another SSRC, a jump of the timestamps) a new run begins; the
wall clock goes on, so the recording does.

Example: audio at 48 kHz, first frame rtp=1000 arrives at 5000 ms, the next rtp=1960 at 5033 ms: positions
5000 and 5020 ms. A report then says rtp=1000 was 4990 ms on the publisher's clock (lead 10): unchanged. The
camera's report says its first frame, arrived at 5070, was taken at 4995: its position becomes 5005 ms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

JUMP_MS = 2_000  # timestamps and arrivals disagreeing by more begin a new run
REPORT_TRUST_MS = 1_000
REPORT_REACH_MS = 60_000  # a report names an instant near the newest frame, or it is of another run
SETTLE_MS = 4_000  # browsers send the first audio report after 2.5 s, within 5 s at the latest
LEARN_MS = 2_000  # while younger, an offset follows each smaller sample at once
WINDOW_MS = 10_000
SLEW_PER_WINDOW_MS = 10.0  # 1000 ppm: ten times the worst quartz
STEP_MS = 500.0  # a change of path, not of clock: follow in one step
_NTP_EPOCH_S = 2_208_988_800  # 1900 to 1970


def ntp_to_ms(ntp: int) -> float:
    """A 64-bit NTP timestamp (RFC 3550 §4) as milliseconds since 1970."""
    return (ntp / 2**32 - _NTP_EPOCH_S) * 1000.0


class LeastDelay:
    """Follows the smallest of noisy delays, slowly once it is known: network jitter only ever adds."""

    def __init__(self) -> None:
        self.value: float | None = None
        self._began_ms = 0
        self._window_ms = 0
        self._least = math.inf

    def add(self, delay_ms: float, at_ms: int) -> None:
        """One sample, taken at `at_ms`."""
        if self.value is None:
            self.value = delay_ms
            self._began_ms = self._window_ms = at_ms
            self._least = math.inf
        elif at_ms - self._began_ms < LEARN_MS:
            self.value = min(self.value, delay_ms)
        self._least = min(self._least, delay_ms)
        if at_ms - self._window_ms >= WINDOW_MS:
            error = self._least - self.value
            limit = abs(error) if abs(error) > STEP_MS else SLEW_PER_WINDOW_MS
            self.value += max(-limit, min(limit, error))
            self._window_ms = at_ms
            self._least = math.inf

    def relearn(self, at_ms: int) -> None:
        """Another source of samples joined at `at_ms`: follow smaller ones at once again."""
        self._began_ms = at_ms


@dataclass(slots=True)
class Run:
    """RTP timestamps of one source that count on. Ticks are unwrapped, the first frame's is its own.

    `lead` is the one its tracks share; a run that ended keeps it, because frames of it may still wait to be
    placed when the publisher is back on another clock.
    """

    clock_rate: int
    source: int
    began_ms: int
    last_ticks: int
    last_arrival_ms: int
    lead: LeastDelay
    arrival: LeastDelay = field(default_factory=LeastDelay)
    report: tuple[float, int] | None = None  # (publisher's clock in ms, ticks)

    def ms(self, ticks: int) -> float:
        """Length of `ticks`."""
        return ticks * 1000.0 / self.clock_rate

    def unwrap(self, rtp_timestamp: int) -> int:
        """The tick count nearest to the last frame's that `rtp_timestamp` can mean."""
        delta = (rtp_timestamp - self.last_ticks) & 0xFFFFFFFF
        return self.last_ticks + (delta - 2**32 if delta >= 2**31 else delta)

    def sender_ms(self, ticks: int) -> float | None:
        """The publisher's clock at `ticks`, once a report told."""
        if self.report is None:
            return None
        at_ms, at_ticks = self.report
        return at_ms + self.ms(ticks - at_ticks)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A frame's place within its run; `Timeline.wall_ms` turns it into time with what is known by then."""

    run: Run
    ticks: int
    arrival_ms: int


class Timeline:
    """The clock of one recording: all its tracks, one wall clock."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._early: dict[str, tuple[int, int]] = {}  # reports that came before their run's first frame
        self._lead = LeastDelay()

    def stamp(self, track: str, rtp_timestamp: int, clock_rate: int, arrival_ms: int, source: int) -> Stamp:
        """Place one frame; frames of a track come in the order of their timestamps."""
        run = self._runs.get(track)
        if run is not None and self._continues(run, rtp_timestamp, clock_rate, arrival_ms, source):
            run.last_ticks = run.unwrap(rtp_timestamp)
            run.last_arrival_ms = arrival_ms
        else:
            if run is not None:
                self._lead = LeastDelay()
            run = Run(clock_rate, source, arrival_ms, rtp_timestamp, arrival_ms, self._lead)
            self._runs[track] = run
            if early := self._early.pop(track, None):
                self.report(track, *early)
        run.arrival.add(arrival_ms - run.ms(run.last_ticks), arrival_ms)
        sender_ms = run.sender_ms(run.last_ticks)
        if sender_ms is not None:
            run.lead = self._lead
            run.lead.add(arrival_ms - sender_ms, arrival_ms)
        return Stamp(run, run.last_ticks, arrival_ms)

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None:
        """A sender report. NTP 0 means the publisher has no clock (RFC 3550 §6.4.1)."""
        run = self._runs.get(track)
        if ntp == 0:
            return
        if run is None:
            self._early[track] = (ntp, rtp_timestamp)
            return
        ticks = run.unwrap(rtp_timestamp)
        if abs(run.ms(ticks - run.last_ticks)) > REPORT_REACH_MS:
            self._early[track] = (ntp, rtp_timestamp)  # another run's; perhaps of the one that begins now
            return
        run.lead = self._lead
        if run.report is None:
            self._lead.relearn(run.last_arrival_ms)
        run.report = (ntp_to_ms(ntp), ticks)
        self._lead.add(
            run.last_arrival_ms - run.report[0] - run.ms(run.last_ticks - ticks), run.last_arrival_ms
        )

    def wall_ms(self, stamp: Stamp) -> float:
        """Milliseconds since 1970 on the node's clock, by the best knowledge there is now."""
        run = stamp.run
        offset_ms = run.arrival.value
        by_arrival = run.ms(stamp.ticks) + (offset_ms if offset_ms is not None else 0.0)
        sender_ms = run.sender_ms(stamp.ticks)
        if sender_ms is None or run.lead.value is None:
            return by_arrival
        by_report = sender_ms + run.lead.value
        return by_report if abs(by_report - by_arrival) <= REPORT_TRUST_MS else by_arrival

    def settled(self, stamp: Stamp, newest_ms: int) -> bool:
        """Whether a report was in, or waited for long enough, so that the place will hardly move again."""
        return stamp.run.report is not None or newest_ms - stamp.run.began_ms >= SETTLE_MS

    def same_run(self, track: str, stamp: Stamp) -> bool:
        """Whether the track still counts on from `stamp`."""
        return self._runs.get(track) is stamp.run

    @staticmethod
    def _continues(run: Run, rtp_timestamp: int, clock_rate: int, arrival_ms: int, source: int) -> bool:
        if clock_rate != run.clock_rate or source != run.source:
            return False
        by_timestamp = run.ms(run.unwrap(rtp_timestamp) - run.last_ticks)
        # Late delivery in a burst is normal (the feed was away), so this is bounded by both sides' distance.
        return abs(by_timestamp - (arrival_ms - run.last_arrival_ms)) <= JUMP_MS


class ArrivalGuard:
    """Keeps a step of the machine's clock out of the recording (durations are monotonic time).

    Arrivals may be late against the monotonic clock (the feed was away and repeats), and then catch up; what
    no delay explains is a step: going back by more than `STEP_MS`, or a leap ahead of the monotonic clock.
    """

    STEP_MS = 5_000

    def __init__(self) -> None:
        self._first: tuple[int, int] | None = None  # corrected arrival, monotonic
        self._last = (0, 0)
        self._correction_ms = 0

    def correct(self, arrival_ms: int, monotonic_ms: int) -> int:
        """`arrival_ms` with all clock steps taken out."""
        at_ms = arrival_ms + self._correction_ms
        if self._first is None:
            self._first = self._last = (at_ms, monotonic_ms)
        moved_ms, elapsed_ms = at_ms - self._last[0], monotonic_ms - self._last[1]
        ahead_ms = (at_ms - self._first[0]) - (monotonic_ms - self._first[1])
        leapt = moved_ms - elapsed_ms > self.STEP_MS and ahead_ms > self.STEP_MS
        if leapt or moved_ms < -self.STEP_MS:
            self._correction_ms += elapsed_ms - moved_ms
            at_ms += elapsed_ms - moved_ms
        self._last = (at_ms, monotonic_ms)
        return at_ms
