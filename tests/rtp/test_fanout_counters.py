"""What the fan-out counts and says of itself: counters, reports, when the last packet left."""

from __future__ import annotations

import socket
import time

import pytest

from liveserver.rtp import header, rtcp
from liveserver.rtp.fanout import STREAM
from liveserver.rtp.flags import VIDEO
from liveserver.rtp.tables import Counters
from tests.rtp.stage import (
    NOW_NS,
    ROOM,
    SSRC,
    Viewer,
)


class TestCounters:
    def test_they_are_what_a_sender_report_needs(self, stage):
        _, row = stage.row()
        assert stage.fanout.counters(row) == Counters()
        stage.send(1, 2, 4, 3)
        assert stage.fanout.counters(row)[:5] == (4, 4 * len(b"media 1"), 4, 4 * 3600, NOW_NS)

    def test_what_a_viewer_reports_is_kept_by_row(self, stage):
        viewer, row = stage.row()
        session = stage.sessions[viewer]
        stage.fanout.reported(session, SSRC, 64, -3, 70_000, 9, 77)
        stage.fanout.reported(session, SSRC + 7, 1, 1, 1, 1, 1)
        counters = stage.fanout.counters(row)
        assert (counters.reported_ns, counters.fraction_lost, counters.lost) == (77, 64, -3)
        assert (counters.highest_sequence, counters.jitter) == (70_000, 9)

    def reports(self, stage, session: int, *, highest: int, at_s: float) -> list[tuple[int, bool, int]]:
        stage.fanout.reported(session, SSRC, 0, 0, highest, 0, int(at_s * 1e9))
        return stage.fanout.receptions(int(at_s * 1e9))

    def test_who_reports_what_was_just_sent_receives(self, stage):
        viewer, _ = stage.row()
        session = stage.sessions[viewer]
        assert stage.fanout.receptions(10**9) == []
        stage.send(1, 2)
        assert self.reports(stage, session, highest=2, at_s=1) == [(session, True, 10**9)]
        assert self.reports(stage, session, highest=2, at_s=2) == [], "no news"

    @pytest.mark.parametrize("highest", [1, 3, 2 + 4096, 70_000])
    def test_who_reports_anything_else_is_not_believed(self, stage, highest):
        viewer, _ = stage.row()
        session = stage.sessions[viewer]
        self.reports(stage, session, highest=highest, at_s=1)
        stage.send(2) if highest == 1 else None
        assert stage.fanout.receptions(2 * 10**9) == []

    def test_a_number_that_stands_still_is_no_evidence(self, stage):
        viewer, _ = stage.row()
        session = stage.sessions[viewer]
        stage.send(1)
        for second in range(1, 9):
            news = self.reports(stage, session, highest=1, at_s=second)
            assert news == ([(session, True, 10**9)] if second == 1 else [])
        assert self.reports(stage, session, highest=1, at_s=9) == [(session, False, 10**9)]

    def test_the_estimate_of_a_path_is_its_session_s(self, stage):
        viewer, _ = stage.row()
        stage.fanout.estimated(stage.sessions[viewer], 3_000_000_000)
        assert stage.fanout.bandwidth_bps(stage.sessions[viewer]) == 3_000_000_000
        assert stage.fanout.bandwidth_bps(99) == 0


class TestReports:
    def reports(self, viewer: Viewer) -> list[rtcp.Rtcp]:
        return [part for data in viewer.datagrams() if header.is_rtcp(data)
                for part in rtcp.parse(viewer.session.unprotect_rtcp(data))]  # fmt: skip

    @pytest.mark.parametrize("cname", [b"", b"a", b"ab", b"abc", b"lesson", b"x" * 255])
    def test_a_report_ties_the_row_s_timestamps_to_the_time(self, stage, cname):
        viewer, row = stage.row()
        stage.fanout.rebase(row, 0, 1000, 102, 103)
        stage.send(1, 2)
        assert stage.fanout.report(row, 2**63 + 5, 0xFFFFFFFF, cname)
        octets = 2 * len(b"media 1")
        assert self.reports(viewer) == [
            rtcp.SenderReport(SSRC, 2**63 + 5, 999, 2, octets),
            rtcp.SourceDescription({SSRC: cname.decode()}),
        ]

    def test_a_table_s_rows_are_told_in_parts(self, stage):
        viewers = [stage.row()[0] for _ in range(3)]
        assert stage.fanout.report_table(stage.table, 1, 2, b"x", SSRC % 4, 4) == 3
        assert stage.fanout.report_table(stage.table, 1, 2, b"x", (SSRC + 1) % 4, 4) == 0
        assert [len(self.reports(viewer)) for viewer in viewers] == [2, 2, 2]


class TestWhenItLeft:
    """The words by which a cut knows its own length."""

    def test_the_room_s_newest_datagram_of_media_is_timed(self, stage):
        before_ns = time.monotonic_ns()
        stage.row()
        assert (stage.flags.last_udp_ns(ROOM), stage.flags.last_tcp_ns(ROOM)) == (0, 0)
        stage.send(1)
        assert before_ns <= stage.flags.last_udp_ns(ROOM) <= time.monotonic_ns()
        assert (stage.flags.last_tcp_ns(ROOM), stage.flags.last_udp_ns(ROOM + 1)) == (0, 0)

    @pytest.mark.parametrize("repair", ["send", "retransmit", "replay"])
    def test_every_way_out_is_timed_and_none_is_under_way_afterwards(self, stage, repair):
        viewer, _ = stage.row()
        stage.send(1)
        first_ns = stage.flags.last_udp_ns(ROOM)
        if repair == "send":
            stage.send(2)
        elif repair == "retransmit":
            assert stage.ask(viewer, 1) == 1
        else:
            _, late = stage.row(live=False)
            stage.fanout.replay(late, 1, 0, NOW_NS, NOW_NS, 10**9)
            stage.fanout.pace(NOW_NS)
        assert stage.flags.last_udp_ns(ROOM) > first_ns
        assert not stage.flags.is_sending(ROOM)

    def test_what_is_held_back_and_what_is_not_media_is_not(self, stage):
        viewer, row = stage.row()
        stage.send(1)
        last_ns = stage.flags.last_udp_ns(ROOM)
        stage.flags.darken(ROOM, VIDEO)
        assert stage.send(2) == 0 and stage.ask(viewer, 1) == 0
        assert stage.fanout.report(row, 1, 1, b"x")
        assert stage.fanout.post(*viewer.address, b"stun")
        assert stage.flags.last_udp_ns(ROOM) == last_ns

    def test_tcp_has_a_time_of_its_own(self, stage):
        viewer, _ = stage.row()
        ours, theirs = socket.socketpair()
        stream = stage.fanout.add_stream(ours.fileno())
        stage.fanout.move_session(stage.sessions[viewer], STREAM, stream)
        assert stage.fanout.post(STREAM, stream, b"stun")
        assert stage.flags.last_tcp_ns(ROOM) == 0
        stage.send(1)
        assert stage.flags.last_tcp_ns(ROOM) > 0 == stage.flags.last_udp_ns(ROOM)
        for one in (ours, theirs):
            one.close()
