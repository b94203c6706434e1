"""What the store knows of stored objects and of dates that have come, on both databases."""

from __future__ import annotations

from dataclasses import replace

from liveserver.store import Recording, Store, StoredObject

SEALED = Recording("r1", "l1", "sealed", "l1/r1.mp4", 1, retain_until_ms=100, locked=True)
OBJECT = StoredObject("l1/r1.mp4", "r1", 10, "a" * 64, "disk", stored_at_ms=5, retain_until_ms=100)


class TestObjects:
    async def test_move_from_disk_to_bucket_and_keep_what_readings_found(self, store: Store) -> None:
        await store.kept.save_objects([OBJECT, replace(OBJECT, key="l1/r1.manifest.jsonl", size=1)])
        await store.kept.note_read(OBJECT.key, 7, "intact")
        moved = replace(OBJECT, store="s3", version="v1", locked=True, stored_at_ms=9)
        await store.kept.save_objects([moved])
        found = await store.kept.object(OBJECT.key)
        assert found == replace(moved, stored_at_ms=5, verified_at_ms=7, verdict="intact")
        assert [o.key for o in await store.kept.objects("r1")] == ["l1/r1.manifest.jsonl", "l1/r1.mp4"]
        assert await store.kept.object("none") is None

    async def test_are_read_in_turn(self, store: Store) -> None:
        for number, (stored, read) in enumerate([(10, None), (1, 50), (20, None), (2, 11)]):
            await store.kept.save_objects(
                [replace(OBJECT, key=f"k{number}", stored_at_ms=stored, verified_at_ms=read)]
            )
        assert [found.key for found in await store.kept.least_read(3)] == ["k0", "k3", "k2"]

    async def test_are_counted(self, store: Store) -> None:
        empty = await store.kept.totals(recent_since_ms=0, unread_since_ms=0, read_since_ms=0)
        assert (empty.objects, empty.size, empty.first_ms) == (0, 0, None)
        await store.kept.save_objects(
            [
                OBJECT,
                replace(OBJECT, key="b", size=100, stored_at_ms=50, locked=True, verdict="altered"),
                replace(OBJECT, key="c", size=1, stored_at_ms=60, verified_at_ms=90, verdict="intact"),
            ]
        )
        totals = await store.kept.totals(recent_since_ms=50, unread_since_ms=55, read_since_ms=80)
        assert (totals.objects, totals.size, totals.unlocked, totals.first_ms) == (3, 111, 2, 5)
        assert (totals.recent_size, totals.unread, totals.read_lately, totals.damaged) == (101, 2, 1, 1)


class TestDates:
    async def test_are_due_oldest_first_unless_held_or_gone_already(self, store: Store) -> None:
        for recording in (
            SEALED,
            replace(SEALED, id="r2", retain_until_ms=50),
            replace(SEALED, id="r3", retain_until_ms=101),
            replace(SEALED, id="r4", retain_until_ms=1, hold="a court asks"),
            replace(SEALED, id="r5", retain_until_ms=1, state="recording"),
            replace(SEALED, id="r6", retain_until_ms=1, state="deleted"),
        ):
            await store.recordings.save(recording)
        assert [found.id for found in await store.kept.due(100, 10)] == ["r2", "r1"]
        assert await store.kept.set_hold("r2", "a dispute")
        assert await store.kept.set_hold("r4", "")
        assert [found.id for found in await store.kept.due(100, 10)] == ["r4", "r1"]
        assert not await store.kept.set_hold("none", "x")

    async def test_take_bytes_off_the_forecast_but_not_held_ones(self, store: Store) -> None:
        await store.recordings.save(SEALED)
        await store.recordings.save(replace(SEALED, id="r2", hold="x"))
        await store.kept.save_objects([OBJECT, replace(OBJECT, key="k2", recording="r2", size=7)])
        assert await store.kept.expiring([100, 101]) == [0, 10]
        assert await store.kept.expiring([]) == []

    async def test_a_deleted_recording_stays_known_without_its_objects(self, store: Store) -> None:
        await store.recordings.save(SEALED)
        await store.kept.save_objects([OBJECT])
        await store.kept.forget("r1", 123)
        assert await store.kept.objects("r1") == []
        found = await store.recordings.one("r1")
        assert found is not None
        assert (found.state, found.deleted_at_ms, found.locked) == ("deleted", 123, False)
