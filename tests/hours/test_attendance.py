"""Attendance beside a node's rooms: what a crash leaves, clocks that jump, settling, several lessons."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.lesson import Tick
from liveserver.core.ledger import Fact
from liveserver.core.presets import frozen
from liveserver.hours import Hours
from liveserver.hours.adjustments import Adjustments
from liveserver.hours.attendance import Attendance, read_register
from liveserver.hours.attending import Attending
from liveserver.store import Lesson, Store, open_store
from tests.rooms.node import Node, claims

START = 1_772_413_200_000  # 2026-03-02 09:00:00 in China
MIN = 60_000


class Clock:
    """Wall time that only a test moves."""

    now_ms = START

    def wall_ms(self) -> int:
        return self.now_ms


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = await Node(tmp_path).start()
    yield made
    await made.stop()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'live.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attendance(store: Store, clock: Clock) -> Attendance:
    return Attendance(store, clock, settle_after_s=120)  # type: ignore[arg-type]


async def held(
    store: Store, name: str, people: dict[str, tuple[int, int]], start: int = 0, end: int = 45
) -> Lesson:
    """A lesson that was held: its row and its facts. Minutes from 09:00; people receive all the time."""
    lesson = Lesson(
        name, "Lathes", "Ms Li", "ended", START, START + start * MIN, START + end * MIN, planned_s=2700
    )
    await store.lessons.create(lesson)
    facts: list[tuple[int, str, dict[str, Any]]] = [
        (start, "publish", {"connection": "pub", "person": "t", "tracks": []}),
        (start, "hours_policy", frozen("default", 45 * MIN).as_json()),
        (start, "start", {"person": "t"}),
        (end, "end", {"by": "t"}),
    ]
    for person, (came, went) in people.items():
        join = {"person": person, "role": "learner", "connection": person, "transport": "webrtc"}
        media = {"person": person, "connection": person, "media": True, "at_ms": START + came * MIN}
        facts += [
            (came, "join", join),
            (came, "presence", {"changes": [media], "count": 1, "digest": ""}),
            (went, "leave", {"person": person, "connection": person, "reason": "left"}),
        ]
    await store.append(
        [Fact(kind, name, START + at * MIN, data) for at, kind, data in sorted(facts, key=lambda f: f[0])]
    )
    await store.attendance.note_names(name, {person: person.title() for person in people})
    return lesson


class TestRooms:
    async def test_what_a_crash_left_open_ends_with_the_last_fact_before_it(self, node: Node) -> None:
        lesson = await node.lesson()
        at_ms = node.clock.wall_ms() + 1000
        join = {"person": "li", "role": "learner", "connection": "c", "transport": "webrtc"}
        await node.store.append([Fact("join", lesson, at_ms, join), Fact("presence", lesson, at_ms + 5000, {
            "changes": [], "count": 1, "digest": ""})])  # fmt: skip
        await node.join(lesson, claims())
        found = await node.store.entries(lesson=lesson)
        (interrupted,) = [entry for entry in found if entry.type == "interrupted"]
        assert interrupted.data == {"until_ms": at_ms + 5000}
        register = await read_register(node.store, lesson)
        assert register.learners["li"][0].left_ms == at_ms + 5000

    async def test_after_an_orderly_stop_nothing_is_interrupted(self, node: Node) -> None:
        lesson = await node.lesson()
        connection, _ = await node.join(lesson, claims())
        connection.gone("left")
        await node.restarted()
        await node.join(lesson, claims())
        assert await node.facts(lesson) == ["create", "join", "leave", "join"]

    async def test_the_ledger_has_ids_and_the_names_stand_beside_it(self, node: Node) -> None:
        lesson = await node.lesson()
        await node.join(lesson, claims())
        assert await node.store.attendance.names(lesson) == {"li": "Li"}
        for entry in await node.store.entries(lesson=lesson):
            assert "Li" not in json.dumps(entry.data)

    async def test_a_wall_clock_that_jumps_is_told_and_changes_no_length(self, node: Node) -> None:
        """REL-R15."""
        lesson = await node.lesson()
        await node.join(lesson, claims())
        room = node.rooms.registry.rooms[lesson]
        before_ms, real = room.now_ms(), node.clock.wall_ms
        node.clock.wall_ms = lambda: real() + 3_600_000  # type: ignore[method-assign]
        await room.ask(Tick())
        await room.ask(Tick())
        assert 0 <= room.now_ms() - before_ms < 60_000
        steps = [e for e in await node.store.entries(lesson=lesson) if e.type == "clock_step"]
        assert [round(entry.data["ms"] / 1000) for entry in steps] == [3600]


class TestTelling:
    def test_everybody_is_told_once_in_a_round(self) -> None:
        attending = Attending("lesson", every_s=10)
        people = [f"p{number}" for number in range(200)]
        attending.take(Fact("start", "lesson", START, {"person": "t"}))
        for person in people:
            data = {"person": person, "role": "learner", "connection": person, "transport": "webrtc"}
            attending.take(Fact("join", "lesson", START, data))
        rounds = [list(attending.tell(people, START + MIN)) for _ in range(10)]
        assert sorted(person for found in rounds for person, _ in found) == sorted(people)
        assert max(map(len, rounds)) < 60, "spread over the round"
        person, message = rounds[0][0]
        assert (message["type"], message["credited_s"], message["session_s"]) == ("attendance", 0, 0)
        assert message["void"][0]["reason"] == "absent"
        assert list(attending.tell([], START + MIN)) == [], "who left is told nothing"

    def test_before_the_start_nobody_is(self) -> None:
        attending = Attending("lesson", every_s=1)
        data = {"person": "p", "role": "learner", "connection": "c", "transport": "webrtc"}
        attending.take(Fact("join", "lesson", START, data))
        assert list(attending.tell(["p"], START)) == []


class TestSettling:
    async def test_two_minutes_after_the_end(
        self, store: Store, attendance: Attendance, clock: Clock
    ) -> None:
        lesson = await held(store, "a", {"wang": (0, 45), "li": (0, 20)})
        clock.now_ms = START + 46 * MIN
        await attendance.settle_due()
        assert await store.attendance.settlements("a") == []
        clock.now_ms = START + 48 * MIN
        await attendance.settle_due()
        (settled,) = await store.attendance.settlements("a")
        assert (settled.people, settled.credited_s, settled.reason) == (2, 2700 + 1200, "ended")
        standing = await attendance.standing(lesson)
        assert standing.settlement == settled
        assert [r["credited_s"] for r in standing.results] == [1200, 2700]

    async def test_again_changes_nothing(self, store: Store, attendance: Attendance) -> None:
        lesson = await held(store, "a", {"wang": (0, 45)})
        first = await attendance.settle(lesson, "ended")
        assert await attendance.settle(lesson, "again") == first
        assert len([e for e in await store.entries(lesson="a") if e.type == "attendance_settled"]) == 1

    async def test_a_check_judged_late_makes_a_revision(self, store: Store, attendance: Attendance) -> None:
        lesson = await held(store, "a", {"wang": (0, 45)})
        await attendance.settle(lesson, "ended")
        check = {"id": "x", "person": "wang", "number": 1, "kind": "face", "cause": "random", "detail": "",
                 "issued_at_ms": START + 15 * MIN, "answered_at_ms": None, "result": "failed"}  # fmt: skip
        await store.append([Fact("challenge_resolved", "a", START + 60 * MIN, check)])
        await attendance.revise_judged()
        await attendance.revise_judged()
        found = await store.attendance.settlements("a")
        assert [(one.revision, one.credited_s) for one in found] == [(1, 2700), (2, 0)]

    async def test_at_one_instant_one_lesson_earns(
        self, store: Store, attendance: Attendance, clock: Clock
    ) -> None:
        """DOMAIN E9: the later settled began earlier, so the other one is revised."""
        await held(store, "b", {"wang": (30, 75), "li": (30, 75)}, 30, 75)
        clock.now_ms = START + 80 * MIN
        await attendance.settle_due()
        await held(store, "a", {"wang": (0, 45)})
        await attendance.settle_due()
        credited = {
            name: {row.person: row.credited_s for row in await store.attendance.rows(name)} for name in "ab"
        }
        assert credited == {"a": {"wang": 2700}, "b": {"wang": 1800, "li": 2700}}
        assert [one.revision for one in await store.attendance.settlements("b")] == [1, 2]

    async def test_an_adjustment_is_added_to_the_day_the_lesson_began(
        self, store: Store, attendance: Attendance, clock: Clock
    ) -> None:
        lesson = await held(store, "a", {"wang": (0, 20)})
        await attendance.settle(lesson, "ended")
        adjustments = Adjustments(store, attendance, clock)  # type: ignore[arg-type]
        asked = await adjustments.request(lesson, "wang", 300, "the camera failed", "one")
        await adjustments.decide(asked.id, approve=True, words="seen", by="two")
        (day,) = await store.attendance.days(person="wang", from_day=0, until_day=99_999)
        assert day.credited_s == 1500
        kinds = [entry.type for entry in await store.entries(after=-1, limit=1000, lesson="a")]
        assert kinds[-3:] == ["adjustment_requested", "adjustment_decided", "attendance_settled"]

    async def test_a_refused_one_changes_nothing(
        self, store: Store, attendance: Attendance, clock: Clock
    ) -> None:
        lesson = await held(store, "a", {"wang": (0, 20)})
        await attendance.settle(lesson, "ended")
        adjustments = Adjustments(store, attendance, clock)  # type: ignore[arg-type]
        asked = await adjustments.request(lesson, "wang", 300, "please", "one")
        await adjustments.decide(asked.id, approve=False, words="no", by="two")
        assert len(await store.attendance.settlements("a")) == 1


class TestExcuses:
    async def missed(self, store: Store, attendance: Attendance, name: str = "a") -> Lesson:
        """A lesson that is over and settled, in which a check was missed after twenty minutes."""
        lesson = await held(store, name, {"wang": (0, 45)})
        data: dict[str, Any] = {
            "id": "c1", "person": "wang", "number": 1, "kind": "quiz", "cause": "random", "detail": "",
            "issued_at_ms": START + 20 * MIN, "answered_at_ms": None, "result": "timeout",
        }  # fmt: skip
        await store.append([Fact("challenge_resolved", name, START + 21 * MIN, data)])
        await attendance.settle(lesson, "ended")
        return lesson

    async def credited(self, store: Store, name: str = "a") -> tuple[int, int]:
        (row,) = await store.attendance.rows(name)
        return row.revision, row.credited_s

    async def test_after_the_lesson_two_persons_excuse_and_the_hours_are_revised(
        self, store: Store, attendance: Attendance, clock: Clock
    ) -> None:
        """DOM section 9.4."""
        lesson = await self.missed(store, attendance)
        adjustments = Adjustments(store, attendance, clock)  # type: ignore[arg-type]
        assert await self.credited(store) == (1, 0)
        asked = await adjustments.excuse(lesson, "c1", "wang", "the power failed", "one", excused=True)
        assert (asked.state, await self.credited(store)) == ("requested", (1, 0))
        with pytest.raises(PeerError, match="already_asked"):
            await adjustments.excuse(lesson, "c1", "wang", "please", "one", excused=True)
        with pytest.raises(PeerError, match="same_person"):
            await adjustments.decide(asked.id, approve=True, words="yes", by="one")
        await adjustments.decide(asked.id, approve=True, words="seen", by="two")
        assert await self.credited(store) == (2, 2700)
        revised = [e.data for e in await store.entries(lesson="a") if e.type == "challenge_revised"]
        assert revised == [{
            "id": "c1", "person": "wang", "before": "timeout", "after": "excused",
            "reason": "the power failed", "asked_by": "one", "by": "two",
        }]  # fmt: skip

    async def test_and_two_persons_take_it_back(
        self, store: Store, attendance: Attendance, clock: Clock
    ) -> None:
        lesson = await self.missed(store, attendance)
        adjustments = Adjustments(store, attendance, clock)  # type: ignore[arg-type]
        with pytest.raises(PeerError, match="not_excused"):
            await adjustments.excuse(lesson, "c1", "wang", "wrong", "two", excused=False)
        for excused in (True, False):
            asked = await adjustments.excuse(lesson, "c1", "wang", "why", "one", excused=excused)
            await adjustments.decide(asked.id, approve=True, words="seen", by="two")
        assert await self.credited(store) == (3, 0)

    async def test_what_was_not_missed_is_not_excused(
        self, store: Store, attendance: Attendance, clock: Clock
    ) -> None:
        lesson = await self.missed(store, attendance)
        adjustments = Adjustments(store, attendance, clock)  # type: ignore[arg-type]
        for challenge, person in (("c1", "li"), ("c2", "wang")):
            with pytest.raises(PeerError, match="not_missed"):
                await adjustments.excuse(lesson, challenge, person, "why", "one", excused=True)

    async def test_an_excuse_that_a_crash_kept_from_the_hours_is_found(
        self, store: Store, attendance: Attendance
    ) -> None:
        await self.missed(store, attendance)
        await attendance.revise_judged()
        data = {"id": "c1", "person": "wang", "before": "timeout", "after": "excused", "reason": "r",
                "asked_by": "one", "by": "two"}  # fmt: skip
        await store.append([Fact("challenge_revised", "a", START + 50 * MIN, data)])
        await attendance.revise_judged()
        assert await self.credited(store) == (2, 2700)


class TestTheSheet:
    async def test_cumulates_over_the_lessons_of_a_course(
        self, store: Store, attendance: Attendance, clock: Clock
    ) -> None:
        for name, start in (("a", 0), ("b", 60)):
            lesson = await held(store, name, {"wang": (start, start + 45)}, start, start + 45)
            await attendance.settle(lesson, "ended")
        hours = Hours(store, attendance, clock)  # type: ignore[arg-type]
        (row,) = (await hours.attendance("b", "", 10))["items"]
        assert (row["session_s"], row["cumulative_s"], row["name"]) == (2700, 5400, "Wang")
        own = await hours.own("wang", "b")
        assert ([item["lesson"] for item in own["items"]], own["lesson_hours"]) == (["b", "a"], "2.00")

    async def test_comes_in_pages(self, store: Store, attendance: Attendance, clock: Clock) -> None:
        lesson = await held(store, "a", {f"p{n}": (0, 45) for n in range(5)})
        hours = Hours(store, attendance, clock)  # type: ignore[arg-type]
        for _ in ("provisional", "settled"):
            page = await hours.attendance("a", "", 3)
            assert [row["person"] for row in page["items"]] == ["p0", "p1", "p2"]
            rest = await hours.attendance("a", page["next"], 3)
            assert ([row["person"] for row in rest["items"]], rest["next"]) == (["p3", "p4"], None)
            await attendance.settle(lesson, "ended")

    async def test_nobody_else_is_found(self, store: Store, attendance: Attendance, clock: Clock) -> None:
        await held(store, "a", {"wang": (0, 45)})
        hours = Hours(store, attendance, clock)  # type: ignore[arg-type]
        for call, code in (
            (hours.explained("a", "zhao"), "unknown_person"),
            (hours.attendance("z", "", 1), "unknown_lesson"),
        ):
            with pytest.raises(PeerError) as refused:
                await call
            assert refused.value.code == code


class TestStatistics:
    @pytest.fixture
    async def hours(self, store: Store, attendance: Attendance, clock: Clock) -> Hours:
        """Two lessons of one course on one day, by two learners; 90 minutes were planned."""
        for name, people in (("a", {"wang": (0, 45), "li": (0, 45)}), ("b", {"wang": (60, 105)})):
            start = min(came for came, _ in people.values())
            lesson = await held(store, name, people, start, start + 45)
            await attendance.settle(lesson, "ended")
        clock.now_ms = START + 3 * 86_400_000
        return Hours(store, attendance, clock)  # type: ignore[arg-type]

    async def test_of_a_learner(self, hours: Hours) -> None:
        found = await hours.statistics.learner("wang", "2026-03-01", "2026-03-07")
        assert (found["lessons"], found["cumulative_s"], found["lesson_hours"]) == (2, 5400, "2.00")
        assert (found["period_s"], found["average_active_day_s"], found["average_calendar_day_s"]) == (
            5400, 5400, 771,
        )  # fmt: skip
        assert [week["seconds"] for week in found["weeks"]] == [0, 5400]
        assert {key: found["courses"][key] for key in ("joined", "finished", "unfinished")} == {
            "joined": 1, "finished": 1, "unfinished": 0,
        }  # fmt: skip

    async def test_of_a_course(self, hours: Hours) -> None:
        found = await hours.statistics.course("Lathes", None, None)
        assert (found["learners"], found["finished"], found["required_s"]) == (2, 1, 5400)
        assert [(row["name"], row["cumulative_s"], row["state"]) for row in found["items"]] == [
            ("Li", 2700, "unfinished"), ("Wang", 5400, "finished"),
        ]  # fmt: skip
        assert found["period_s"] == 8100

    @pytest.mark.parametrize(
        ("since", "until"),
        [("2026-03-02", "2026-03-01"), ("2020-01-01", "2026-01-01"), ("yesterday..", None)],
    )
    async def test_of_no_period(self, hours: Hours, since: str, until: str | None) -> None:
        with pytest.raises(PeerError) as refused:
            await hours.statistics.learner("wang", since, until)
        assert refused.value.code == "bad_request"

    async def test_of_no_course(self, hours: Hours) -> None:
        with pytest.raises(PeerError) as refused:
            await hours.statistics.course("Welding", None, None)
        assert (refused.value.code, refused.value.status) == ("not_found", 404)
