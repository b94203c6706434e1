"""What a track sent of late: which packets are kept, under which numbers, and which are a frame."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from liveserver.rtp import header
from liveserver.rtp.history import CAPACITY, Frame, History, Source, read


def packet(sequence: int, timestamp: int = 0, *, marker: bool = False) -> Source:
    source = read(
        header.build(
            payload_type=96,
            sequence=sequence & 0xFFFF,
            timestamp=timestamp,
            ssrc=1,
            payload=b"x",
            marker=marker,
        )
    )
    assert source is not None
    return source


def kept(*packets: Source) -> History:
    history = History()
    for source in packets:
        history.add(source)
    return history


def numbers(frame: Frame) -> list[int]:
    return [source.sequence for source in frame.packets]


class TestRing:
    def test_what_is_no_packet_is_none(self):
        assert read(b"\x80junk") is None

    def test_packets_that_the_first_overtook_have_numbers_too(self):
        history = kept(packet(1), packet(0), packet(-1), packet(2))
        assert history.highest == history.number(2)
        assert [history.get(history.number(n & 0xFFFF)) is not None for n in (-2, -1, 0, 1, 2, 3)] == [
            False, True, True, True, True, False,
        ]  # fmt: skip

    def test_the_oldest_makes_room(self):
        history = kept(*(packet(n) for n in range(CAPACITY + 1)))
        assert history.get(history.number(0)) is None
        assert history.get(history.number(1)) is not None

    def test_what_is_here_already_or_too_old_changes_nothing(self):
        history = kept(*(packet(n) for n in range(1, CAPACITY + 2)))
        first = history.get(history.number(5))
        history.add(packet(5, 99))
        history.add(packet(0))
        assert history.get(history.number(5)) is first
        assert history.get(history.number(1)) is None or history.get(history.number(1)).sequence == 1

    @given(st.lists(st.integers(0, 0xFFFF), max_size=60))
    def test_never_finds_a_packet_under_another_number(self, sequences: list[int]):
        history = kept(*(packet(n) for n in sequences))
        for sequence in range(0, 0x10000, 257):
            found = history.get(history.number(sequence))
            assert found is None or found.sequence == sequence


class TestFrames:
    def test_are_packets_of_one_timestamp_in_order_however_they_came(self):
        order = [(1, 0), (2, 0), (3, 10), (4, 10), (5, 20)]
        history = kept(*(packet(*one) for one in random.Random(1).sample(order, 5)))
        frames = list(history.frames(history.number(1)))
        assert [numbers(frame) for frame in frames] == [[1, 2], [3, 4], [5]]

    def test_one_is_complete_by_its_marker_or_by_the_next(self):
        history = kept(packet(1), packet(2, 10), packet(3, 20, marker=True))
        assert [frame.complete for frame in history.frames(history.number(1))] == [True, True, True]
        assert not next(kept(packet(1)).frames(0x10001)).complete

    def test_a_gap_is_left_out_and_numbers_go_on_behind_it(self):
        history = kept(packet(1), packet(3), packet(6, 10))
        first, second = history.frames(history.number(0))
        assert (numbers(first), numbers(second)) == ([1, 3], [6])
        assert second.first == history.number(6)

    def test_beyond_the_newest_there_is_none(self):
        history = kept(packet(1))
        assert history.frame(history.number(2)) is None
        assert History().frame(0) is None
