"""The chat of a lesson on one node: a fact before anybody reads it."""

from __future__ import annotations

import json

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from tests.rooms.node import MODERATOR, chat, claims, soon


class TestChat:
    async def test_a_line_is_a_fact_before_anybody_reads_it(self, node):
        lesson = await node.lesson()
        author, own = await node.join(lesson, claims())
        _, other = await node.join(lesson, claims("chen"))
        before = await node.store.ledger_size()
        sizes: list[int] = []
        keep = own.send

        def send(text: str) -> None:
            keep(text)
            sizes.append(node.store._writer.head()[0])  # the ledger at the moment of sending

        own.send = send  # type: ignore[method-assign]
        await author.receive(chat("hello", "r1"))
        assert [size > before for size in sizes] == [True]
        assert own.last("chat")["text"] == other.last("chat")["text"] == "hello"
        assert own.last("chat")["ref"] == "r1"
        assert [line.text for line in await node.store.chat.newest(lesson)] == ["hello"]

    async def test_the_ledger_holds_no_words(self, node):
        lesson = await node.lesson()
        author, _ = await node.join(lesson, claims())
        await author.receive(chat("a secret"))
        entries = await node.store.entries(limit=100, lesson=lesson)
        assert "a secret" not in json.dumps([dict(entry.data) for entry in entries])

    async def test_who_comes_later_reads_the_newest_fifty(self, node):
        lesson = await node.lesson()
        author, _ = await node.join(lesson, claims())
        for number in range(60):
            await author.receive(chat(f"line {number}"))
        _, late = await node.join(lesson, claims("chen"))
        assert [line["text"] for line in late.heard[0]["chat"]] == [f"line {n}" for n in range(10, 60)]

    async def test_it_outlasts_a_restart(self, node):
        lesson = await node.lesson()
        author, _ = await node.join(lesson, claims())
        await author.receive(chat("still here"))
        await node.restarted()
        _, carrier = await node.join(lesson, claims())
        assert [line["text"] for line in carrier.heard[0]["chat"]] == ["still here"]

    async def test_a_closed_chat_refuses_by_name_and_keeps_the_reference(self, node):
        lesson = await node.lesson()
        author, carrier = await node.join(lesson, claims())
        await node.rooms.moderating.cut(lesson, MODERATOR, "chat", "quarrel")
        await soon(lambda: "cut" in carrier.types(), "told of the cut")
        with pytest.raises(PeerError) as raised:
            await author.receive(chat("no", "r9"))
        assert (raised.value.code, raised.value.ref) == ("chat_off", "r9")

    async def test_an_inspector_may_not(self, node):
        lesson = await node.lesson()
        watcher, _ = await node.join(lesson, claims("ins", Role.INSPECTOR))
        with pytest.raises(PeerError, match="forbidden"):
            await watcher.receive(chat("x"))
