"""The fan-out over a real socket: what viewers receive, and what never leaves.

Every test of it, here and in the files beside this one, runs on the reference and on its native twin.
"""

from __future__ import annotations

import socket

import pytest

from liveserver.core.errors import PeerError
from liveserver.rtp import header, rtcp
from liveserver.rtp.flags import AUDIO, VIDEO, Flags
from liveserver.rtp.tables import MAX_SOURCES, Counters
from tests.rtp.stage import (
    CM,
    GCM,
    KEYS,
    LEASE_NS,
    NOW_NS,
    ROOM,
    RTX_SSRC,
    SSRC,
    Viewer,
    source,
)


class TestRewriting:
    def test_numbers_marking_and_source_are_the_row_s_the_payload_and_marker_the_source_s(self, stage):
        viewer, row = stage.row()
        stage.fanout.rebase(row, 1000, 90000, 107, 108)
        assert stage.send(65535) == 1
        (packet,) = viewer.received()
        assert (packet.sequence, packet.timestamp) == (999, 65535 * 3600 + 90000)
        assert (packet.ssrc, packet.payload_type, packet.marker) == (SSRC, 107, True)
        assert packet.payload == b"media 65535"

    def test_timestamps_wrap(self, stage):
        viewer, row = stage.row()
        stage.fanout.rebase(row, 0, 0xFFFFFFFF, 102, 103)
        stage.send(1)
        assert viewer.received()[0].timestamp == 3599

    def test_what_the_source_adds_to_its_header_stays_behind(self, stage):
        viewer, _ = stage.row()
        adorned = source(1, csrcs=(1, 2), extensions={1: b"theirs", 4: b"0", 7: b"level"}, padding=8)
        stage.fanout.send(stage.table, [adorned], NOW_NS)
        (packet,) = viewer.received()
        assert (packet.payload, packet.padding, packet.data[0] & 0x0F) == (b"media 1", 0, 0)
        assert (packet.extension(4), packet.extension(1), packet.extension(7)) == (b"1", None, None)

    def test_without_a_mid_there_is_no_extension(self, stage):
        viewer, _ = stage.row(mid=b"")
        stage.send(1)
        assert viewer.received()[0].payload_offset == header.HEADER_BYTES

    def test_every_live_row_is_served_in_order(self, stage):
        viewers = [stage.row(profile)[0] for profile in (GCM, CM, GCM)]
        assert stage.send(1, 2, 3) == 9
        assert [viewer.sequences() for viewer in viewers] == [[1, 2, 3]] * 3

    @pytest.mark.parametrize("profile", [GCM, CM])
    def test_another_implementation_reads_it_over_wraps(self, stage, libsrtp, profile):
        viewer, row = stage.row(profile)
        stage.fanout.rebase(row, 77, 0, 102, 103)
        theirs = libsrtp(profile, b"".join(viewer.keys), False)
        for start in range(60000, 60000 + 140000, 5000):
            stage.send(start, start + 2, start + 1)
            for wire, number in zip(viewer.datagrams(), (start, start + 2, start + 1), strict=True):
                packet = header.parse(theirs.unprotect(wire))
                assert packet.sequence == (number + 77) & 0xFFFF and packet.payload == b"media %d" % number


class TestRows:
    def test_a_new_row_is_not_live(self, stage):
        viewer, row = stage.row(live=False)
        assert stage.send(1) == 0
        stage.fanout.set_live(row, True)
        assert stage.send(2) == 1
        stage.fanout.set_live(row, False)
        assert stage.send(3) == 0
        assert viewer.sequences() == [2]

    def test_a_moved_row_is_fed_from_the_other_track(self, stage):
        viewer, row = stage.row()
        other = stage.fanout.add_table(ROOM, VIDEO)
        stage.fanout.move_row(row, other)
        assert stage.send(1) == 0
        stage.fanout.send(other, [source(2)], NOW_NS)
        assert viewer.sequences() == [2]

    def test_rows_outlive_their_table_and_wait(self, stage):
        viewer, row = stage.row()
        stage.fanout.remove_table(stage.table)
        stage.fanout.set_live(row, True)
        assert stage.send(1) == 0
        stage.table = stage.fanout.add_table(ROOM, VIDEO)
        stage.fanout.move_row(row, stage.table)
        assert stage.send(2) == 0
        stage.fanout.set_live(row, True)
        assert stage.send(3) == 1 and viewer.sequences() == [3]

    def test_a_session_s_rows_go_with_it(self, stage):
        viewer, session = stage.viewer()
        row = stage.fanout.add_row(stage.table, session, SSRC, 102, 0, 0, 0, b"")
        stage.fanout.set_live(row, True)
        stage.fanout.remove_session(session)
        assert stage.send(1) == 0 and not stage.fanout.send_rtcp(session, rtcp.Bye((1,)).build())
        assert viewer.datagrams() == []

    def test_a_moved_session_is_reached_at_its_new_address(self, stage):
        viewer, session = stage.viewer()
        row = stage.fanout.add_row(stage.table, session, SSRC, 102, 0, 0, 0, b"")
        stage.fanout.set_live(row, True)
        elsewhere, _ = stage.viewer()
        stage.fanout.move_session(session, *elsewhere.address)
        stage.send(1)
        assert viewer.datagrams() == [] and elsewhere.sequences() == [1]

    def test_calls_about_what_is_gone_do_nothing(self, stage):
        viewer, row = stage.row()
        stage.fanout.remove_row(row)
        stage.fanout.remove_row(row)
        stage.fanout.set_live(row, True)
        stage.fanout.rebase(row, 1, 1, 1, 1)
        stage.fanout.move_row(row, stage.table)
        stage.fanout.remove_table(99)
        stage.fanout.remove_session(99)
        stage.fanout.move_session(99, "127.0.0.1", 9)
        stage.fanout.clear_table(99)
        stage.fanout.replay(row, 1, 0, 0, 0, 1000)
        stage.fanout.remove_stream(99)
        assert stage.fanout.pace(NOW_NS) == (-1, [])
        assert stage.ask(viewer, 1) == stage.fanout.report_table(99, 1, 1, b"x", 0, 1) == 0
        assert not stage.fanout.report(row, 1, 1, b"x")
        assert not stage.fanout.is_live(row) and not stage.fanout.is_replaying(row)
        assert stage.fanout.counters(row) == Counters()
        assert stage.send(1) == 0 and viewer.datagrams() == []

    @pytest.mark.parametrize(("ssrc", "rtx_ssrc"), [(SSRC, 9), (9, SSRC), (RTX_SSRC, 9), (9, 9)])
    def test_an_ssrc_belongs_to_one_row_of_a_session(self, stage, ssrc, rtx_ssrc):
        _, session = stage.viewer()
        stage.fanout.add_row(stage.table, session, SSRC, 102, RTX_SSRC, 103, 0, b"")
        with pytest.raises(ValueError, match="SSRC"):
            stage.fanout.add_row(stage.table, session, ssrc, 102, rtx_ssrc, 103, 0, b"")

    def test_a_session_sends_with_64_ssrcs_at_most(self, stage):
        _, session = stage.viewer()
        for ssrc in range(1, MAX_SOURCES + 1):
            stage.fanout.remove_row(stage.fanout.add_row(stage.table, session, ssrc, 102, 0, 0, 0, b""))
        with pytest.raises(ValueError, match="at most"):
            stage.fanout.add_row(stage.table, session, MAX_SOURCES + 1, 102, 0, 0, 0, b"")

    def test_addresses_are_numbers_never_names(self, stage):
        with pytest.raises(ValueError, match="localhost"):
            stage.fanout.add_session(GCM, *KEYS[GCM], "localhost", 9)

    def test_a_dual_stack_socket_reaches_ipv4_peers(self, implementation):
        flags = Flags(1)
        flags.renew(0, LEASE_NS)
        try:
            dual = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            dual.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            dual.bind(("::", 0))
        except OSError as error:
            pytest.skip(f"this host has no IPv6: {error}")
        viewer, fanout = Viewer(), implementation(dual.fileno(), flags)
        session = fanout.add_session(GCM, *viewer.keys, *viewer.address)
        assert fanout.send_rtcp(session, rtcp.Bye((7,)).build())
        assert rtcp.parse(viewer.session.unprotect_rtcp(viewer.datagrams()[0])) == [rtcp.Bye((7,))]
        fanout.close()
        for one in (dual, viewer.socket):
            one.close()


class TestFlags:
    def test_a_dark_room_sends_nothing_but_rtcp(self, stage):
        viewer, session = stage.viewer()
        row = stage.fanout.add_row(stage.table, session, SSRC, 102, RTX_SSRC, 103, 0, b"")
        stage.fanout.set_live(row, True)
        stage.send(1)
        stage.flags.darken(ROOM, VIDEO | AUDIO)
        assert stage.send(2, 3) == 0
        stage.fanout.replay(row, 3, 0, 0, NOW_NS, 1000)
        stage.fanout.pace(NOW_NS)
        assert stage.ask(viewer, 1) == 0
        assert stage.fanout.stats.held == 4 and len(viewer.datagrams()) == 1
        assert stage.fanout.send_rtcp(session, rtcp.Bye((SSRC,)).build())
        assert rtcp.parse(viewer.session.unprotect_rtcp(viewer.datagrams()[0])) == [rtcp.Bye((SSRC,))]

    def test_each_kind_is_held_by_itself(self, stage):
        stage.row()
        stage.flags.hold(ROOM, VIDEO)
        assert stage.send(1) == 0
        stage.table = stage.fanout.add_table(ROOM, AUDIO)
        stage.row()
        assert stage.send(1) == 1

    def test_a_room_whose_lease_ran_out_is_dark(self, stage):
        stage.row()
        assert stage.fanout.send(stage.table, [source(1)], LEASE_NS) == 0


class TestFailures:
    def test_a_malformed_packet_is_counted_and_the_others_leave(self, stage):
        viewer, _ = stage.row()
        sent = stage.fanout.send(stage.table, [source(1), b"\x80junk", source(2)], NOW_NS)
        assert (sent, stage.fanout.stats.refused) == (2, 1)
        assert viewer.sequences() == [1, 2]

    def test_one_row_s_error_does_not_stop_the_others(self, stage):
        stage.row()
        viewer, _ = stage.row()
        broken, session = stage.viewer()
        stage.fanout.move_session(session, "255.255.255.255", 9)  # refused by the system: no broadcast
        row = stage.fanout.add_row(stage.table, session, SSRC, 102, 0, 0, 0, b"")
        stage.fanout.set_live(row, True)
        last, _ = stage.row()
        assert stage.send(1, 2) == 6
        assert stage.fanout.stats.dropped == 2
        assert viewer.sequences() == last.sequences() == [1, 2] and broken.datagrams() == []

    def test_hostile_packets_are_forwarded_or_refused(self, stage, corpus):
        viewer, _ = stage.row()
        for data in corpus("rtp") + corpus("rtcp"):
            stage.fanout.send(stage.table, [data], NOW_NS)
            stage.ask(viewer, int.from_bytes(data[2:4]))
            for wire in viewer.datagrams():
                with pytest.raises(PeerError):
                    viewer.session.unprotect(wire[:-1] + bytes((wire[-1] ^ 1,)))
                header.parse(viewer.session.unprotect(wire))
