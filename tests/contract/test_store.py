"""Lessons, recordings, chat and links: the same answers from SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from liveserver.core.errors import PeerError
from liveserver.store import ChatLine, Fact, Lesson, Recording, Store, StoreError, open_store
from tests.contract.conftest import StoppedClock

LESSON = Lesson(id="l1", title="电工基础 / first aid", instructor="", state="waiting", created_at_ms=1)
RECORDING = Recording(id="r1", lesson="l1", state="recording", path="l1/r1.mp4", started_at_ms=5)


def line(number: int, lesson: str = "l1", text: str = "你好 👋") -> ChatLine:
    return ChatLine(f"c{number}", lesson, "p1", "王小明", "learner", text, 1000 - number, bytes(16))


async def every_page(listing: Callable[..., Any], **filters: object) -> list[str]:
    """The ids of a list, read two at a time."""
    ids: list[str] = []
    cursor = None
    while True:
        items, cursor = await listing(after=cursor, limit=2, **filters)
        ids += [item.id for item in items]
        if cursor is None:
            return ids


class TestLessons:
    async def test_are_kept_as_they_were_given(self, store: Store) -> None:
        await store.lessons.create(LESSON)
        assert await store.lessons.one("l1") == LESSON
        assert await store.lessons.one("another") is None

    async def test_have_one_id_each(self, store: Store) -> None:
        await store.lessons.create(LESSON)
        with pytest.raises(StoreError):
            await store.lessons.create(replace(LESSON, title="a second one"))
        assert await store.lessons.one("l1") == LESSON

    async def test_change_only_where_told(self, store: Store) -> None:
        await store.lessons.create(LESSON)
        await store.lessons.update("l1", state="live", started_at_ms=7, instructor="Ma Li")
        await store.lessons.update("l1", ended_at_ms=9)
        await store.lessons.update("l1")
        assert await store.lessons.one("l1") == replace(
            LESSON, state="live", started_at_ms=7, ended_at_ms=9, instructor="Ma Li"
        )

    async def test_that_do_not_exist_cannot_change(self, store: Store) -> None:
        with pytest.raises(PeerError) as refused:
            await store.lessons.update("nowhere", state="live")
        assert (refused.value.code, refused.value.status) == ("unknown_lesson", 404)

    async def test_are_listed_newest_first_over_pages(self, store: Store) -> None:
        for number in range(5):
            # Two were made in the same millisecond: no row is lost or given twice for that.
            await store.lessons.create(replace(LESSON, id=f"l-{number}", created_at_ms=10 + number // 2))
        assert await every_page(store.lessons.page) == ["l-4", "l-3", "l-2", "l-1", "l-0"]

    async def test_are_listed_by_state(self, store: Store) -> None:
        for number, state in enumerate(["live", "ended", "live", "waiting", "live"]):
            await store.lessons.create(replace(LESSON, id=f"l{number}", state=state, created_at_ms=number))
        assert await every_page(store.lessons.page, state="live") == ["l4", "l2", "l0"]

    @pytest.mark.parametrize("cursor", ["", "x", "-1-l1", "9" * 30 + "-l1", "1", "²-l1"])
    async def test_are_not_listed_from_a_cursor_somebody_made_up(self, store: Store, cursor: str) -> None:
        with pytest.raises(PeerError, match="bad_request"):
            await store.lessons.page(after=cursor)

    async def test_page_goes_on_while_lessons_are_added(self, store: Store) -> None:
        for number in range(4):
            await store.lessons.create(replace(LESSON, id=f"l{number}", created_at_ms=number))
        first, cursor = await store.lessons.page(limit=2)
        await store.lessons.create(replace(LESSON, id="l4", created_at_ms=4))
        second, _ = await store.lessons.page(after=cursor, limit=2)
        assert [lesson.id for lesson in first + second] == ["l3", "l2", "l1", "l0"]


class TestRecordings:
    async def test_are_added_and_then_replaced(self, store: Store) -> None:
        await store.recordings.save(RECORDING)
        assert await store.recordings.one("r1") == RECORDING
        sealed = replace(
            RECORDING,
            state="sealed",
            sha256="ab" * 32,
            size=3_000_000_000,
            duration_ms=5_400_000,
            sealed_at_ms=6,
            retain_until_ms=1_831_536_000_000,
            locked=True,
            gaps=({"from_ms": 10, "to_ms": 20, "reason": "publisher_lost"},),
            detail="丢失",
        )
        await store.recordings.save(sealed)
        assert await store.recordings.one("r1") == sealed
        assert await store.recordings.one("r2") is None

    async def test_of_a_lesson_come_oldest_first(self, store: Store) -> None:
        for name, lesson, at in (("b", "l1", 2), ("a", "l1", 1), ("c", "l2", 3)):
            await store.recordings.save(replace(RECORDING, id=name, lesson=lesson, started_at_ms=at))
        assert [recording.id for recording in await store.recordings.of("l1")] == ["a", "b"]
        assert await every_page(store.recordings.page) == ["c", "b", "a"]


class TestChat:
    async def test_gives_the_newest_lines_oldest_first(self, store: Store) -> None:
        for number in range(6):
            # The clock of these lines runs backwards: the order of arrival counts.
            await store.append([], [line(number)])
        await store.append([], [line(9, lesson="l2")])
        assert await store.chat.newest("l1", limit=3) == [line(3), line(4), line(5)]
        assert await store.chat.newest("l2") == [line(9, lesson="l2")]

    async def test_line_is_written_with_its_fact_or_not_at_all(self, store: Store) -> None:
        await store.append([Fact("chat", "l1", 1, {"id": "c1"})], [line(1)])
        with pytest.raises(StoreError):
            await store.append([Fact("chat", "l1", 1, {"id": "again"})], [line(1)])
        assert await store.chat.newest("l1") == [line(1)]
        assert [entry.data for entry in await store.entries()] == [{"id": "c1"}]


class TestTextThatNoDatabaseHolds:
    @pytest.mark.parametrize("text", ["a\0b", "\ud83d"], ids=ascii)
    async def test_is_refused_by_name_wherever_it_comes_in(self, store: Store, text: str) -> None:
        await store.lessons.create(LESSON)
        for asked in (
            store.lessons.create(replace(LESSON, id="l2", title=text)),
            store.lessons.update("l1", instructor=text),
            store.lessons.update(text),
            store.lessons.one(text),
            store.lessons.page(state=text),
            store.lessons.page(after=f"1-{text}"),
            store.recordings.save(replace(RECORDING, detail=text)),
            store.recordings.save(replace(RECORDING, gaps=({"reason": text},))),
            store.recordings.one(text),
            store.recordings.of(text),
            store.recordings.page(after=f"1-{text}"),
            store.append([Fact("chat", "l1", 1, {"name": text})]),
            store.append([Fact("chat", text, 1, {})]),
            store.append([], [line(1, text=text)]),
            store.chat.newest(text),
            store.entries(lesson=text),
            store.links.use_once(text, 1),
        ):
            with pytest.raises(PeerError, match="bad_message"):
                await asked


class TestALinkThatWorksOnce:
    async def test_works_once(self, store: Store, clock: StoppedClock) -> None:
        assert await store.links.use_once("t1", clock.now_ms + 1000)
        assert not await store.links.use_once("t1", clock.now_ms + 1000)
        assert await store.links.use_once("t2", clock.now_ms + 1000)

    async def test_works_for_one_of_many_who_try_at_once(self, store: Store, clock: StoppedClock) -> None:
        tries = await asyncio.gather(*(store.links.use_once("t", clock.now_ms) for _ in range(50)))
        assert sum(tries) == 1

    async def test_is_remembered_over_a_restart(self, url: str, clock: StoppedClock) -> None:
        for expected in (True, False):
            store = await open_store(url, clock)
            assert await store.links.use_once("t1", clock.now_ms) is expected
            await store.close()

    async def test_is_forgotten_a_day_after_it_expired(self, store: Store, clock: StoppedClock) -> None:
        await store.links.use_once("t1", clock.now_ms)
        clock.now_ms += 86_400_000
        await store.links.use_once("t2", clock.now_ms)
        assert not await store.links.use_once("t1", clock.now_ms)
        clock.now_ms += 1
        await store.links.use_once("t3", clock.now_ms)
        assert await store.links.use_once("t1", clock.now_ms)


class TestAClosedStore:
    async def test_takes_nothing_more(self, url: str, tmp_path: Path) -> None:
        store = await open_store(url)
        await store.close()
        with pytest.raises(StoreError, match="closed"):
            await store.lessons.create(LESSON)
