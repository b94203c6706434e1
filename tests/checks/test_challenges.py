"""What a lesson's checks begin with: the same secret at each opening, nothing of it in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from liveserver.checks.challenges import Challenges
from liveserver.clock import Clock
from liveserver.core import consent
from liveserver.core.challenge import Cause, CheckKind
from liveserver.core.check_plan import CheckPolicy
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact
from liveserver.core.quiz import arithmetic
from liveserver.store import Lesson, Store, open_store
from liveserver.store.challenges import BankQuestion

KEY = bytes(32)
WORDS = consent.digest(consent.FACE)
LESSON = Lesson("l", "Title", "", "live", 1, started_at_ms=2)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path}/store.db")
    await opened.lessons.create(LESSON)
    yield opened
    await opened.close()


def challenges(store: Store, key: bytes = KEY, policy: CheckPolicy | None = None) -> Challenges:
    return Challenges(store, Clock(), key, policy or CheckPolicy())


class TestSeed:
    async def test_is_the_same_at_each_opening_and_another_for_each_lesson(self, store: Store) -> None:
        first = (await challenges(store).open(LESSON)).seed
        assert len(first) == 32
        assert (await challenges(store).open(LESSON)).seed == first
        assert (await challenges(store).open(Lesson("m", "", "", "waiting", 1))).seed != first

    async def test_stands_in_no_file_of_the_database(self, store: Store, tmp_path: Path) -> None:
        seed = (await challenges(store).open(LESSON)).seed
        written = _bytes_in(tmp_path)
        assert seed not in written and seed.hex().encode() not in written

    async def test_under_another_key_nobody_is_asked_at_random(self, store: Store) -> None:
        await challenges(store).open(LESSON)
        assert (await challenges(store, key=b"k" * 32).open(LESSON)).seed == b""

    async def test_the_policy_of_the_first_opening_stays(self, store: Store) -> None:
        first = CheckPolicy(slot_ms=600_000)
        await challenges(store, policy=first).open(LESSON)
        assert (await challenges(store).open(LESSON)).policy == first


class TestBank:
    async def test_a_lesson_is_asked_from_its_courses_bank(self, store: Store) -> None:
        asked = '{"kind": "arithmetic", "text": "6 x 7 = ?", "right": [42]}'
        other = '{"kind": "arithmetic", "text": "1 + 1 = ?", "right": [2]}'
        bad = '{"kind": "riddle"}'  # as another version may have written it
        rows = [("1", "c1", asked), ("2", "c1", bad), ("3", "c2", other)]
        await store.challenges.add_questions(
            [BankQuestion(key, course, "x", body, "a", "active", 1) for key, course, body in rows]
        )
        checks = await challenges(store).open(Lesson("m", "", "", "waiting", 1, course_id="c1"))
        assert [question.text for question in checks.bank] == ["6 x 7 = ?"]


class TestAfterARestart:
    @staticmethod
    def issued(person: str, number: int, check_id: str) -> Fact:
        data: dict[str, Any] = {
            "id": check_id, "kind": "quiz", "cause": "random", "by": "", "question": "", "issued_at_ms": 10,
            "deadline_ms": 20, "checks": {person: number},
        }  # fmt: skip
        return Fact("challenge_issued", "l", 10, data)

    @staticmethod
    def resolved(person: str, number: int, check_id: str, result: str) -> Fact:
        data: dict[str, Any] = {
            "id": check_id, "person": person, "number": number, "kind": "quiz", "cause": "random",
            "issued_at_ms": 10, "answered_at_ms": 12, "result": result, "detail": "",
        }  # fmt: skip
        return Fact("challenge_resolved", "l", 12, data)

    async def test_what_was_open_is_excused_once(self, store: Store) -> None:
        await store.append([self.issued("p", 1, "c1")])
        for _ in range(2):
            await challenges(store).open(LESSON)
        (item,) = (await challenges(store).listed("l", 0, 10))["items"]
        assert (item["result"], item["detail"], item["answered_at"]) == ("excused", "interrupted", None)

    async def test_numbers_go_on(self, store: Store) -> None:
        await store.append([self.issued("p", 4, "c4"), self.resolved("p", 4, "c4", "passed")])
        book = (await challenges(store).open(LESSON)).book
        assert book.of("p") is None
        check = book.issue("c5", "p", CheckKind.QUIZ, Cause.RANDOM, arithmetic(0), 30)
        assert check is not None and check.number == 5

    async def test_what_a_person_has_to_look_at_waits_for_him_still(self, store: Store) -> None:
        review = Fact("challenge_review", "l", 12, {"id": "c1", "person": "p", "number": 1, "photo": "x",
                                                    "detail": "not_alike"})  # fmt: skip
        await store.append([self.issued("p", 1, "c1"), review])
        book = (await challenges(store).open(LESSON)).book
        assert book.review("p", "c1", True, 99).state == "passed"


class TestList:
    async def test_pages_lead_through_all(self, store: Store) -> None:
        await store.append([TestAfterARestart.issued(f"p{n}", 1, f"c{n}") for n in range(5)])
        first = await challenges(store).listed("l", 0, 3)
        second = await challenges(store).listed("l", int(first["next"]), 3)
        assert [i["person"] for i in first["items"] + second["items"]] == [f"p{n}" for n in range(5)]
        assert second["next"] is None


class TestConsent:
    async def test_is_known_to_open_lessons_at_once_and_after_a_restart(self, store: Store) -> None:
        running = challenges(store)
        checks = await running.open(LESSON)
        await running.agree("p", WORDS)
        assert "p" in checks.consents
        again = challenges(store)
        await again.start()
        assert "p" in (await again.open(LESSON)).consents
        await again.withdraw("p")
        assert "p" not in (await again.open(LESSON)).consents

    async def test_to_other_words_than_ours_is_none(self, store: Store) -> None:
        with pytest.raises(PeerError, match="words"):
            await challenges(store).agree("p", "ab" * 32)

    async def test_each_one_and_its_end_are_in_the_ledger(self, store: Store) -> None:
        running = challenges(store)
        await running.agree("p", WORDS)
        await running.withdraw("p")
        await running.withdraw("p")
        assert [entry.type for entry in await store.entries()] == ["consent", "consent_withdrawn"]


def _bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
