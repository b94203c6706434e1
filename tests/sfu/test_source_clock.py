"""Which moment a publisher's timestamp means on this server's clock."""

from __future__ import annotations

import pytest

from liveserver.sfu.source_clock import PublisherClock, TrackClock, ns_from_ntp, ntp_from_ns

S = 1_000_000_000
NOW = 1_772_415_000 * S


class TestNtp:
    @pytest.mark.parametrize("wall_ns", [0, NOW, NOW + 123_456_789])
    def test_times_come_back_to_the_nanosecond(self, wall_ns):
        assert abs(ns_from_ntp(ntp_from_ns(wall_ns)) - wall_ns) <= 1

    def test_1970_is_2208988800_seconds_after_1900(self):
        assert ntp_from_ns(0) == 2_208_988_800 << 32


class TestTrackClock:
    def test_nothing_is_known_before_the_first_packet(self):
        assert TrackClock(PublisherClock(), 90000).timestamp_at(NOW) is None

    def test_before_a_report_a_timestamp_means_the_moment_its_packet_came(self):
        clock = TrackClock(PublisherClock(), 90000)
        clock.arrived(1000, NOW)
        assert clock.timestamp_at(NOW + S) == 91000
        clock.arrived(4600, NOW + S // 25)
        assert clock.timestamp_at(NOW + S // 25) == 4600

    def test_reports_keep_the_spacing_of_sound_and_picture(self):
        publisher = PublisherClock()
        sound, picture = TrackClock(publisher, 48000), TrackClock(publisher, 90000)
        theirs = NOW - 3600 * S  # the publisher's clock is an hour behind
        sound.reported(ntp_from_ns(theirs), 480, NOW)
        picture.reported(ntp_from_ns(theirs + S), 9000, NOW + S + 50_000_000)  # 50 ms late on the way
        assert sound.timestamp_at(NOW) == pytest.approx(480, abs=1)
        assert picture.timestamp_at(NOW + S) == pytest.approx(9000, abs=1)

    def test_later_reports_do_not_move_the_offset_of_the_publisher(self):
        publisher = PublisherClock()
        clock = TrackClock(publisher, 90000)
        clock.reported(ntp_from_ns(NOW), 0, NOW)
        clock.reported(ntp_from_ns(NOW + S), 90000, NOW + S + 300_000_000)
        assert clock.timestamp_at(NOW + S) == pytest.approx(90000, abs=1)

    def test_once_reported_arrivals_no_longer_count(self):
        clock = TrackClock(PublisherClock(), 90000)
        clock.reported(ntp_from_ns(NOW), 0, NOW)
        clock.arrived(77, NOW + S)
        assert clock.timestamp_at(NOW + S) == pytest.approx(90000, abs=1)

    def test_a_report_without_a_time_says_nothing(self):
        clock = TrackClock(PublisherClock(), 90000)
        clock.arrived(5, NOW)
        clock.reported(0, 99, NOW)
        assert clock.timestamp_at(NOW) == 5

    def test_timestamps_wrap(self):
        clock = TrackClock(PublisherClock(), 90000)
        clock.arrived(0xFFFFFFFF, NOW)
        assert clock.timestamp_at(NOW + S) == 89999
