"""Catching up by replay of the cache: order, spacing, timestamps, the step to live."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from liveserver.rtp import header
from liveserver.rtp.history import CAPACITY, History, Source, read
from liveserver.rtp.replay import FAST_SPARE_BPS, MIN_STEP_TICKS, Replay, is_newer

MS = 1_000_000
FRAME_TICKS = 3600  # 25 frames a second


def packet(sequence: int, timestamp: int, *, marker: bool = True, size: int = 500) -> Source:
    source = read(
        header.build(
            payload_type=96,
            sequence=sequence & 0xFFFF,
            timestamp=timestamp & 0xFFFFFFFF,
            ssrc=1,
            payload=b"x" * size,
            marker=marker,
        )
    )
    assert source is not None
    return source


def kept(packets: list[Source]) -> History:
    history = History()
    for source in packets:
        history.add(source)
    return history


def replaying(packets: list[Source], *, now_ns: int = 0, **how: int) -> Replay:
    """From the first of the packets on."""
    how = {"anchor_timestamp": 0, "anchor_ns": 0, **how}
    history = kept(packets)
    return Replay(history, history.number(packets[0].sequence), due_ns=now_ns, **how)


def frames(count: int, start: int = 0) -> list[Source]:
    return [packet(n, start + n * FRAME_TICKS) for n in range(count)]


def drain(replay: Replay, now_ns: int) -> list[tuple[int, int]]:
    """(time in ns, timestamp) of each frame sent when it is due."""
    sent = []
    while (due := replay.next_due_ns()) is not None:
        now_ns = max(now_ns, due)
        popped = replay.pop(now_ns)
        assert popped is not None
        sent.append((now_ns, popped[1]))
    return sent


class TestSpacing:
    def test_the_first_frame_leaves_at_once(self):
        replay = replaying(frames(10), anchor_timestamp=9 * FRAME_TICKS, anchor_ns=0, now_ns=5 * MS)
        assert replay.next_due_ns() == 5 * MS
        assert replay.pop(5 * MS) is not None

    def test_frames_are_at_most_ten_milliseconds_apart_on_a_fast_link(self):
        sent = drain(replaying(frames(3), anchor_timestamp=0, anchor_ns=0, now_ns=0), 0)
        assert [b - a for (a, _), (b, _) in itertools.pairwise(sent)] == [10 * MS, 10 * MS]

    def test_fifty_frames_take_about_the_window(self):
        sent = drain(replaying(frames(50), anchor_timestamp=0, anchor_ns=0, now_ns=0), 0)
        assert sent[-1][0] <= 150 * MS

    def test_never_faster_than_the_cap(self):
        packets = [packet(n, n * FRAME_TICKS, size=1200) for n in range(400)]
        sent = drain(replaying(packets, anchor_timestamp=0, anchor_ns=0, now_ns=0), 0)
        bits = 8 * sum(len(p.packet) for p in packets[:-1])
        assert bits * 1_000_000_000 / sent[-1][0] <= FAST_SPARE_BPS

    def test_a_slow_link_gets_more_time(self):
        packets = [packet(n, n * FRAME_TICKS, size=1200) for n in range(50)]
        fast = drain(replaying(packets, anchor_timestamp=0, anchor_ns=0, now_ns=0), 0)
        slow = drain(replaying(packets, anchor_timestamp=0, anchor_ns=0, now_ns=0, spare_bps=1_000_000), 0)
        assert slow[-1][0] > 3 * fast[-1][0]


class TestTimestamps:
    def test_they_lie_on_the_live_clock(self):
        replay = replaying(frames(5), anchor_timestamp=1000, anchor_ns=100 * MS, now_ns=110 * MS)
        sent = drain(replay, 110 * MS)
        assert sent == [(at, 1000 + (at - 100 * MS) * 90 // MS) for at, _ in sent]

    def test_their_spacing_is_that_of_the_sending(self):
        sent = drain(replaying(frames(5), anchor_timestamp=0, anchor_ns=0, now_ns=0), 0)
        for (a, ta), (b, tb) in itertools.pairwise(sent):
            assert tb - ta == (b - a) * 90 // MS

    def test_they_only_grow_past_what_was_sent_before(self):
        replay = replaying(frames(3), anchor_timestamp=0, anchor_ns=0, now_ns=0, last_timestamp=50_000)
        assert [ts for _, ts in drain(replay, 0)] == [
            50_000 + MIN_STEP_TICKS, 50_000 + 2 * MIN_STEP_TICKS, 50_000 + 3 * MIN_STEP_TICKS,
        ]  # fmt: skip

    def test_they_wrap(self):
        replay = replaying(frames(3), anchor_timestamp=0xFFFFFFF0, anchor_ns=0, now_ns=10 * MS)
        assert drain(replay, 10 * MS)[0][1] == (0xFFFFFFF0 + 900) & 0xFFFFFFFF

    @given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 40), min_size=1, max_size=40))
    def test_they_are_strictly_monotonic_whenever_frames_are_sent(self, anchor: int, delays: list[int]):
        replay = replaying(frames(len(delays)), anchor_timestamp=anchor, anchor_ns=0, now_ns=0)
        now_ns, last = 0, None
        for delay in delays:
            now_ns = max(now_ns, replay.next_due_ns() or 0) + delay * MS
            popped = replay.pop(now_ns)
            assert popped is not None
            assert last is None or is_newer(popped[1], last)
            last = popped[1]


class TestWholeFrames:
    def begin(self, *packets: Source) -> tuple[History, Replay]:
        history = kept(list(packets))
        first = history.number(packets[0].sequence)
        return history, Replay(history, first, anchor_timestamp=0, anchor_ns=0, due_ns=0)

    def test_a_frame_waits_for_its_last_packet(self):
        history, replay = self.begin(packet(0, 0, marker=False))
        assert replay.next_due_ns() is None and replay.pop(0) is None
        history.add(packet(1, 0))
        popped = replay.pop(0)
        assert popped is not None and len(popped[0].packets) == 2

    def test_the_next_frame_completes_one_whose_marker_was_lost(self):
        history, replay = self.begin(packet(0, 0, marker=False))
        history.add(packet(2, FRAME_TICKS, marker=False))
        assert replay.pop(0) is not None

    def test_a_late_packet_joins_its_frame_in_its_place(self):
        history, replay = self.begin(
            packet(0, 0), packet(1, FRAME_TICKS, marker=False), packet(3, FRAME_TICKS)
        )
        history.add(packet(2, FRAME_TICKS, marker=False))
        replay.pop(0)
        popped = replay.pop(10 * MS)
        assert popped is not None and [p.sequence for p in popped[0].packets] == [1, 2, 3]

    def test_a_packet_late_for_a_frame_that_left_is_for_rtx(self):
        history, replay = self.begin(packet(0, 0), packet(2, 0), packet(3, FRAME_TICKS))
        replay.pop(0)
        history.add(packet(1, 0))
        popped = replay.pop(10 * MS)
        assert popped is not None and popped[0].packets[0].sequence == 3
        assert replay.empty


class TestGoingLive:
    def test_not_while_frames_wait(self):
        replay = replaying(frames(2), anchor_timestamp=0, anchor_ns=0, now_ns=0)
        assert not replay.may_go_live(10**6)

    def test_not_with_a_timestamp_that_is_not_newer(self):
        replay = replaying(frames(1), anchor_timestamp=9000, anchor_ns=0, now_ns=0)
        replay.pop(0)
        assert not replay.may_go_live(9000)
        assert replay.may_go_live(9001)

    def test_a_viewer_who_can_never_follow_is_told_so(self):
        assert not replaying(frames(CAPACITY)).overrun
        assert replaying(frames(CAPACITY + 1)).overrun
