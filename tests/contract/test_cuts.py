"""What the store knows of cuts, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from liveserver.core.errors import PeerError
from liveserver.store import CutRow, Drill, Store

ROW = CutRow("n:1@n", "n:1", "n", "l1", 1, "lesson", None, "advert 赌博", "mod", 1000)
TIMES = {"viewers": 20, "flags_us": 40, "udp_us": -1200, "tcp_us": None, "told_us": 900, "dark_us": 40}


class TestCuts:
    async def test_are_kept_once_and_get_their_times(self, store: Store) -> None:
        for row in (ROW, replace(ROW, measured=TIMES), ROW):
            await store.cuts.save(row)
        assert await store.cuts.of("l1") == ([replace(ROW, measured=TIMES)], None)
        assert await store.cuts.of("l2") == ([], None)

    async def test_times_may_come_first_and_from_each_node(self, store: Store) -> None:
        await store.cuts.save(replace(ROW, key="n:1@m", node="m", measured=TIMES))
        await store.cuts.save(ROW)
        found, _ = await store.cuts.of("l1")
        assert [(row.node, row.measured) for row in found] == [("n", None), ("m", TIMES)]

    async def test_a_restore_is_noted_on_what_it_lifted(self, store: Store) -> None:
        later = replace(ROW, key="n:3@n", cut="n:3", epoch=3, at_ms=3000)
        for row in (ROW, later, replace(ROW, key="x", lesson="l2")):
            await store.cuts.save(row)
        await store.cuts.restored("l1", 2, 2000, "chen")
        await store.cuts.restored("l1", 2, 9000, "late")
        assert await store.cuts.of("l1") == (
            [later, replace(ROW, restored_at_ms=2000, restored_by="chen")],
            None,
        )
        assert (await store.cuts.of("l2"))[0][0].restored_at_ms is None

    async def test_come_in_pages_newest_first(self, store: Store) -> None:
        for number in range(5):
            await store.cuts.save(replace(ROW, key=f"k{number}", epoch=number, at_ms=number))
        first, cursor = await store.cuts.of("l1", limit=3)
        rest, end = await store.cuts.of("l1", after=cursor, limit=3)
        assert [row.epoch for row in first + rest] == [4, 3, 2, 1, 0]
        assert end is None
        with pytest.raises(PeerError, match="bad_request"):
            await store.cuts.of("l1", after="nonsense")


class TestDrills:
    async def test_are_kept_and_come_newest_first(self, store: Store) -> None:
        first = Drill(
            "d1", "l1", "pause", "admin", 1000, 20, 5, {"seen": {"dark": {"p50": 900}, "tcp": None}}
        )
        for drill in (first, replace(first, id="d2", at_ms=2000)):
            await store.cuts.save_drill(drill)
        newest, cursor = await store.cuts.drills(limit=1)
        assert [drill.id for drill in newest] == ["d2"]
        assert await store.cuts.drills(after=cursor) == ([first], None)
