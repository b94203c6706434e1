"""Seeds, banks of questions and consents, on both databases."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.store import Store
from liveserver.store.challenges import BankQuestion


class TestSeed:
    async def test_the_first_one_stays(self, store: Store) -> None:
        assert await store.challenges.seed("l", b"first", "{}") == (b"first", "{}")
        assert await store.challenges.seed("l", b"second", "[]") == (b"first", "{}")

    async def test_each_lesson_has_its_own(self, store: Store) -> None:
        await store.challenges.seed("l", b"first", "{}")
        assert await store.challenges.seed("m", b"second", "{}") == (b"second", "{}")


def question(key: str, course: str = "", text: str = "Which gas?") -> BankQuestion:
    return BankQuestion(key, course, text, '{"kind": "single"}', "admin", "active", int(key))


class TestBank:
    async def test_a_course_asks_its_own_questions_else_everybodys(self, store: Store) -> None:
        ours, all_s = question("1", "welding"), question("2")
        await store.challenges.add_questions([ours, all_s])
        assert await store.challenges.bank("welding") == [ours]
        assert await store.challenges.bank("cooking") == [all_s]

    async def test_what_is_archived_is_asked_no_more_until_it_is_brought_back(self, store: Store) -> None:
        await store.challenges.add_questions([question("1")])
        change = store.challenges.questions.change
        await change("1", {"status": "archived"}, "admin", 2, "archived")
        assert await store.challenges.bank("") == []
        await change("1", {"status": "active"}, "admin", 3, "restored")
        assert await store.challenges.bank("") == [question("1")]

    async def test_each_act_is_a_fact(self, store: Store) -> None:
        await store.challenges.add_questions([question("1"), question("2")])
        await store.challenges.questions.change("1", {"status": "archived"}, "admin", 2, "archived")
        entries = [entry for entry in await store.entries() if entry.type == "question"]
        assert [(e.data["act"], e.data["id"]) for e in entries] == [
            ("added", "1"),
            ("added", "2"),
            ("archived", "1"),
        ]
        assert (entries[2].data["before"], entries[2].data["after"]) == (
            {"status": "active"},
            {"status": "archived"},
        )

    async def test_all_are_added_or_none(self, store: Store) -> None:
        await store.challenges.add_questions([question("1")])
        with pytest.raises(PeerError) as refused:
            await store.challenges.add_questions([question("2"), question("1")])
        assert refused.value.code == "already_there"
        assert await store.challenges.bank("") == [question("1")]

    async def test_is_searched_by_its_text(self, store: Store) -> None:
        await store.challenges.add_questions([question("1"), question("2", "", "What is 100% safe?")])
        found, _ = await store.challenges.questions.page("100%", None, 10)
        assert [one.id for one in found] == ["2"]


class TestConsent:
    async def test_holds_until_it_is_taken_back(self, store: Store) -> None:
        await store.challenges.consent("p", "face", "ab" * 32, 5)
        assert await store.challenges.consents("p") == {"face": 5}
        assert await store.challenges.withdraw("p", "face", 6)
        assert await store.challenges.consents("p") == {}
        assert not await store.challenges.withdraw("p", "face", 7)

    async def test_may_be_given_again(self, store: Store) -> None:
        await store.challenges.consent("p", "face", "ab" * 32, 5)
        await store.challenges.withdraw("p", "face", 6)
        await store.challenges.consent("p", "face", "cd" * 32, 7)
        assert await store.challenges.consents("p") == {"face": 7}

    async def test_is_one_persons_alone(self, store: Store) -> None:
        await store.challenges.consent("p", "face", "ab" * 32, 5)
        assert await store.challenges.consents("q") == {}
