"""Lessons on one node: made, ended, opened again after a restart; what operators see of them."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Cut, Level
from liveserver.core.kill import Kill
from liveserver.cut.kills import KillFiles, Record
from liveserver.rtp.flags import ALL
from tests.rooms.node import MODERATOR, TEACHER, Carrier, claims, soon


class TestLessons:
    async def test_a_new_lesson_is_a_fact_and_waits(self, node):
        lesson = await node.lesson()
        assert await node.facts(lesson) == ["create"]
        shown = await node.rooms.lessons.one(lesson)
        assert (shown["state"], shown["viewers"], shown["cut"]) == ("waiting", 0, None)

    async def test_an_unknown_one_is_not_found(self, node):
        for call in (node.rooms.lessons.one("zzz"), node.rooms.joining.connect("zzz", claims(), Carrier())):
            with pytest.raises(PeerError) as raised:
                await call
            assert (raised.value.code, raised.value.status) == ("unknown_lesson", 404)

    async def test_too_many_at_once_are_told_to_come_again(self, node):
        for _ in range(8):
            await node.join(await node.lesson(), claims())
        with pytest.raises(PeerError) as raised:
            await node.join(await node.lesson(), claims())
        assert (raised.value.status, raised.value.retry_after_s) == (503, 30)

    async def test_those_that_are_over_make_room_and_their_rows_are_lit_for_others(self, node):
        for _ in range(12):
            lesson = await node.lesson()
            await node.join(lesson, claims())
            await node.rooms.moderating.cut(lesson, MODERATOR, "picture", "advert")
            await node.rooms.lessons.end(lesson, TEACHER)
        lesson = await node.lesson()
        await node.join(lesson, claims())
        row = node.rooms.registry.rooms[lesson].stage.room
        assert node.flags.dark(row) == 0


class TestEnd:
    async def test_everybody_is_told_before_it_closes(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        _, teacher = await node.join(lesson, TEACHER)
        shown = await node.rooms.lessons.end(lesson, TEACHER)
        assert shown["state"] == "ended"
        assert learner.last("lesson")["state"] == teacher.last("lesson")["state"] == "ended"
        assert learner.closed == teacher.closed == (4410, "lesson_ended")
        assert await node.facts(lesson) == ["create", "join", "join", "end", "leave", "leave"]

    async def test_twice_is_once(self, node):
        lesson = await node.lesson()
        await node.rooms.lessons.end(lesson, TEACHER)
        await node.rooms.lessons.end(lesson, TEACHER)
        assert await node.facts(lesson) == ["create", "end"]


class TestRestart:
    async def test_the_same_store_and_kill_files_keep_it_cut(self, node):
        lesson = await node.lesson()
        _, carrier = await node.join(lesson, MODERATOR)
        await node.rooms.moderating.cut(lesson, MODERATOR, "lesson", "advert")
        await soon(lambda: "cut" in carrier.types(), "cut")
        await node.restarted()
        assert (await node.rooms.lessons.one(lesson))["state"] == "cut"
        with pytest.raises(PeerError, match="lesson_cut"):
            await node.join(lesson, claims())
        assert node.flags.dark(node.rooms.registry.rooms[lesson].stage.room) == ALL
        await node.rooms.moderating.restore(lesson, MODERATOR, "checked")
        await soon(lambda: node.rooms.registry.rooms[lesson].state.state == "waiting", "restored")
        await node.join(lesson, claims())

    async def test_even_when_the_kill_file_is_all_that_was_written(self, node):
        lesson = await node.lesson()
        await node.rooms.stop()
        await node.guard.call(node.guard.cut(lesson, "lesson", "advert", None, "mo"))
        await node.restarted()
        assert (await node.rooms.lessons.one(lesson))["state"] == "cut"

    async def test_a_cut_that_a_crash_kept_from_the_ledger_is_a_fact_at_the_next_start(self, node):
        lesson = await node.lesson()
        await node.stop()
        cut = Cut(Level.LESSON, "gambling advert", 1_772_415_000_000, "mod")
        KillFiles(node.folder / "kills").write(Record(Kill(lesson).with_cut(cut, "node")))
        await node.start()
        with pytest.raises(PeerError, match="lesson_cut"):
            await node.join(lesson, claims())
        assert await node.facts(lesson) == ["create", "cut"]
        assert (await node.store.lessons.one(lesson)).state == "cut"

    async def test_an_ended_lesson_stays_ended(self, node):
        lesson = await node.lesson()
        _, carrier = await node.join(lesson, claims())
        await node.rooms.lessons.end(lesson, TEACHER)
        assert carrier.closed == (4410, "lesson_ended")
        await node.restarted()
        with pytest.raises(PeerError, match="lesson_ended"):
            await node.join(lesson, claims())
