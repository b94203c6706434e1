"""What can be sent again, and what a viewer who joins is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from liveserver.rtp import cache, header
from liveserver.rtp.cache import PacketCache

MS = 1_000_000
SPS, IDR_START, IDR_MORE, SLICE = b"\x67sps", b"\x7c\x85idr", b"\x7c\x45idr", b"\x41slice"
SEI = b"\x06sei"


def packet(number: int, payload: bytes = SLICE, timestamp: int | None = None) -> header.Packet:
    data = header.build(
        payload_type=102,
        sequence=number & 0xFFFF,
        timestamp=number * 3600 & 0xFFFFFFFF if timestamp is None else timestamp,
        ssrc=7,
        payload=payload,
    )
    return header.parse(data)


def filled(*packets: header.Packet, codec: str = "h264") -> PacketCache:
    made = PacketCache(codec)
    for place, one in enumerate(packets):
        made.add(one, place * MS)
    return made


def sequences(made: PacketCache) -> list[int]:
    return [found.sequence for found, _ in made.group()]


class TestRing:
    def test_gives_back_the_newest_packets_by_sequence_number(self):
        made = filled(*(packet(n) for n in range(65000, 65000 + 2000)))
        assert made.get(66999 & 0xFFFF).sequence == 66999 & 0xFFFF
        assert made.get((66999 - 1023) & 0xFFFF) is not None
        assert made.get((66999 - 1024) & 0xFFFF) is None

    def test_has_nothing_that_never_came(self):
        made = filled(packet(1), packet(3))
        assert made.get(2) is None and made.get(4) is None and PacketCache("vp8").get(1) is None

    def test_a_number_of_an_earlier_cycle_is_not_taken_for_a_new_one(self):
        made = filled(packet(10), packet(11), packet(30000), packet(50000), packet(65536 + 12))
        assert made.get(11) is None

    def test_packets_from_before_the_first_are_kept_too(self):
        made = filled(packet(0), packet(65535))
        assert made.get(65535) is not None and made.newest[0].sequence == 0

    def test_says_whether_a_packet_was_new(self):
        made = filled(packet(5000))
        assert not made.add(packet(5000), 0)
        assert not made.add(packet(5000 - 1024), 0)
        assert made.add(packet(5000 - 1023), 0)

    def test_newest_is_the_highest_number_not_the_last_to_come(self):
        made = filled(packet(1), packet(3), packet(2))
        assert made.newest == (made.get(3), 1 * MS)
        assert PacketCache("h264").newest is None

    @given(st.lists(st.integers(0, 65535), max_size=100))
    def test_any_order_of_numbers_is_taken(self, numbers):
        made = filled(*(packet(n, SPS if n % 5 == 0 else SLICE, timestamp=n) for n in numbers))
        assert all(made.get(found.sequence) is found for found, _ in made.group())


class TestGroup:
    def test_is_all_since_the_newest_keyframe(self):
        made = filled(packet(1, SPS), packet(2), packet(3, SPS), packet(4), packet(5))
        assert sequences(made) == [3, 4, 5] and made.usable
        assert made.keyframe_ns == 2 * MS

    def test_is_empty_without_a_keyframe(self):
        made = filled(packet(1), packet(2))
        assert made.group() == [] and not made.usable and made.keyframe_ns is None

    def test_later_slices_of_the_same_keyframe_do_not_start_it_anew(self):
        made = filled(packet(1, SPS, 0), packet(2, IDR_START, 0), packet(3, IDR_START, 0), packet(4))
        assert sequences(made) == [1, 2, 3, 4]

    def test_what_comes_before_under_the_same_timestamp_belongs_to_it(self):
        made = filled(packet(1), packet(2, SEI, 99), packet(3, IDR_START, 99), packet(4))
        assert sequences(made) == [2, 3, 4] and made.usable

    def test_late_packets_fall_into_their_place(self):
        made = filled(packet(1, SPS), packet(4), packet(2), packet(3))
        assert sequences(made) == [1, 2, 3, 4]

    def test_a_lost_packet_leaves_a_gap(self):
        assert sequences(filled(packet(1, SPS), packet(3))) == [1, 3]

    def test_a_keyframe_whose_first_packet_is_missing_is_usable_once_it_comes(self):
        made = filled(packet(1), packet(3, IDR_START, 99), packet(4, IDR_MORE, 99))
        assert not made.usable  # its parameter sets may have been in packet 2
        made.add(packet(2, SPS, 99), 3 * MS)
        assert made.usable and sequences(made) == [2, 3, 4] and made.keyframe_ns == 1 * MS

    def test_an_older_keyframe_that_comes_late_does_not_take_over(self):
        made = filled(packet(1), packet(5, SPS), packet(6), packet(3, SPS))
        assert sequences(made) == [5, 6]

    def test_goes_across_the_wrap(self):
        made = filled(*(packet(n, SPS if n == 65530 else SLICE) for n in range(65500, 65550)))
        assert sequences(made) == [n & 0xFFFF for n in range(65530, 65550)]

    def test_a_vp8_keyframe(self):
        made = filled(packet(1, b"\x10\x01d"), packet(2, b"\x10\x00k"), packet(3, b"\x10\x01d"), codec="vp8")
        assert sequences(made) == [2, 3] and made.usable

    def test_audio_has_none(self):
        made = filled(packet(1), packet(2), codec="opus")
        assert made.group() == [] and not made.usable and made.newest[0].sequence == 2


class TestBounds:
    def test_more_than_500_packets_are_not_usable(self):
        made = filled(packet(0, SPS), *(packet(n) for n in range(1, 500)))
        assert made.usable
        made.add(packet(500), 0)
        assert not made.usable and len(made.group()) == 501

    def test_more_than_4_seconds_are_not_usable(self):
        made = filled(packet(0, SPS))
        made.add(packet(1), 4000 * MS)
        assert made.usable
        made.add(packet(2), 4001 * MS)
        assert not made.usable

    def test_more_than_500_kilobytes_are_not_usable(self):
        made = filled(packet(0, SPS), *(packet(n, SLICE + bytes(1200)) for n in range(1, 411)))
        assert made.usable
        made.add(packet(411, SLICE + bytes(1200)), 0)
        assert not made.usable

    def test_a_new_keyframe_makes_it_usable_again(self):
        made = filled(packet(0, SPS), *(packet(n) for n in range(1, 700)))
        made.add(packet(700, SPS), 700 * MS)
        assert made.usable and sequences(made) == [700]

    def test_an_overwritten_keyframe_is_forgotten(self):
        made = filled(packet(0, SPS), *(packet(n) for n in range(1, cache.CAPACITY + 1)))
        assert made.group() == [] and made.keyframe_ns is None
