"""RFC 3550 §6.4.1 and appendix A; what is asked for again, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.rtp.sequence import LossDetector, ReceiveStatistics, unwrap16, unwrap32

MS = 1_000_000
S = 1000 * MS


def heard(*numbers: int, statistics: ReceiveStatistics | None = None) -> ReceiveStatistics:
    statistics = statistics or ReceiveStatistics(90000)
    for number in numbers:
        statistics.received(number & 0xFFFF, number * 3600 & 0xFFFFFFFF, number * 40 * MS)
    return statistics


class TestUnwrapping:
    def test_goes_up_and_down_across_the_wrap(self):
        assert unwrap16(2, 65534) == 65538
        assert unwrap16(65534, 65538) == 65534
        assert unwrap32(5, 2**32 - 5) == 2**32 + 5

    @given(st.integers(0, 2**48), st.integers(-32768, 32767))
    def test_finds_the_nearest_of_16_bits(self, reference, distance):
        assert unwrap16((reference + distance) & 0xFFFF, reference) == reference + distance

    @given(st.integers(0, 2**48), st.integers(-(2**31), 2**31 - 1))
    def test_finds_the_nearest_of_32_bits(self, reference, distance):
        assert unwrap32((reference + distance) & 0xFFFFFFFF, reference) == reference + distance


class TestReports:
    def test_nothing_lost(self):
        block = heard(*range(100)).report(7, 4 * S)
        assert (block.ssrc, block.lost, block.fraction_lost, block.highest_sequence) == (7, 0, 0, 99)

    def test_highest_sequence_counts_the_wraps(self):
        assert heard(*range(65530, 65540)).report(7, 0).highest_sequence == 65539

    def test_a_quarter_lost(self):
        block = heard(*(n for n in range(101) if n % 4 != 1)).report(7, 0)
        assert (block.lost, block.fraction_lost) == (25, 25 * 256 // 101)

    def test_fraction_counts_from_the_report_before(self):
        statistics = heard(0, 1, 2, 3, 9)
        assert statistics.report(7, 0).fraction_lost == 128
        heard(10, 11, 12, statistics=statistics)
        block = statistics.report(7, 0)
        assert (block.fraction_lost, block.lost) == (0, 5)

    def test_late_packets_make_good_and_duplicates_may_overdo_it(self):
        assert heard(1, 2, 5, 3, 4).report(7, 0).lost == 0
        block = heard(1, 2, 2, 2).report(7, 0)
        assert (block.lost, block.fraction_lost) == (-2, 0)

    def test_a_stray_far_away_is_not_counted(self):
        block = heard(100, 101, 30000, 102).report(7, 0)
        assert (block.highest_sequence, block.lost) == (102, 0)

    def test_two_in_a_row_far_away_are_a_restart(self):
        block = heard(100, 101, 30000, 30001, 30002).report(7, 0)
        assert (block.highest_sequence, block.lost) == (30002, 0)

    def test_jitter_of_an_even_source_is_none(self):
        assert heard(*range(200)).report(7, 0).jitter == 0

    def test_jitter_approaches_the_mean_deviation_in_ticks(self):
        statistics = ReceiveStatistics(90000)
        for number in range(400):
            statistics.received(number, number * 3600, number * 40 * MS + (number % 2) * 5 * MS)
        assert abs(statistics.report(7, 0).jitter - 450) < 10  # 5 ms at 90 kHz, each way

    def test_jitter_survives_the_timestamp_wrap(self):
        statistics = ReceiveStatistics(90000)
        for number in range(50):
            statistics.received(number, (2**32 - 90000 + number * 3600) & 0xFFFFFFFF, number * 40 * MS)
        assert statistics.report(7, 0).jitter == 0

    def test_echoes_the_sender_report_and_its_age(self):
        statistics = heard(1)
        assert statistics.report(7, 9 * S).last_sr == 0
        statistics.sender_report(0x11112222_33334444, 10 * S)
        block = statistics.report(7, 10 * S + 500 * MS)
        assert (block.last_sr, block.delay_since_last_sr) == (0x22223333, 32768)

    def test_before_the_first_packet_nothing_was_expected(self):
        block = ReceiveStatistics(90000).report(7, 0)
        assert (block.lost, block.fraction_lost) == (0, 0)


def missing_after(*numbers: int, at_ns: int = 0) -> LossDetector:
    detector = LossDetector()
    for number in numbers:
        detector.received(number & 0xFFFF, at_ns)
    return detector


class TestAskingAgain:
    def test_a_gap_is_asked_for_after_the_grace_for_reordering(self):
        detector = missing_after(1, 2, 5)
        assert detector.nacks(9 * MS) == []
        assert detector.nacks(10 * MS) == [3, 4]

    def test_what_was_only_overtaken_is_never_asked_for(self):
        detector = missing_after(1, 4, 2, 3)
        assert detector.nacks(10 * MS) == []

    def test_gaps_go_across_the_wrap(self):
        assert missing_after(65534, 65537).nacks(10 * MS) == [65535, 0]

    @pytest.mark.parametrize(
        ("answer_ms", "asked"),
        [(5, [10, 50, 90, 130, 170]), (80, [10, 110, 210, 310]), (700, [10, 260, 510, 760])],
    )
    def test_asks_again_when_an_answer_is_overdue_but_not_below_40_ms(self, answer_ms, asked):
        detector = missing_after(1, 3)
        assert detector.nacks(0) == [] and detector.nacks(10 * MS) == [2]
        detector.received(2, (10 + answer_ms) * MS)  # so long an answer takes
        begun = 1000
        detector.received(5, begun * MS)
        seen = [ms for ms in range(0, 990, 10) if detector.nacks((begun + ms) * MS)]
        assert seen[: len(asked)] == asked

    def test_of_several_asks_the_first_is_taken_for_answered_while_nothing_is_known(self):
        detector = missing_after(1, 3)
        for ms in (10, 60, 110):
            detector.nacks(ms * MS)
        detector.received(2, 115 * MS)
        assert detector.rtt_ns == 105 * MS

    def answered(self, detector: LossDetector, first: int, asks_ms: list[int], answer_ms: int) -> None:
        """A packet is missing, asked for at these times, and comes."""
        detector.received(first + 2, 0)
        for ms in asks_ms:
            assert detector.nacks(ms * MS) == [first + 1]
        detector.received(first + 1, answer_ms * MS)

    def test_a_later_one_of_several_teaches_nothing_when_either_may_be_meant(self):
        detector = missing_after(1)
        self.answered(detector, 1, [10], 90)
        self.answered(detector, 3, [10, 110], 190)  # a round trip after the second
        assert detector.rtt_ns == 80 * MS

    def test_what_comes_right_after_the_last_ask_answers_the_one_before(self):
        detector = missing_after(1)
        self.answered(detector, 1, [10], 90)
        self.answered(detector, 3, [10, 110], 130)
        assert detector.rtt_ns == (7 * 80 + 120) * MS // 8

    def test_stops_when_it_comes(self):
        detector = missing_after(1, 3)
        assert detector.nacks(10 * MS) == [2]
        detector.received(2, 20 * MS)
        assert detector.nacks(60 * MS) == []

    def test_gives_up_after_24_times(self):
        detector = missing_after(1, 3)
        asks = sum(len(detector.nacks(ms * MS)) for ms in range(0, 1490, 10))
        assert (asks, detector.overdue) == (24, 1)

    def test_after_a_second_it_is_overdue_and_still_asked_for(self):
        detector = missing_after(1, 3)
        assert (detector.nacks(990 * MS), detector.overdue) == ([2], 0)
        assert (detector.nacks(1040 * MS), detector.overdue) == ([2], 1)

    def test_gives_up_after_a_second_and_a_half(self):
        detector = missing_after(1, 3)
        assert detector.nacks(1500 * MS) == []
        assert (detector.nacks(1510 * MS), detector.overdue) == ([], 1)

    def test_a_gap_beyond_512_is_given_up_whole(self):
        detector = missing_after(1, 3, 600)
        assert detector.nacks(10 * MS) == []
        assert detector.overdue == 1 + 596
        detector.received(602, 20 * MS)
        assert detector.nacks(30 * MS) == [601]

    @given(st.lists(st.integers(0, 65535), max_size=200))
    def test_never_remembers_more_than_512(self, numbers):
        assert len(missing_after(*numbers).nacks(10 * MS)) <= 512
