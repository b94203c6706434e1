"""The audio track while it is recorded: Opus packets in, AAC fragments of about 2 s out.

Packets are worked on in batches, once a second: cheaper, and by then the sender reports that place them
have come. Silence fills what is missing; what was lost is noted as a gap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from recorder import boxes, fmp4
from recorder.audio import BITRATE_BPS, FRAME, PRIMING, RATE, AudioTranscoder
from recorder.feed import Codec, Frame
from recorder.formats import fragment_fields
from recorder.spool import RecordingSpool
from recorder.timeline import Run, Stamp, Timeline

FILE = "audio.aac.mp4"
BATCH_MS = 1_000
LONGEST_BATCH_MS = 4_000
FRAGMENT_PACKETS = 94  # 2.005 s
NOTED_MS = 3_000  # shorter silence without a loss is no gap (DTX, a muted microphone's pause)
_MERGE_MS = 1_000  # losses that close to each other are one gap

_log = structlog.get_logger("recorder.audio")


@dataclass(frozen=True, slots=True)
class _Waiting:
    packet: bytes
    stamp: Stamp
    n: int
    missing: str | None  # why something is missing right before


class AudioTrack:
    """Owned by the recording's thread. `origin` gives the recording's origin in ms since 1970."""

    name = "audio"

    def __init__(self, spool: RecordingSpool, timeline: Timeline, origin: Callable[[], int]) -> None:
        self._spool = spool
        self._timeline = timeline
        self._origin = origin
        packets = max((f.end for f in spool.contents.fragments if f.file == FILE), default=0) // FRAME
        self._transcoder = AudioTranscoder(packets)
        self._stored = packets
        self._resumed = packets > 0
        self._waiting: list[_Waiting] = []
        self._done: list[bytes] = []  # AAC packets not stored yet
        self._done_since_ms = self._newest_ms = 0  # arrival of the first one's packet, and of the newest
        self._fragments = sum(f.file == FILE for f in spool.contents.fragments)
        self._marks: deque[tuple[int, int]] = deque()  # (frame number, AAC packets once it was in)
        self._through = 0
        self._run: Run | None = None
        self._continues = spool.contents.continues is not None  # what is missing at the beginning is a gap
        self._part_ms: int | None = None  # wall time where the reel ends
        self._has_left = False
        self._newest: Stamp | None = None
        self._missing: str | None = None
        self._gap: tuple[int, int, str] | None = None  # (from_ms, to_ms, reason), not noted yet

    @property
    def first_waiting(self) -> Stamp | None:
        """Where the oldest packet not worked on yet belongs."""
        return self._waiting[0].stamp if self._waiting else None

    def push(self, frame: Frame, stamp: Stamp) -> None:
        """Take the next packet."""
        missing = frame.lost_reason if frame.lost_before else None
        self._newest = stamp
        if self._waiting:
            first = self._waiting[0].stamp
            span_ms = stamp.arrival_ms - first.arrival_ms
            ready = span_ms >= BATCH_MS and self._timeline.settled(first, stamp.arrival_ms)
            if ready or span_ms >= LONGEST_BATCH_MS:
                self._work()
        self._waiting.append(_Waiting(frame.data, stamp, frame.n, missing))

    def tick(self, now_ms: int) -> None:
        """Work on, and store, what has waited too long; `now_ms` is on the arrivals' clock."""
        if self._waiting and now_ms - self._waiting[0].stamp.arrival_ms >= LONGEST_BATCH_MS:
            self._work()
        if self._done and now_ms - self._done_since_ms >= LONGEST_BATCH_MS:
            self._store(len(self._done))

    def store(self) -> None:
        """Store all that is packed; the encoder keeps its last 21 ms."""
        self._work()
        self._store(len(self._done))

    @property
    def end_ms(self) -> int:
        """Where the sound placed so far ends, from the origin, rounded up."""
        return -(-self._transcoder.written // (RATE // 1000))

    def part_at(self, at_ms: int) -> None:
        """The reel ends at this wall time, between two samples: later ones wait for `go_on` or `stay`."""
        self._part_ms = at_ms
        self._transcoder.end_at((at_ms - self._origin()) * (RATE // 1000))

    def has_reached(self, at_ms: int, now_ms: int) -> bool:
        """Whether all before `at_ms` has come, or will not: the track is silent (`now_ms` as arrivals)."""
        newest = self._newest
        if newest is None or now_ms - newest.arrival_ms > NOTED_MS:
            return True
        return self._timeline.wall_ms(newest) >= at_ms

    def leave(self, now_ms: int) -> int | None:
        """Store what is before the reel's end; the number of the first packet that waits for the next."""
        self._work()
        self._has_left = True
        if self._transcoder.written:
            self._done += self._transcoder.finish()
            self._store(len(self._done))
        self._note_gap()
        return self._waiting[0].n if self._waiting else None

    def go_on(self, spool: RecordingSpool, length_ms: int) -> None:
        """Go on in the next reel, whose origin is where this one ended, after `length_ms`."""
        self._spool, self._continues, self._part_ms, self._has_left = spool, True, None, False
        self._transcoder, self._done = self._transcoder.go_on()
        self._done_since_ms = self._newest_ms
        self._stored = self._fragments = 0
        self._marks.clear()
        if self._gap is not None:  # the last one's disk could not say it
            start_ms, end_ms, reason = self._gap
            self._gap = (start_ms - length_ms, min(end_ms, length_ms) - length_ms, reason)
            self._note_gap()

    def stay(self) -> None:
        """The reel does not end here after all. An encoder that was ended is begun anew."""
        self._part_ms = None
        if self._has_left:
            self._transcoder = AudioTranscoder(self._stored)
        else:
            self._done += self._transcoder.end_at(None)
        self._has_left = False

    def finish(self) -> None:
        """Store the rest; nothing can be pushed after."""
        self._work()
        if self._transcoder.written:
            self._done += self._transcoder.finish()
            self._store(len(self._done))
        self._note_gap()

    @property
    def samples(self) -> int:
        """Samples at 48 kHz placed so far."""
        return self._transcoder.written

    def _work(self) -> None:
        if not self._waiting:
            return
        try:
            origin_ms = self._origin()
        finally:
            waiting, self._waiting = self._waiting, []
        for number, item in enumerate(waiting):
            if self._part_ms is not None and self._timeline.wall_ms(item.stamp) >= self._part_ms:
                self._waiting = waiting[number:]
                break
            self._place(item, origin_ms)
        while len(self._done) >= FRAGMENT_PACKETS:
            self._store(FRAGMENT_PACKETS)
        if self._gap is not None and self._transcoder.written * 1000 // RATE - self._gap[1] > _MERGE_MS:
            self._note_gap()

    def _place(self, item: _Waiting, origin_ms: int) -> None:
        if item.stamp.run is not self._run:
            if self._run is not None:
                self._missing = self._missing or "source_changed"
                self._transcoder.source_changed()
            self._run = item.stamp.run
        self._missing = self._missing or item.missing
        position = round((self._timeline.wall_ms(item.stamp) - origin_ms) * (RATE / 1000))
        ticks = item.stamp.ticks * RATE // item.stamp.run.clock_rate
        before = self._transcoder.written
        try:
            packets, shift = self._transcoder.push(item.packet, ticks, position)
        except ValueError as error:
            _log.debug("recorder.packet_undecodable", error=str(error))
            self._missing = self._missing or "undecodable"
            return
        self._newest_ms = item.stamp.arrival_ms
        if not self._done:
            self._done_since_ms = self._newest_ms
        self._done += packets
        self._marks.append((item.n, self._transcoder.packets))
        self._gap_by(before, shift)

    def _gap_by(self, before: int, shift: int) -> None:
        """Account for `shift` samples of silence put at sample `before`."""
        reason, self._missing = self._missing, None
        resumed, self._resumed = self._resumed, False
        if shift <= 0 or (before == 0 and not self._continues):
            return
        start_ms, end_ms = before * 1000 // RATE, (before + shift) * 1000 // RATE
        if reason is None and end_ms - start_ms >= (500 if resumed else NOTED_MS):
            reason = "recorder_restarted" if resumed else "no_media"
        if reason is None:
            return
        if self._gap is not None and self._gap[2] == reason and start_ms - self._gap[1] <= _MERGE_MS:
            self._gap = (self._gap[0], end_ms, reason)
            return
        self._note_gap()
        self._gap = (start_ms, end_ms, reason)

    def _note_gap(self) -> None:
        if self._gap is None:
            return
        start_ms, end_ms, reason = self._gap
        try:
            self._spool.note("gap", track=self.name, from_ms=start_ms, to_ms=end_ms, reason=reason)
        except OSError as error:
            _log.error("recorder.write_failed", track=self.name, error=str(error))
            return
        self._gap = None

    def _store(self, count: int) -> None:
        """Make the first `count` finished packets a durable fragment."""
        if not count:
            return
        packets, self._done = self._done[:count], self._done[count:]
        self._done_since_ms = self._newest_ms
        start, self._stored = self._stored * FRAME, self._stored + count
        while self._marks and self._marks[0][1] <= self._stored:
            self._through = self._marks.popleft()[0]
        samples = [fmp4.Sample(packet, FRAME, True) for packet in packets]
        header = boxes.TrackHeader(1, self.name, False, RATE, 0, 0, edits=(boxes.Edit(0, PRIMING),))
        self._fragments += 1
        head, media = fmp4.fragment(self._fragments, 1, start, samples)
        created_ms = self._spool.contents.opened["started_at_ms"]
        try:
            self._spool.begin_file(FILE, fmp4.init_segment(header, created_ms, boxes.aac_entry(BITRATE_BPS)))
            self._spool.append(
                FILE,
                head,
                media,
                config=1,
                samples=count,
                independent=True,
                through=self._through,
                **fragment_fields(self.name, Codec.OPUS, start, self._stored * FRAME, RATE),
            )
        except OSError as error:
            _log.error("recorder.write_failed", track=self.name, error=str(error))
            going_on = self._gap is not None and self._gap[2] == "disk"
            begin_ms = self._gap[0] if self._gap is not None and going_on else start * 1000 // RATE
            self._gap = (begin_ms, self._stored * FRAME * 1000 // RATE, "disk")
