"""What was lost is sent again, within a budget, and no nonce is used twice whatever is asked for."""

from __future__ import annotations

import socket

import pytest

from liveserver.rtp import header
from liveserver.rtp.tables import RTX_BURST_BYTES
from tests.rtp.stage import (
    CM,
    GCM,
    NOW_NS,
    ROOM,
    RTX_SSRC,
    SSRC,
    source,
)


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
