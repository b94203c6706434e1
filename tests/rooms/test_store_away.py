"""Lessons while the database is away: nothing is lost, a cut waits for nothing."""

from __future__ import annotations

import asyncio
import sqlite3

from liveserver.store import keeping
from tests.rooms.node import MODERATOR, TEACHER, Node, chat, claims, soon


class TestStoreAway:
    async def test_nothing_is_acknowledged_and_no_fact_is_lost(self, node):
        lesson = await node.lesson()
        author, carrier = await node.join(lesson, claims())
        node.flaky.is_away = True
        saying = asyncio.gather(*(author.receive(chat(f"line {n}")) for n in range(5)))
        joining = asyncio.create_task(node.join(lesson, claims("chen")))
        await asyncio.sleep(0.05)
        assert not saying.done() and not joining.done()
        assert "chat" not in carrier.types()
        node.flaky.is_away = False
        await saying
        await joining
        assert await node.facts(lesson) == ["create", "join", *["chat"] * 5, "join"]
        assert [line.text for line in await node.store.chat.newest(lesson)] == [f"line {n}" for n in range(5)]

    async def test_a_cut_is_told_at_once_and_its_facts_come_later(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        node.flaky.is_away = True
        await node.guard.call(node.guard.cut(lesson, "lesson", "advert", None, "mo"))
        await soon(lambda: learner.closed, "sent away although the database is away")
        assert learner.last("cut")["reason"] == "advert"
        node.flaky.is_away = False
        await node.join(lesson, MODERATOR)
        assert await node.facts(lesson) == ["create", "join", "cut", "leave", "join"]
        assert (await node.store.lessons.one(lesson)).state == "cut"

    async def test_a_lesson_that_starts_meanwhile_is_kept(self, node):
        lesson = await node.lesson()
        _, moderator = await node.join(lesson, MODERATOR)
        node.flaky.is_away = True
        ending = asyncio.create_task(node.rooms.lessons.end(lesson, TEACHER))
        await asyncio.sleep(0.05)
        node.flaky.is_away = False
        await ending
        assert (await node.store.lessons.one(lesson)).state == "ended"
        assert moderator.closed == (4410, "lesson_ended")


class TestTheDatabaseIsLocked:
    """With a journal: somebody else holds the database, and nobody in the lesson notices (REL-G6)."""

    async def test_and_the_lesson_goes_on_and_all_of_it_is_there_afterwards(self, tmp_path, monkeypatch):
        monkeypatch.setattr(keeping, "WITHIN_S", 0.1)
        node = await Node(tmp_path, journal=True).start()
        lesson = await node.lesson()
        author, carrier = await node.join(lesson, claims())
        other = sqlite3.connect(tmp_path / "live.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for number in range(5):
            await author.receive(chat(f"line {number}"))
        _, chen = await node.join(lesson, claims("chen"))
        await node.rooms.lessons.end(lesson, TEACHER)
        assert [heard["text"] for heard in carrier.heard if heard["type"] == "chat"] == [
            f"line {number}" for number in range(5)
        ]
        assert chen.closed == (4410, "lesson_ended")
        assert node.store.journal_numbers()["waiting_records"] > 0
        assert await node.facts(lesson) == ["create", "join"]
        other.execute("ROLLBACK")
        await soon(lambda: not node.store.away, "the journal is in the ledger")
        facts = await node.facts(lesson)
        assert facts[:8] == ["create", "join", *["chat"] * 5, "join"]
        assert facts.count("end") == 1
        assert [line.text for line in await node.store.chat.newest(lesson)] == [f"line {n}" for n in range(5)]
        await node.stop()
        other.close()
