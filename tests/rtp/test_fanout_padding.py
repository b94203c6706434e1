"""Packets that leave together are made one size, so that the kernel takes them in one call."""

from __future__ import annotations

from tests.rtp.stage import (
    NOW_NS,
    Stage,
    source,
)


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
