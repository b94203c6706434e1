"""What a light viewer makes of packets: counts, gaps, repair, reports. The reference protects them."""

from __future__ import annotations

import time
from random import Random

import pytest

from liveserver.rtp import rtcp
from loadtest import _swarm
from loadtest.swarm.report import bucket_ns, histogram_quantiles
from loadtest.synthetic import trailer

from .feed import COUNTER, GCM, IDR, RTX_SSRC, SLICE, SSRC, Feed, running


class TestCounts:
    @pytest.mark.parametrize("profile", [GCM, COUNTER])
    def test_every_authentic_packet_counts_once(self, profile):
        with running() as native:
            feed = Feed(native, profile)
            feed.start()
            for index in range(100, 110):
                feed.video(index)
            feed.audio(5)
            counts = feed.counts(packets=11)
            feed.close()
        assert (counts["video_packets"], counts["audio_packets"]) == (10, 1)
        assert (counts["lost"], counts["missing"], counts["unauthentic"]) == (0, 0, 0)

    def test_what_comes_twice_is_a_duplicate(self, feed):
        feed.video(7)
        feed.video(7)
        assert feed.counts(duplicates=1)["packets"] == 1

    def test_what_is_not_authentic_counts_as_such(self, feed):
        feed.video(7)
        feed.socket.send(b"\x80\x66" + bytes(60))
        assert feed.counts(unauthentic=1, packets=1)

    def test_an_unknown_payload_type_and_garbage_are_told_apart(self, feed):
        feed.socket.send(b"\x80\x60" + bytes(60))
        feed.socket.send(b"\xff" * 40)
        feed.counts(unknown=1, malformed=1)

    def test_garbage_of_every_size_ends_nothing(self, feed):
        random = Random(1)
        for size in range(1, 1501):
            feed.socket.send(bytes((random.randrange(128, 192),)) + random.randbytes(size - 1))
        feed.video(1)
        assert feed.counts(packets=1)["malformed"] > 0

    def test_rtcp_that_is_authentic_and_malformed_ends_nothing(self, feed):
        for body in (b"\x80\xc8\xff\xff" + bytes(8), b"\x80\xc8\x00\x01" + bytes(5), b"\x80\xcb" + bytes(99)):
            feed.send_rtcp(body)
        feed.report(ntp=1)
        feed.counts(sender_reports=1, rtcp_packets=4)

    def test_padding_longer_than_the_packet_is_not_believed(self, feed):
        feed.send_rtp(b"\xa0\x66\x00\x01" + bytes(4) + SSRC.to_bytes(4), b"\x41\xff")
        feed.counts(packets=1)

    def test_numbers_go_on_over_the_wrap(self, feed):
        for index in range(65_530, 65_545):
            feed.video(index)
        assert feed.counts(packets=15)["missing"] == 0

    def test_packets_before_the_keys_are_kept_for_them(self):
        with running() as native:
            feed = Feed(native)
            for index in range(5):
                feed.video(index)
            feed.socket.send(b"\x00\x01")  # comes out at the other end behind them
            while native.take() is None:
                time.sleep(0.001)
            feed.start()
            feed.counts(packets=5, early=0)
            feed.close()

    def test_what_is_neither_rtp_nor_rtcp_is_handed_on_with_its_source(self):
        with running() as native:
            feed = Feed(native)
            feed.socket.send(b"\x16handshake")
            while (event := native.take()) is None:
                time.sleep(0.001)
            assert event == (feed.number, _swarm.CONTROL, feed.socket.getsockname(), b"\x16handshake")
            feed.close()


class TestRepair:
    def test_a_gap_is_asked_for_and_filled_by_rtx(self, feed):
        feed.video(100)
        feed.video(104)
        assert feed.heard(rtcp.Nack) == rtcp.Nack(0xABCDEF, SSRC, (101, 102, 103))
        for number, original in enumerate((101, 102, 103)):
            feed.repeat(number, original)
        counts = feed.counts(repaired=3, missing=0)
        assert (counts["packets"], counts["nacked"], counts["duplicates"]) == (5, 3, 0)

    def test_a_gap_that_stays_is_asked_for_again(self, feed):
        feed.video(100)
        feed.video(102)
        assert feed.heard(rtcp.Nack).sequences == (101,)
        assert feed.heard(rtcp.Nack).sequences == (101,)

    def test_what_is_never_repaired_is_lost_and_a_keyframe_asked_for(self, feed):
        feed.video(100, IDR, marker=True)
        feed.video(102)
        assert feed.heard(rtcp.PictureLoss) == rtcp.PictureLoss(0xABCDEF, SSRC)
        feed.counts(lost=1, missing=0)

    def test_lost_sound_is_not_asked_for(self, feed):
        feed.audio(1)
        feed.audio(3)
        assert feed.counts(audio_lost=1)["nacks"] == 0

    def test_rtx_of_what_has_come_is_a_duplicate(self, feed):
        feed.video(100)
        feed.repeat(0, 100)
        feed.counts(duplicates=1, packets=1)

    def test_thrown_away_packets_are_missing_and_count_as_discarded(self):
        with running(loss=0.5) as native:
            feed = Feed(native)
            feed.start()
            for index in range(200):
                feed.video(index)
            counts = feed.counts()
            while counts["packets"] + counts["discarded"] < 200:
                counts = feed.counts()
            feed.close()
        assert 50 < counts["discarded"] < 150
        assert counts["nacks"] > 0


class TestPicture:
    def test_the_first_picture_is_whole_with_all_packets_up_to_its_marker(self, feed):
        feed.video(10, IDR, timestamp=90)
        feed.video(12, SLICE, timestamp=90, marker=True)
        assert feed.counts(packets=2)["first_picture_ns"] == 0
        feed.repeat(0, 11, timestamp=90)
        assert feed.counts(packets=3)["first_picture_ns"] > 0

    def test_a_beginning_without_a_keyframe_asks_for_one(self, feed):
        feed.video(10, SLICE, marker=True)
        assert feed.heard(rtcp.PictureLoss).media_ssrc == SSRC
        assert feed.counts()["first_picture_ns"] == 0


class TestReports:
    def test_a_receiver_report_says_what_came_and_when_the_server_last_reported(self, feed):
        feed.report(ntp=0x1234_5678_9ABC_DEF0)
        feed.counts(sender_reports=1)
        for index in (65_534, 65_535, 65_537):
            feed.video(index)
        feed.counts(packets=3)
        feed.report(ntp=0x1234_5678_9ABC_DEF0)
        feed.counts(sender_reports=2)
        report = feed.heard(rtcp.ReceiverReport)
        while not report.reports or report.reports[0].last_sr == 0:
            report = feed.heard(rtcp.ReceiverReport)
        block = report.reports[0]
        assert (block.ssrc, block.highest_sequence, block.lost) == (SSRC, 65_537, 1)
        assert block.last_sr == 0x5678_9ABC

    def test_the_estimate_is_at_least_a_megabit(self, feed):
        feed.video(1, IDR, marker=True)
        assert 999_000 <= feed.heard(rtcp.Remb).bitrate_bps <= 1_000_000

    def test_the_name_stays_the_same(self, feed):
        assert feed.heard(rtcp.SourceDescription).cnames == feed.heard(rtcp.SourceDescription).cnames


class TestWays:
    def test_a_packet_that_says_when_it_left_is_timed(self):
        with running() as native:
            feed = Feed(native)
            feed.start()
            native.measure(True)
            sent_ns = time.monotonic_ns()
            feed.video(1, SLICE + trailer(sent_ns, 7, 0), marker=True)
            feed.counts(packets=1)
            passed_us = (time.monotonic_ns() - sent_ns) / 1000
            (picture,) = native.pictures()
            took = histogram_quantiles(native.latencies())
            feed.close()
        assert (picture[0], picture[1], picture[2], picture[4]) == (7, sent_ns, sent_ns, 1)
        assert sent_ns < picture[3]
        assert took is not None
        assert 0 < took["p50"] <= passed_us * 1.04

    def test_the_histogram_is_true_to_a_thirtieth(self):
        for ns in (0, 1, 31, 32, 33, 100, 999, 12_345, 10**6, 10**9, 3 * 10**10):
            edge = bucket_ns(_swarm.bucket(ns))
            assert ns <= edge <= ns * (1 + 1 / 31) + 1


def test_rtx_and_media_have_numbers_of_their_own(feed):
    assert RTX_SSRC != SSRC
    feed.video(60_000)
    feed.video(60_002)
    feed.repeat(3, 60_001)
    feed.video(60_003)
    feed.counts(packets=4, missing=0, unauthentic=0)
