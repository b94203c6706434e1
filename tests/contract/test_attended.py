"""Settled attendance on both databases."""

from __future__ import annotations

from dataclasses import replace

from liveserver.store import Adjustment, Attended, DayHours, Fact, Lesson, Settlement, Store

ROW = Attended("l1", "wang", 1, "lathes", 1000, 2700, 2400, '{"person":"wang"}', {20_514: 2400})
SETTLED = Settlement("l1", 1, 9000, 77, "a" * 64, 2, 2400, "ended")
ASKED = Adjustment("a1", "l1", "wang", 300, "the camera failed", "requested", "admin-1", 5)


class TestNames:
    async def test_the_newest_counts_and_each_lesson_has_its_own(self, store: Store) -> None:
        await store.attendance.note_names("l1", {"p1": "Wang", "p2": "Li"})
        await store.attendance.note_names("l1", {"p1": "Wang Wei"})
        await store.attendance.note_names("l2", {"p1": "W"})
        assert await store.attendance.names("l1") == {"p1": "Wang Wei", "p2": "Li"}

    async def test_nobody_came(self, store: Store) -> None:
        await store.attendance.note_names("l1", {})
        assert await store.attendance.names("l1") == {}


class TestResults:
    async def test_a_revision_takes_the_place_of_the_last_one(self, store: Store) -> None:
        book = store.attendance
        await book.save(SETTLED, [ROW, replace(ROW, person="li", days={})])
        later = replace(ROW, revision=2, credited_s=2700, days={20_514: 1200, 20_515: 1500})
        await book.save(replace(SETTLED, revision=2, reason="adjusted"), [later])
        assert await book.rows("l1") == [
            replace(ROW, person="li", days={}),
            replace(later, days={}),
        ]
        assert [found.revision for found in await book.settlements("l1")] == [1, 2]
        days = await book.days(person="wang", from_day=0, until_day=30_000)
        assert days == [
            DayHours("wang", "l1", "lathes", 20_514, 1200),
            DayHours("wang", "l1", "lathes", 20_515, 1500),
        ]

    async def test_more_people_than_fit_one_transaction(self, store: Store) -> None:
        rows = [replace(ROW, person=f"p{number:04}") for number in range(1203)]
        await store.attendance.save(SETTLED, rows)
        assert len(await store.attendance.rows("l1")) == 1203
        page = await store.attendance.rows("l1", after="p0499", limit=2)
        assert [row.person for row in page] == ["p0500", "p0501"]
        assert len(await store.attendance.elsewhere("l2", [row.person for row in rows], 0, 2000)) == 1203

    async def test_a_person_s_lessons_of_a_period_newest_first(self, store: Store) -> None:
        for number, started in enumerate((1000, 3000, 2000)):
            row = replace(ROW, lesson=f"l{number}", started_at_ms=started)
            await store.attendance.save(replace(SETTLED, lesson=row.lesson), [row])
        found = await store.attendance.of_person("wang", from_ms=1500)
        assert [row.lesson for row in found] == ["l1", "l2"]
        assert await store.attendance.of_person("wang", until_ms=1000) == []
        elsewhere = await store.attendance.elsewhere("l1", ["wang", "li"], 1000, 3000)
        assert {row.lesson for row in elsewhere} == {"l0", "l2"}

    async def test_a_course_has_everybody_s(self, store: Store) -> None:
        await store.attendance.save(SETTLED, [ROW, replace(ROW, person="li")])
        await store.attendance.save(
            replace(SETTLED, lesson="l2"), [replace(ROW, lesson="l2", course="welding")]
        )
        assert [row.person for row in await store.attendance.of_course("lathes")] == ["li", "wang"]
        days = await store.attendance.days(course="welding", from_day=20_514, until_day=20_515)
        assert [day.lesson for day in days] == ["l2"]
        assert await store.attendance.days(course="welding", from_day=0, until_day=20_514) == []


class TestUnsettled:
    async def test_held_and_ended_lessons_without_a_revision_oldest_end_first(self, store: Store) -> None:
        for lesson in (
            Lesson("ended", "", "", "ended", 1, 2, 50),
            Lesson("earlier", "", "", "ended", 1, 2, 40),
            Lesson("fresh", "", "", "ended", 1, 2, 100),
            Lesson("never held", "", "", "ended", 1, None, 10),
            Lesson("live", "", "", "live", 1, 2),
            Lesson("settled", "", "", "ended", 1, 2, 3),
        ):
            await store.lessons.create(lesson)
        await store.attendance.save(replace(SETTLED, lesson="settled"), [])
        assert [lesson.id for lesson in await store.attendance.unsettled(100)] == ["earlier", "ended"]


class TestJudgedLate:
    async def test_settled_lessons_with_a_check_in_a_part_of_the_ledger(self, store: Store) -> None:
        for name in ("settled", "unsettled"):
            await store.lessons.create(Lesson(name, "", "", "ended", 1, 2, 3))
            await store.append([Fact("challenge_resolved", name, 5, {}), Fact("chat", name, 5, {})])
        assert await store.attendance.settled_size() == 0
        await store.attendance.save(replace(SETTLED, lesson="settled", ledger_size=1), [])
        assert await store.attendance.settled_size() == 1
        found = await store.attendance.judged_late(0, 4)
        assert [lesson.id for lesson in found] == ["settled"]
        assert await store.attendance.judged_late(1, 4) == []


class TestAdjustments:
    async def test_are_decided_once(self, store: Store) -> None:
        book = store.attendance
        await book.request(ASKED)
        assert await book.decide("a1", "approved", "admin-2", 9, "seen on the recording")
        assert not await book.decide("a1", "refused", "admin-3", 10, "no")
        decided = replace(
            ASKED, state="approved", decided_by="admin-2", decided_at_ms=9, decision="seen on the recording"
        )
        assert await book.adjustment("a1") == decided
        assert await book.adjustments("l1") == [decided]
        assert await book.adjustment("none") is None
        await book.request(replace(ASKED, id="a2", delta_s=-100, state="approved"))
        await book.request(
            replace(ASKED, id="a3", delta_s=0, state="approved", challenge="c", after="excused")
        )
        assert await book.adjusted("l1") == {"wang": 200}
