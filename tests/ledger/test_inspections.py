"""The inspector's samples, and the log of what he looked at himself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from liveserver.core.sample import Held, draw
from liveserver.ledger.inspections import Inspections
from liveserver.store import Lesson, Store, StoreError, open_store
from liveserver.tokens import ALL_LESSONS, Claims

START = 1_772_413_200_000  # 2026-03-02 09:00:00 in China
MIN = 60_000
WHO = Claims("inspector-1", "", Role.INSPECTOR, ALL_LESSONS, 0, "id")


class Clock:
    now_ms = START + 10 * 86_400_000

    def wall_ms(self) -> int:
        return self.now_ms


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'live.db'}")
    for number in range(30):
        began = START + number * 7_200_000
        await opened.lessons.create(
            Lesson(f"lesson-{number:02}", f"Part {number}", "", "ended", began, began, began + 45 * MIN)
        )
    yield opened
    await opened.close()


@pytest.fixture
def inspections(store: Store) -> Inspections:
    return Inspections(store, Clock())  # type: ignore[arg-type]


class TestASample:
    async def test_is_drawn_by_a_seed_that_is_in_the_ledger(
        self, inspections: Inspections, store: Store
    ) -> None:
        made = await inspections.draw("inspector-1", "2026-03-02", "2026-03-03", 10, None)
        (entry,) = await store.entries(made["entry"] - 1, 1)
        assert entry.type == "sample_drawn"
        ids = [lesson["id"] for lesson in made["lessons"]]
        assert (entry.data["seed"], list(entry.data["lessons"])) == (made["seed"], ids)
        held = [Held(f"lesson-{number:02}", 2700) for number in range(made["population"])]
        assert [one.id for one in draw(held, bytes.fromhex(made["seed"]), 10)] == ids
        assert made["drawn_s"] * 100 >= 10 * made["total_s"] > 0
        assert [one["id"] for one in (await inspections.samples())["items"]] == [made["id"]]

    async def test_by_one_s_own_seed_is_the_same_again(self, inspections: Inspections) -> None:
        twice = [await inspections.draw("i", "2026-03-02", "2026-03-09", 20, "ab" * 32) for _ in range(2)]
        assert twice[0]["lessons"] == twice[1]["lessons"] != []

    @pytest.mark.parametrize("days", [("2026-03-02", "2026-03-01"), ("2026-02-30", "2026-03-02"), ("x", "y")])
    async def test_of_no_such_days_is_refused(self, inspections: Inspections, days: tuple[str, str]) -> None:
        with pytest.raises(PeerError, match="bad_request"):
            await inspections.draw("i", *days, 10, None)


class TestALook:
    async def test_is_a_fact_and_in_the_inspector_s_own_log(
        self, inspections: Inspections, store: Store
    ) -> None:
        await inspections.saw(WHO, "hours", "lesson-03", "wang")
        (entry,) = [entry for entry in await store.entries() if entry.type == "inspected"]
        assert (entry.lesson, dict(entry.data)) == (
            "lesson-03",
            {"by": "inspector-1", "what": "hours", "subject": "wang"},
        )
        (item,) = (await inspections.views("inspector-1", None, 10))["items"]
        assert (item["what"], item["title"], item["subject"]) == ("hours", "Part 3", "wang")
        assert (await inspections.views("inspector-2", None, 10))["items"] == []

    async def test_of_an_administrator_is_a_fact_that_says_his_role(
        self, inspections: Inspections, store: Store
    ) -> None:
        admin = replace(WHO, person="admin-1", role=Role.ADMIN)
        for _ in range(2):
            await inspections.saw(admin, "roster", "", "class-7")
        (entry,) = [entry for entry in await store.entries() if entry.type == "viewed"]
        said = {"by": "admin-1", "role": "admin", "what": "roster", "subject": "class-7"}
        assert (entry.lesson, dict(entry.data)) == (None, said)
        assert (await inspections.views("admin-1", None, 10))["items"] == []
        await inspections.saw(WHO, "hours", "lesson-03", "wang")
        looks = await store.trail.looks(await store.trail.newest_look(9), 9)
        assert [(one.by, one.role, one.what, one.lesson, one.subject) for one in looks] == [
            ("admin-1", "admin", "roster", None, "class-7"),
            ("inspector-1", "inspector", "hours", "lesson-03", "wang"),
        ]
        assert await store.trail.newest_look(1) == looks[0].index

    async def test_that_could_not_be_put_on_record_is_recorded_when_it_is_asked_for_again(
        self, inspections: Inspections, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: object) -> None:
            raise StoreError("the database is away")

        with monkeypatch.context() as without:
            without.setattr(store.inspections, "save_view", away)
            with pytest.raises(StoreError):
                await inspections.saw(WHO, "hours", "lesson-03", "wang")
        await inspections.saw(WHO, "hours", "lesson-03", "wang")
        assert [entry.type for entry in await store.entries(limit=10)] == ["inspected"]

    async def test_again_within_the_minute_is_the_same_look(self, inspections: Inspections) -> None:
        for _ in range(3):
            await inspections.saw(WHO, "live", "lesson-03")
        inspections._clock.now_ms += MIN  # type: ignore[attr-defined]
        await inspections.saw(WHO, "live", "lesson-03")
        page = await inspections.views("inspector-1", None, 1)
        assert page["next"] is not None
        rest = await inspections.views("inspector-1", int(page["next"]), 10)
        assert len(rest["items"]) == 1
