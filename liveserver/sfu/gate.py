"""Screened before shown: the tracks of a lesson held back until they have passed and are old enough.

A frame leaves when the screen process has let it pass and it is `delay_ns` old. Sound leaves when it is as
old and no picture that came before it still waits to pass; where there is no picture, or none may be shown,
by its age alone. So what belongs together stays together, as it came from the publisher.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from liveserver.clock import Clock
from liveserver.rtp.depacketize import Frame
from liveserver.rtp.fanout import Fanout
from liveserver.sfu.delayed import Delayed
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.source_clock import PublisherClock
from liveserver.sfu.tap import FrameTap
from liveserver.sfu.uplink import Uplink

PATIENCE_NS = 1_000_000_000  # so much longer sound waits for the picture it belongs to
MAX_WAIT_NS = 10_000_000_000  # after the delay: a picture so old is not shown any more
Schedule = Callable[[int, Callable[[], None]], asyncio.TimerHandle]


class Gate:
    """One publisher's tracks. Frames of pictures come by `hold`, those of sound from a tap of its own.

    Closed, no picture leaves and what waits is dropped; it opens at a keyframe. Fits `sfu.tap.FrameSink`.
    """

    def __init__(self, fanout: Fanout, pacer: Pacer, clock: Clock, schedule: Schedule, delay_ns: int):
        self.delay_ns = delay_ns
        self.tracks: list[Delayed] = []
        self.is_closed = False
        self.is_unguarded = False
        self._fanout = fanout
        self._pacer = pacer
        self._clock = clock
        self._schedule = schedule
        self._publisher_clock = PublisherClock()
        self._numbers = 0  # of sound
        self._taps: list[tuple[Uplink, FrameTap]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, source: Uplink) -> None:
        """Take a track of the publisher in; sound comes by itself from now on."""
        self.tracks.append(Delayed(source, self._fanout, self._publisher_clock, self.delay_ns))
        self.tracks.sort(key=lambda track: not track.is_video)  # sound looks at what pictures still wait
        if not source.is_video:
            tap = FrameTap(source.track, source.codec, source.clock_rate, self)
            source.taps.append(tap)
            self._taps.append((source, tap))

    def shown(self, source: Uplink) -> Delayed | None:
        """What viewers get in the place of `source`."""
        return next((track for track in self.tracks if track.source is source), None)

    def hold(self, track: str, number: int, frame: Frame, source: int) -> None:
        """A frame of a picture, which `passed` names by its number."""
        found = self._track(track)
        if found is not None:
            found.hold(number, frame, source)
            if self.is_closed:
                found.refuse()
            elif self.is_unguarded:
                self.run()

    def passed(self, track: str, first: int, last: int) -> None:
        """The screen process lets these frames pass."""
        found = self._track(track)
        if found is not None and not self.is_closed:
            found.passed(first, last)
            self.run()

    def shut(self) -> None:
        """Something was found: no picture leaves until `open`, and nothing of what waits ever does."""
        self.is_closed = True
        for track in self.tracks:
            if track.is_video:
                track.refuse()

    def open(self) -> None:
        """A person has lifted what followed: pictures that pass leave again, from a keyframe on."""
        self.is_closed = False

    def unguard(self, is_unguarded: bool) -> None:
        """Nobody looks, and the policy lets pictures pass all the same: by their age alone."""
        if is_unguarded != self.is_unguarded:
            self.is_unguarded = is_unguarded
            self.run()

    def run(self) -> None:
        """Release what is due, and come back when the next is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_ns = self._clock.monotonic_ns()
        wall_ns = self._clock.wall_ms() * 1_000_000
        dues = [due for track in self.tracks if (due := self._release(track, now_ns, wall_ns)) is not None]
        self._pacer.run()  # somebody who catches up may wait for what left
        if dues:
            self._timer = self._schedule(min(dues), self.run)

    def keep_time(self, now_ns: int, wall_ns: int) -> None:
        """Now and then: what the timestamps mean, and no picture waits for ever."""
        for track in self.tracks:
            track.keep_time(now_ns, wall_ns)
            too_old_ns = now_ns - self.delay_ns - MAX_WAIT_NS
            if track.waiting_frames and track.waiting_frames[0].frame.arrival_ns < too_old_ns:
                track.refuse()

    def close(self) -> None:
        """The publisher has gone, or the lesson is not screened any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for source, tap in self._taps:
            if tap in source.taps:
                source.taps.remove(tap)
        for track in self.tracks:
            track.close()
        self.tracks.clear()

    # --- sound, from its tap (`sfu.tap.FrameSink`) ---

    def frame(self, track: str, codec: str, clock_rate: int, frame: Frame, source: int) -> None:
        found = self._track(track)
        if found is not None:
            self._numbers += 1
            found.hold(self._numbers, frame, source)
            if self._timer is None:
                self._timer = self._schedule(frame.arrival_ns + self.delay_ns, self.run)

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None:
        """The source's clock is read when it is needed."""

    # --- inside ---

    def _release(self, track: Delayed, now_ns: int, wall_ns: int) -> int | None:
        """Let out what is due; when the next frame is that may leave, or None if that is not known."""
        while (waiting := track.next(unguarded=self.is_unguarded)) is not None:
            due_ns = waiting.frame.arrival_ns + self.delay_ns
            if not track.is_video and self._waits_for_picture(waiting.frame.arrival_ns):
                due_ns += PATIENCE_NS
            if due_ns > now_ns:
                return due_ns
            track.release(now_ns, wall_ns)
        return None

    def _waits_for_picture(self, arrival_ns: int) -> bool:
        """Whether a picture that came before this sound has not passed yet."""
        if self.is_closed or self.is_unguarded:
            return False
        heads = (track.waiting_frames[0] for track in self.tracks if track.is_video and track.waiting_frames)
        return any(head.frame.arrival_ns <= arrival_ns for head in heads)

    def _track(self, name: str) -> Delayed | None:
        return next((track for track in self.tracks if track.track == name), None)

    def describe(self) -> Mapping[str, object]:
        """For /debug/rooms."""
        return {
            "delay_ms": self.delay_ns // 1_000_000,
            "closed": self.is_closed,
            "unguarded": self.is_unguarded,
            "tracks": [
                {"track": track.track, "waiting": len(track.waiting_frames), "viewers": len(track.downlinks)}
                | dict(track.counters)
                for track in self.tracks
            ],
        }
