"""The fan-out over a real socket: what viewers receive, read by libsrtp; and what never leaves.

Every test runs on the reference and on its native twin.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from liveserver.core.errors import PeerError
from liveserver.rtp import header, rtcp, srtp
from liveserver.rtp.fanout import MAX_SOURCES, Fanout
from liveserver.rtp.flags import AUDIO, VIDEO, Flags
from liveserver.rtp.srtp import InboundSession, Profile

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
        self.table = self.fanout.add_table()
        self.viewers: list[Viewer] = []

    def viewer(self, profile: Profile = GCM) -> tuple[Viewer, int]:
        made = Viewer(profile)
        self.viewers.append(made)
        return made, self.fanout.add_session(profile, *made.keys, *made.address)

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

    def send(self, *numbers: int, kind: int = VIDEO) -> int:
        return self.fanout.send(self.table, ROOM, kind, [source(number) for number in numbers], NOW_NS)

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
        stage.fanout.send(stage.table, ROOM, VIDEO, [adorned], NOW_NS)
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
        other = stage.fanout.add_table()
        stage.fanout.move_row(row, other)
        assert stage.send(1) == 0
        stage.fanout.send(other, ROOM, VIDEO, [source(2)], NOW_NS)
        assert viewer.sequences() == [2]

    def test_rows_outlive_their_table_and_wait(self, stage):
        viewer, row = stage.row()
        stage.fanout.remove_table(stage.table)
        stage.fanout.set_live(row, True)
        assert stage.send(1) == 0
        stage.table = stage.fanout.add_table()
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
        assert stage.fanout.send_row(row, ROOM, VIDEO, source(1), 0, NOW_NS) == -1
        assert not stage.fanout.send_rtx(row, ROOM, VIDEO, source(1), 1, 0, NOW_NS)
        assert stage.fanout.counters(row) == (0, 0, 0, 0)
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
        assert stage.fanout.send_row(row, ROOM, VIDEO, source(4), 0, NOW_NS) == -1
        assert not stage.fanout.send_rtx(row, ROOM, VIDEO, source(1), 1, 3600, NOW_NS)
        assert stage.fanout.stats.held == 4 and len(viewer.datagrams()) == 1
        assert stage.fanout.send_rtcp(session, rtcp.Bye((SSRC,)).build())
        assert rtcp.parse(viewer.session.unprotect_rtcp(viewer.datagrams()[0])) == [rtcp.Bye((SSRC,))]

    def test_each_kind_is_held_by_itself(self, stage):
        stage.row()
        stage.flags.hold(ROOM, VIDEO)
        assert stage.send(1, kind=VIDEO) == 0
        assert stage.send(1, kind=AUDIO) == 1

    def test_a_room_whose_lease_ran_out_is_dark(self, stage):
        stage.row()
        assert stage.fanout.send(stage.table, ROOM, VIDEO, [source(1)], LEASE_NS) == 0


class TestOneRow:
    def test_carries_the_timestamp_it_is_given_live_or_not(self, stage):
        viewer, row = stage.row(live=False)
        stage.fanout.rebase(row, 10, 0, 102, 103)
        assert stage.fanout.send_row(row, ROOM, VIDEO, source(1), 777, NOW_NS) == 11
        assert [(p.sequence, p.timestamp) for p in viewer.received()] == [(11, 777)]

    def test_counters_are_what_a_sender_report_needs(self, stage):
        _, row = stage.row()
        assert stage.fanout.counters(row) == (0, 0, 0, 0)
        stage.send(1, 2, 4, 3)
        assert stage.fanout.counters(row) == (4, 4 * len(b"media 1"), 4, 4 * 3600)


class TestRetransmission:
    def test_goes_out_on_its_own_ssrc_with_the_original_number_first(self, stage):
        viewer, row = stage.row()
        stage.send(300, 301)
        assert stage.fanout.send_rtx(row, ROOM, VIDEO, source(301), 301, 301 * 3600, NOW_NS)
        assert stage.fanout.send_rtx(row, ROOM, VIDEO, source(300), 300, 300 * 3600, NOW_NS)
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
        stage.fanout.move_session(session, "255.255.255.255", 9)  # what the system refuses is used up as well
        for number in range(65530):
            if number == 65400:
                stage.fanout.move_session(session, *viewer.address)
            stage.fanout.send_rtx(row, ROOM, VIDEO, source(1), 1, 3600, NOW_NS)
        for wire in viewer.datagrams():
            theirs.unprotect(wire)
        for expected in range(65530, 65600):
            assert stage.fanout.send_rtx(row, ROOM, VIDEO, source(1), 1, 3600, NOW_NS)
            (wire,) = viewer.datagrams()
            assert header.parse(theirs.unprotect(wire)).sequence == expected & 0xFFFF

    def test_does_not_count_as_media(self, stage):
        _, row = stage.row()
        stage.send(1)
        before = stage.fanout.counters(row)
        stage.fanout.send_rtx(row, ROOM, VIDEO, source(1), 1, 3600, NOW_NS)
        assert stage.fanout.counters(row) == before

    @pytest.mark.parametrize("profile", [GCM, CM])
    def test_without_rtx_the_very_same_octets_go_out_again(self, stage, profile):
        viewer, row = stage.row(profile, rtx=False)
        for number in range(65530, 65540):
            stage.send(number)
        sent = viewer.datagrams()
        for number in (65531, 65539):  # on either side of the wrap
            packet = source(number)
            timestamp = header.parse(packet).timestamp
            assert stage.fanout.send_rtx(row, ROOM, VIDEO, packet, number & 0xFFFF, timestamp, NOW_NS)
        assert viewer.datagrams() == [sent[1], sent[9]]


class TestNoNonceIsUsedTwice:
    """With GCM, two different packets under one index would give the authentication key away."""

    def test_a_number_that_left_does_not_leave_again(self, stage):
        viewer, row = stage.row()
        stage.send(1, 2, 3)
        assert stage.send(2) == 0
        assert stage.fanout.send_row(row, ROOM, VIDEO, source(3, payload=b"other"), 5, NOW_NS) == -1
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
            stage.fanout.send_rtx(row, ROOM, VIDEO, source(1), 1, 3600, NOW_NS)
            packets = viewer.received()
            assert [p.sequence for p in packets if p.ssrc == SSRC] == expected
            stage.fanout.remove_row(row)
        assert [p.sequence for p in packets if p.ssrc == RTX_SSRC] == [1]

    @pytest.mark.parametrize(
        ("packet", "number", "timestamp"),
        [
            (source(2, payload=b"other"), 2, 7200),
            (source(2, marker=True), 2, 7200),
            (source(2), 2, 7201),
            (source(2), 3, 7200),
            (source(2), 4, 7200),
        ],
    )
    def test_without_rtx_only_what_left_under_the_number_is_repeated(self, stage, packet, number, timestamp):
        viewer, row = stage.row(rtx=False)
        stage.send(1, 2, 3)
        viewer.datagrams()
        assert not stage.fanout.send_rtx(row, ROOM, VIDEO, packet, number, timestamp, NOW_NS)
        assert viewer.datagrams() == []

    def test_without_rtx_nothing_is_repeated_under_another_payload_type(self, stage):
        _, row = stage.row(rtx=False)
        stage.send(1)
        stage.fanout.rebase(row, 0, 0, 120, 0)
        assert not stage.fanout.send_rtx(row, ROOM, VIDEO, source(1), 1, 3600, NOW_NS)


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
        sent = stage.fanout.send(stage.table, ROOM, VIDEO, [source(1), b"\x80junk", source(2)], NOW_NS)
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
        viewer, row = stage.row()
        for data in corpus("rtp") + corpus("rtcp"):
            stage.fanout.send(stage.table, ROOM, VIDEO, [data], NOW_NS)
            stage.fanout.send_row(row, ROOM, VIDEO, data, 1, NOW_NS)
            stage.fanout.send_rtx(row, ROOM, VIDEO, data, 1, 1, NOW_NS)
            for wire in viewer.datagrams():
                with pytest.raises(PeerError):
                    viewer.session.unprotect(wire[:-1] + bytes((wire[-1] ^ 1,)))
                header.parse(viewer.session.unprotect(wire))
