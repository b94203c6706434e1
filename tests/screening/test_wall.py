"""Spectators of the wall: one text for all, the newest for who is slow, pictures for who looks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from liveserver.screening.wall import MOST_SPECTATORS, Spectator, Wall
from liveserver.tokens import ALL_LESSONS, Claims

JPEG = b"\xff\xd8picture\xff\xd9"


def claims(reach: str = ALL_LESSONS) -> Claims:
    return Claims("p", "Chen", Role.MODERATOR, reach, 2**31, "t")


class Lessons:
    """The rooms, as far as the wall sees them."""

    def __init__(self, *names: str):
        self.viewers = dict.fromkeys(names, 1)

    def __call__(self) -> list[dict[str, Any]]:
        return [
            {"id": name, "state": "live", "viewers": viewers, "cut": None}
            for name, viewers in self.viewers.items()
        ]


@pytest.fixture
def lessons() -> Lessons:
    return Lessons("a", "b")


@pytest.fixture
def wall(lessons: Lessons) -> Wall:
    wall = Wall(lessons, Clock())
    wall.tick()
    return wall


async def waiting(spectator: Spectator) -> list[Any]:
    """Everything that waits now: texts as JSON, pictures as the last byte before the JPEG's end."""
    found: list[Any] = []
    while True:
        try:
            async with asyncio.timeout(0):
                message = await spectator.next()
        except TimeoutError:
            return found
        found.append(json.loads(message) if isinstance(message, str) else message[-3:-2])


class TestTelling:
    async def test_begins_with_everything_and_goes_on_with_changes(self, wall: Wall, lessons: Lessons):
        spectator = wall.stand(claims())
        (first,) = await waiting(spectator)
        assert first["whole"]
        assert [lesson["id"] for lesson in first["lessons"]] == ["a", "b"]
        lessons.viewers["b"] = 2
        wall.tick()
        (second,) = await waiting(spectator)
        assert not second["whole"]
        assert [lesson["id"] for lesson in second["lessons"]] == ["b"]

    async def test_everybody_gets_the_same_text(self, wall: Wall, lessons: Lessons):
        one, other, of_a = wall.stand(claims()), wall.stand(claims()), wall.stand(claims("a"))
        for spectator in (one, other, of_a):
            await spectator.next()
        lessons.viewers["a"] = 2
        wall.tick()
        first, second = await one.next(), await other.next()
        assert first is second
        assert [lesson["id"] for lesson in json.loads(await of_a.next())["lessons"]] == ["a"]

    async def test_who_missed_a_second_gets_the_present_and_no_backlog(self, wall: Wall, lessons: Lessons):
        spectator = wall.stand(claims())
        await spectator.next()
        for viewers in range(2, 12):
            lessons.viewers["a"] = viewers
            wall.tick()
        (only,) = await waiting(spectator)
        assert only["whole"]
        assert only["lessons"][0]["viewers"] == 11

    async def test_a_second_in_which_nothing_changed_is_silent(self, wall: Wall):
        spectator = wall.stand(claims())
        await spectator.next()
        wall.tick()
        assert await waiting(spectator) == []

    async def test_no_more_than_so_many_may_look(self, wall: Wall):
        spectators = [wall.stand(claims()) for _ in range(MOST_SPECTATORS)]
        with pytest.raises(PeerError) as refused:
            wall.stand(claims())
        assert refused.value.code == "lesson_full"
        wall.leave(spectators[0])
        wall.stand(claims())


class TestPictures:
    async def looking(self, wall: Wall, *lessons: str, reach: str = ALL_LESSONS) -> Spectator:
        spectator = wall.stand(claims(reach))
        await spectator.next()
        spectator.watch(lessons)
        return spectator

    async def test_come_for_the_lessons_on_the_screen_only(self, wall: Wall):
        spectator = await self.looking(wall, "a")
        wall.looked("a", "camera", 1, {}, b"A..")
        wall.looked("b", "camera", 1, {}, b"B..")
        assert await waiting(spectator) == [b"A"]

    async def test_of_one_track_the_newest_replaces_what_waits_and_keeps_its_place(self, wall: Wall):
        spectator = await self.looking(wall, "a", "b")
        for number in (b"1", b"2", b"3"):
            wall.looked("a", "camera", 1, {}, number + b"..")
            wall.looked("b", "camera", 1, {}, b"b..")
        assert await waiting(spectator) == [b"3", b"b"]

    async def test_words_go_before_pictures(self, wall: Wall, lessons: Lessons):
        spectator = await self.looking(wall, "a")
        wall.looked("a", "camera", 1, {}, b"A..")
        wall.tick()
        first, second = await waiting(spectator)
        assert first["type"] == "wall"
        assert second == b"A"

    async def test_a_lesson_that_comes_into_sight_shows_its_newest_at_once(self, wall: Wall):
        spectator = await self.looking(wall)
        wall.looked("a", "camera", 1, {}, b"A..")
        spectator.watch(["a"])
        assert await waiting(spectator) == [b"A"]
        spectator.watch(["a", "b"])
        assert await waiting(spectator) == []

    async def test_a_lesson_that_went_out_of_sight_leaves_nothing_waiting(self, wall: Wall):
        spectator = await self.looking(wall, "a")
        wall.looked("a", "camera", 1, {}, b"A..")
        spectator.watch(["b"])
        assert await waiting(spectator) == []

    async def test_of_another_lesson_than_the_tokens_are_never_shown(self, wall: Wall):
        spectator = await self.looking(wall, "a", "b", reach="a")
        wall.looked("b", "camera", 1, {}, b"B..")
        assert await waiting(spectator) == []
