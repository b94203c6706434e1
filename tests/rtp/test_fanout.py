"""The fan-out over a real socket: what viewers receive, read by libsrtp; and what never leaves.

Every test runs on the reference and on its native twin.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from liveserver.core.errors import PeerError
from liveserver.rtp import header, rtcp, srtp
from liveserver.rtp.fanout import STREAM, Fanout
from liveserver.rtp.flags import AUDIO, VIDEO, Flags
from liveserver.rtp.srtp import InboundSession, Profile
from liveserver.rtp.tables import MAX_SOURCES, RTX_BURST_BYTES, Counters

GCM, CM = Profile.AEAD_AES_128_GCM, Profile.AES128_CM_HMAC_SHA1_80
KEYS = {profile: (bytes(range(16)), bytes(range(64, 64 + srtp.KEY_SIZES[profile][1]))) for profile in Profile}
ROOM, NOW_NS, LEASE_NS = 3, 1000, 2000
SSRC, RTX_SSRC = 5000, 5001


class Viewer:
    """A peer's socket and its view of SRTP: `received()` is every packet that came, in the clear."""

    def __init__(self, profile: Profile = GCM, keys: tuple[bytes, bytes] | None = None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))
        self.profile = profile
        self.keys = keys or KEYS[profile]
        self.session = InboundSession(profile, *self.keys)

    @property
    def address(self) -> tuple[str, int]:
        return self.socket.getsockname()

    def datagrams(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(2000))
            except BlockingIOError:
                return found

    def received(self) -> list[header.Packet]:
        return [header.parse(self.session.unprotect(data)) for data in self.datagrams()]

    def sequences(self) -> list[int]:
        return [packet.sequence for packet in self.received()]


class Stage:
    """A fan-out, a room that may send, one table; `row()` adds a viewer's row to it."""

    def __init__(self, implementation: type[Fanout]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("127.0.0.1", 0))
        self.flags = Flags(8)
        self.flags.renew(ROOM, LEASE_NS)
        self.fanout = implementation(self.socket.fileno(), self.flags)
        self.table = self.fanout.add_table(ROOM, VIDEO)
        self.viewers: list[Viewer] = []
        self.sessions: dict[Viewer, int] = {}

    def viewer(self, profile: Profile = GCM) -> tuple[Viewer, int]:
        made = Viewer(profile)
        self.viewers.append(made)
        session = self.sessions[made] = self.fanout.add_session(profile, *made.keys, *made.address)
        return made, session

    def row(
        self, profile: Profile = GCM, *, rtx: bool = True, mid: bytes = b"1", live: bool = True
    ) -> tuple[Viewer, int]:
        made, session = self.viewer(profile)
        rtx_ssrc = RTX_SSRC if rtx else 0
        row = self.fanout.add_row(
            self.table, session, SSRC, 102, rtx_ssrc, 103 if rtx else 0, 4 if mid else 0, mid
        )
        self.fanout.set_live(row, live)
        return made, row

    def send(self, *numbers: int) -> int:
        return self.fanout.send(self.table, [source(number) for number in numbers], NOW_NS)

    def ask(self, viewer: Viewer, *sequences: int, now_ns: int = NOW_NS) -> int:
        """A NACK for the viewer's SSRC."""
        return self.fanout.retransmit(self.sessions[viewer], SSRC, list(sequences), now_ns)

    def close(self) -> None:
        self.fanout.close()
        for one in (self, *self.viewers):
            one.socket.close()


@pytest.fixture
def stage(implementation) -> Iterator[Stage]:
    made = Stage(implementation)
    yield made
    made.close()


def source(number: int, **fields) -> bytes:
    described = {"payload": b"media %d" % number, "marker": number % 2 == 1, **fields}
    return header.build(
        payload_type=96, sequence=number & 0xFFFF, timestamp=number * 3600 & 0xFFFFFFFF, ssrc=42, **described
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


class TestCatchingUp:
    """A row is fed from the history, frame by frame, and then goes live without a gap."""

    MS = 1_000_000

    def play(self, stage: Stage, *numbers: int, marker: bool = True) -> None:
        stage.fanout.send(stage.table, [source(n, marker=marker) for n in numbers], NOW_NS)

    def begin(self, stage: Stage, first: int, *, due_ns: int = NOW_NS, spare_bps: int = 12_000_000) -> int:
        """A row that catches up from `first`; the newest packet has just come."""
        viewer, row = stage.row(live=False)
        self.viewer = viewer
        stage.flags.renew(ROOM, 2**62)
        stage.fanout.rebase(row, 100, 0, 102, 103, first)
        stage.fanout.replay(row, first, 5 * 3600, NOW_NS, due_ns, spare_bps)
        return row

    def run(self, stage: Stage, until_ns: int) -> list[int]:
        """Pace whenever something is due; the moments."""
        moments, due_ns = [], stage.fanout.pace(0)[0]
        while 0 <= due_ns <= until_ns:
            moments.append(due_ns)
            due_ns = stage.fanout.pace(due_ns)[0]
        return moments

    def test_frames_leave_one_by_one_on_the_live_clock(self, stage):
        self.play(stage, 1, 2, 3, 4, 5)
        row = self.begin(stage, 1)
        assert stage.fanout.is_replaying(row) and not stage.fanout.is_live(row)
        moments = self.run(stage, NOW_NS + 1000 * self.MS)
        assert moments == [NOW_NS + n * 10 * self.MS for n in range(5)]
        packets = self.viewer.received()
        assert [packet.sequence for packet in packets] == [101, 102, 103, 104, 105]
        assert [packet.timestamp for packet in packets] == [5 * 3600 + n * 900 for n in range(5)]
        assert stage.fanout.counters(row).replayed == 5

    def test_nothing_leaves_before_it_is_due(self, stage):
        self.play(stage, 1)
        self.begin(stage, 1, due_ns=NOW_NS + 75)
        assert stage.fanout.pace(NOW_NS + 74) == (NOW_NS + 75, [])
        assert self.viewer.datagrams() == []

    def test_it_goes_live_with_the_first_packet_after_all_has_left(self, stage):
        self.play(stage, 1, 2)
        row = self.begin(stage, 1)
        self.run(stage, NOW_NS + 1000 * self.MS)
        assert stage.send(20) == 1 and stage.fanout.is_live(row) and not stage.fanout.is_replaying(row)
        assert [packet.sequence for packet in self.viewer.received()] == [101, 102, 120]

    def test_not_with_a_timestamp_that_would_go_back(self, stage):
        self.play(stage, 1, 2)
        row = self.begin(stage, 1)
        self.run(stage, NOW_NS + 1000 * self.MS)
        self.play(stage, 3)  # its own timestamp lies before the live clock's
        assert not stage.fanout.is_live(row)

    def test_live_frames_join_what_waits(self, stage):
        self.play(stage, 1, 2)
        row = self.begin(stage, 1)
        stage.fanout.pace(NOW_NS)
        assert stage.send(3) == 0
        self.run(stage, NOW_NS + 1000 * self.MS)
        assert not stage.fanout.is_live(row)
        assert self.viewer.sequences() == [101, 102, 103]

    def test_a_frame_waits_for_its_last_packet(self, stage):
        stage.fanout.send(stage.table, [source(1, marker=False)], NOW_NS)
        self.begin(stage, 1)
        assert stage.fanout.pace(NOW_NS) == (-1, [])
        self.play(stage, 2)
        assert len(self.run(stage, NOW_NS + 1000 * self.MS)) == 2

    def test_one_that_falls_too_far_behind_is_named_and_waits(self, stage):
        self.play(stage, 1)
        row = self.begin(stage, 1)
        for first in range(2, 1100, 100):
            self.play(stage, *range(first, first + 100))
        assert stage.fanout.pace(NOW_NS) == (-1, [row])
        assert not stage.fanout.is_replaying(row)
        assert stage.fanout.pace(NOW_NS) == (-1, [])

    def test_a_source_that_begins_anew_ends_it(self, stage):
        self.play(stage, 1, 2)
        row = self.begin(stage, 1)
        stage.fanout.clear_table(stage.table)
        assert not stage.fanout.is_replaying(row)
        assert (stage.fanout.pace(NOW_NS), stage.send(1)) == ((-1, []), 0)

    def test_the_flags_are_asked_for_each_frame(self, stage):
        self.play(stage, 1, 2)
        self.begin(stage, 1)
        stage.fanout.pace(NOW_NS)
        stage.flags.darken(ROOM, VIDEO)
        self.run(stage, NOW_NS + 1000 * self.MS)
        assert self.viewer.sequences() == [101]
        assert stage.fanout.stats.held == 1

    def test_a_replayed_packet_comes_again_with_the_timestamp_it_left_with(self, stage):
        self.play(stage, 1, 2, 3)
        self.begin(stage, 1)
        self.run(stage, NOW_NS + 1000 * self.MS)
        sent = {packet.sequence: packet.timestamp for packet in self.viewer.received()}
        assert stage.ask(self.viewer, 102) == 1
        assert self.viewer.received()[0].timestamp == sent[102]


class TestFillingUp:
    """Packets that leave together are made one size by RTP padding, where that takes little."""

    def sizes(self, stage: Stage, *sizes: int, **row: object) -> list[tuple[int, int]]:
        viewer, _ = stage.row(**row)
        packets = [source(n, payload=bytes(size)) for n, size in enumerate(sizes)]
        assert stage.fanout.send(stage.table, packets, NOW_NS) == len(sizes)
        return [(len(packet.payload), packet.padding) for packet in viewer.received()]

    def test_all_but_the_last_are_filled_up_to_the_largest(self, stage):
        assert self.sizes(stage, 99, 100, 80, 90) == [(99, 1), (100, 0), (80, 20), (90, 0)]

    def test_not_when_it_takes_much(self, stage):
        assert self.sizes(stage, 50, 100) == [(50, 0), (100, 0)]

    def test_without_rtx_it_comes_again_filled_up_as_it_was(self, stage):
        viewer, _ = stage.row(rtx=False)
        packets = [source(n, payload=bytes(size)) for n, size in enumerate((99, 100, 68))]
        stage.fanout.send(stage.table, packets, NOW_NS)
        sent = viewer.datagrams()
        assert stage.ask(viewer, 0, 1, 2) == 3
        assert viewer.datagrams() == sent

    def test_padding_is_no_payload_to_a_sender_report(self, stage):
        _, row = stage.row()
        stage.fanout.send(stage.table, [source(1, payload=bytes(9)), source(2, payload=bytes(10))], NOW_NS)
        assert stage.fanout.counters(row).octets == 19


class TestStreams:
    """ICE-TCP: packets behind their lengths (RFC 4571), dropped whole when the peer does not read."""

    @pytest.fixture
    def ends(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        listener = socket.create_server(("127.0.0.1", 0))
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
        theirs.settimeout(5)
        yield ours, theirs
        for one in (listener, theirs, ours):
            one.close()

    def frames(self, data: bytes) -> list[bytes]:
        found = []
        while data:
            size = int.from_bytes(data[:2])
            found.append(data[2 : 2 + size])
            data = data[2 + size :]
        return found

    def test_media_reports_and_octets_leave_on_the_stream(self, stage, ends):
        ours, theirs = ends
        viewer, row = stage.row()
        stream = stage.fanout.add_stream(ours.fileno())
        stage.fanout.move_session(stage.sessions[viewer], STREAM, stream)
        assert stage.send(1, 2) == 2
        assert stage.fanout.post(STREAM, stream, b"stun")
        assert stage.fanout.report(row, 1, 1, b"x")
        frames = self.frames(theirs.recv(5000))
        assert [header.parse(viewer.session.unprotect(data)).sequence for data in frames[:2]] == [1, 2]
        assert frames[2] == b"stun" and header.is_rtcp(frames[3]) and len(frames) == 4
        assert viewer.datagrams() == []

    def test_who_does_not_read_loses_packets_whole(self, stage, ends):
        ours, theirs = ends
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        stream = stage.fanout.add_stream(ours.fileno())
        taken = [n for n in range(5000) if stage.fanout.post(STREAM, stream, n.to_bytes(2) + bytes(1000))]
        assert stage.fanout.stats.dropped == 5000 - len(taken) > 0
        assert stage.fanout.pace(NOW_NS) == (NOW_NS + 10_000_000, [])
        data = bytearray()
        while len(data) < len(taken) * 1004:
            data += theirs.recv(1 << 20)
            stage.fanout.pace(NOW_NS)
        assert [int.from_bytes(frame[:2]) for frame in self.frames(bytes(data))] == taken
        assert stage.fanout.pace(NOW_NS) == (-1, [])

    def test_a_broken_or_removed_stream_drops(self, stage, ends):
        ours, theirs = ends
        stream = stage.fanout.add_stream(ours.fileno())
        theirs.close()
        ours.shutdown(socket.SHUT_RDWR)
        assert not stage.fanout.post(STREAM, stream, b"gone")
        stage.fanout.remove_stream(stream)
        assert not stage.fanout.post(STREAM, stream, b"gone")
        assert stage.fanout.stats.dropped == 2

    def test_media_that_waits_is_taken_back_in_the_dark_and_what_has_begun_cannot_be_opened(
        self, stage, ends
    ):
        ours, theirs = ends
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        viewer, _ = stage.row()
        stream = stage.fanout.add_stream(ours.fileno())
        stage.fanout.move_session(stage.sessions[viewer], STREAM, stream)
        numbers = list(range(1, 200))
        for number in numbers:
            stage.fanout.send(stage.table, [source(number, payload=bytes(997))], NOW_NS)
        assert stage.fanout.stats.dropped > 0
        stage.flags.darken(ROOM, VIDEO)
        stage.flags.darken(ROOM, 0)  # light again before anybody looked
        assert stage.fanout.post(STREAM, stream, b"\x14 a farewell by DTLS")
        assert stage.fanout.stats.held > 0
        data = b""
        while b"farewell" not in data:
            data += theirs.recv(1 << 20)
            stage.fanout.pace(NOW_NS)
        *media, farewell = self.frames(data)
        assert farewell == b"\x14 a farewell by DTLS"
        opened = []
        for packet in media:
            with contextlib.suppress(PeerError):
                opened.append(header.parse(viewer.session.unprotect(packet)).sequence)
        assert opened == numbers[: len(opened)]
        assert len(media) - len(opened) <= 1
        assert len(opened) + stage.fanout.stats.held == stage.fanout.stats.sent - 1

    def test_only_media_is_taken_back(self, stage, ends):
        ours, theirs = ends
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        viewer, row = stage.row()
        stream = stage.fanout.add_stream(ours.fileno())
        stage.fanout.move_session(stage.sessions[viewer], STREAM, stream)
        while stage.fanout.pace(NOW_NS)[0] < 0:  # until something waits
            stage.fanout.post(STREAM, stream, bytes(4000))
        assert stage.send(1) == 1 and stage.fanout.report(row, 1, 1, b"x")
        stage.flags.darken(ROOM, VIDEO)
        data = b""
        while stage.fanout.pace(NOW_NS)[0] >= 0:
            data += theirs.recv(1 << 20)
        while not header.is_rtcp((frames := self.frames(data))[-1]):
            data += theirs.recv(1 << 20)
        assert set(frames[:-1]) == {bytes(4000)}
        assert stage.fanout.stats.held == 1


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


class TestRetransmission:
    def test_goes_out_on_its_own_ssrc_with_the_original_number_first(self, stage):
        viewer, _ = stage.row()
        stage.send(300, 301)
        assert stage.ask(viewer, 301, 300) == 2
        first, second = viewer.received()[2:]
        assert (first.ssrc, first.payload_type, first.timestamp, first.marker) == (
            RTX_SSRC,
            103,
            301 * 3600,
            True,
        )
        assert first.payload == (301).to_bytes(2) + b"media 301" and first.extension(4) == b"1"
        assert second.sequence == first.sequence + 1

    def test_its_numbers_wrap_by_themselves(self, stage, libsrtp):
        viewer, session = stage.viewer()
        theirs = libsrtp(GCM, b"".join(viewer.keys), False)
        row = stage.fanout.add_row(stage.table, session, SSRC, 102, RTX_SSRC, 103, 0, b"")
        stage.fanout.set_live(row, True)
        stage.flags.renew(ROOM, 2**62)
        stage.send(1)
        viewer.datagrams()
        stage.fanout.move_session(session, "255.255.255.255", 9)  # what the system refuses is used up as well
        for number in range(65530):
            if number == 65400:
                stage.fanout.move_session(session, *viewer.address)
            stage.ask(viewer, 1, now_ns=NOW_NS + number * 1_000_000)
        for wire in viewer.datagrams():
            theirs.unprotect(wire)
        for expected in range(65530, 65600):
            assert stage.ask(viewer, 1, now_ns=NOW_NS + expected * 1_000_000) == 1
            (wire,) = viewer.datagrams()
            assert header.parse(theirs.unprotect(wire)).sequence == expected & 0xFFFF

    def test_does_not_count_as_media(self, stage):
        viewer, row = stage.row()
        stage.send(1)
        before = stage.fanout.counters(row)
        assert stage.ask(viewer, 1) == 1
        assert stage.fanout.counters(row) == before._replace(rtx=1)

    def test_what_is_not_kept_is_unknown(self, stage):
        viewer, row = stage.row()
        stage.send(1, 2)
        assert stage.ask(viewer, 3, 30_000, 65_000) == 0
        stage.send(1 + 1024)  # takes the place of the first
        assert stage.ask(viewer, 1) == 0
        assert stage.fanout.counters(row).rtx_unknown == 4

    def test_a_storm_is_held_to_the_budget(self, stage):
        viewer, row = stage.row()
        viewer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        stage.flags.renew(ROOM, 2**62)
        packet = source(1, payload=bytes(988))  # 1,000 octets
        stage.fanout.send(stage.table, [packet], NOW_NS)
        answered = sum(stage.ask(viewer, *[1] * 10) for _ in range(100))
        assert answered == RTX_BURST_BYTES // 1000
        assert stage.fanout.counters(row).rtx_capped == 100 - answered // 10
        assert stage.ask(viewer, 1, 1, now_ns=NOW_NS + 1_000_000) == 1  # 1.5 kB a millisecond

    @pytest.mark.parametrize("profile", [GCM, CM])
    def test_without_rtx_the_very_same_octets_go_out_again(self, stage, profile):
        viewer, _ = stage.row(profile, rtx=False)
        for number in range(65530, 65540):
            stage.send(number)
        sent = viewer.datagrams()
        assert stage.ask(viewer, 65531, 65539 & 0xFFFF) == 2  # on either side of the wrap
        assert viewer.datagrams() == [sent[1], sent[9]]


class TestNoNonceIsUsedTwice:
    """With GCM, two different packets under one index would give the authentication key away."""

    def test_a_number_that_left_does_not_leave_again(self, stage):
        viewer, _ = stage.row()
        stage.send(1, 2, 3)
        assert stage.send(2) == 0
        assert stage.fanout.send(stage.table, [source(3, payload=b"other")], NOW_NS) == 0
        assert viewer.sequences() == [1, 2, 3] and stage.fanout.stats.refused == 2

    def test_nor_after_offsets_that_go_back(self, stage):
        _, row = stage.row()
        stage.send(10, 11, 12)
        stage.fanout.rebase(row, -2 & 0xFFFF, 0, 102, 103)
        assert stage.send(13, 14) == 0
        assert stage.send(15) == 1

    def test_nor_for_a_number_too_old_to_remember(self, stage):
        stage.row()
        stage.send(1)
        stage.send(2000)
        assert stage.send(2000 - 1023) == 1
        assert stage.send(2000 - 1024) == 0

    def test_nor_after_the_row_was_removed_and_made_anew(self, stage):
        viewer, session = stage.viewer()
        for expected in ([1, 2], [3]):
            row = stage.fanout.add_row(stage.table, session, SSRC, 102, RTX_SSRC, 103, 0, b"")
            stage.fanout.set_live(row, True)
            stage.send(1, 2) if expected == [1, 2] else stage.send(1, 2, 3)
            stage.ask(viewer, 1)
            packets = viewer.received()
            assert [p.sequence for p in packets if p.ssrc == SSRC] == expected
            stage.fanout.remove_row(row)
        assert [p.sequence for p in packets if p.ssrc == RTX_SSRC] == [1]

    def test_without_rtx_only_what_left_under_the_number_is_repeated(self, stage):
        viewer, row = stage.row(rtx=False)
        stage.send(1, 2, 3)
        stage.fanout.rebase(row, 1, 0, 102, 0)  # number 2 is the source's packet 1 now
        viewer.datagrams()
        assert stage.ask(viewer, 2) == 0
        stage.fanout.rebase(row, 0, 1, 102, 0)  # and packet 2 has another timestamp
        assert stage.ask(viewer, 2) == 0
        assert viewer.datagrams() == [] and stage.fanout.stats.refused == 2

    def test_without_rtx_nothing_is_repeated_under_another_payload_type(self, stage):
        viewer, row = stage.row(rtx=False)
        stage.send(1)
        stage.fanout.rebase(row, 0, 0, 120, 0)
        assert stage.ask(viewer, 1) == 0


class TestEpochs:
    def test_source_packets_from_before_the_epoch_are_refused(self, stage):
        viewer, row = stage.row()
        stage.fanout.rebase(row, 100, 0, 102, 103, 50)
        assert stage.send(49) == 0
        assert stage.send(50, 51) == 2
        assert stage.send(48) == 0
        assert viewer.sequences() == [150, 151]

    def test_an_epoch_may_last_for_any_number_of_packets(self, stage):
        _, row = stage.row()
        stage.fanout.rebase(row, 0, 0, 102, 103, 0)
        assert all(stage.send(number) == 1 for number in range(0, 200_000, 1000))


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
