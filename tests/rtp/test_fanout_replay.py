"""Who comes late is sent what the history has of the picture, and then goes live."""

from __future__ import annotations

from liveserver.rtp.flags import VIDEO
from tests.rtp.stage import (
    NOW_NS,
    ROOM,
    Stage,
    source,
)


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
