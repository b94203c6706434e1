"""Random checks: unforeseeable before, provable after (REL-C7, DOM section 9.4)."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from liveserver.core.schedule import APART_MS, EDGE_MS, choose, commitment, moments

SLOT_MS = 900_000
SEED = bytes(range(32))


def lesson(person: str, slots: int = 12, seed: bytes = SEED) -> list[int]:
    return [moment for slot in range(slots) for moment in moments(seed, person, slot, SLOT_MS)]


class TestEverySlot:
    def test_has_at_least_one_moment_and_at_most_two(self) -> None:
        for person in map(str, range(200)):
            for slot in range(12):
                found = moments(SEED, person, slot, SLOT_MS)
                assert 1 <= len(found) <= 2
                assert all(slot * SLOT_MS <= moment < (slot + 1) * SLOT_MS for moment in found)

    def test_leaves_two_minutes_between_any_two(self) -> None:
        for person in map(str, range(500)):
            times = lesson(person)
            gaps = [later - earlier for earlier, later in pairwise(times)]
            assert min(gaps) >= APART_MS

    def test_shorter_than_ten_minutes_is_refused(self) -> None:
        with pytest.raises(ValueError, match="10 minutes"):
            moments(SEED, "p", 0, 599_999)


class TestForesight:
    def test_moments_spread_evenly_over_the_slot(self) -> None:
        """10,000 learners, ten equal parts of the slot: chi-square below the 99.9 % point of 9 degrees."""
        usable = SLOT_MS - 2 * EDGE_MS
        found = [moment for person in range(10_000) for moment in moments(SEED, str(person), 0, SLOT_MS)]
        parts = Counter((moment - EDGE_MS) * 10 // usable for moment in found)
        expected = len(found) / 10
        assert sum((parts[part] - expected) ** 2 / expected for part in range(10)) < 27.9

    def test_one_learners_moments_say_nothing_of_another_learner(self) -> None:
        first, second = lesson("a", 400), lesson("b", 400)
        assert not set(first) & set(second)

    def test_who_was_asked_is_not_safe_until_the_slot_ends(self) -> None:
        twice = sum(len(moments(SEED, str(person), 3, SLOT_MS)) == 2 for person in range(10_000))
        assert 1_200 < twice < 2_500

    def test_another_seed_gives_other_moments(self) -> None:
        assert lesson("a") != lesson("a", seed=bytes(32))


class TestAfterTheLesson:
    def test_the_seed_gives_the_same_moments_again(self) -> None:
        assert lesson("a") == lesson("a")

    def test_the_commitment_is_the_hash_of_the_seed(self) -> None:
        assert commitment(b"\0" * 32) == "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"


class TestLate:
    def test_who_comes_after_his_moment_is_asked_in_the_rest_of_the_slot(self) -> None:
        for person in map(str, range(300)):
            last = moments(SEED, person, 1, SLOT_MS)[-1]
            found = moments(SEED, person, 1, SLOT_MS, last + 1)
            left_ms = 2 * SLOT_MS - EDGE_MS - (last + 1)
            if left_ms < 240_000:
                assert found == ()
            else:
                assert len(found) == 1
                assert last + 1 + EDGE_MS <= found[0] < 2 * SLOT_MS - EDGE_MS

    def test_moments_that_are_still_ahead_stay_as_they_are(self) -> None:
        on_time = moments(SEED, "a", 0, SLOT_MS)
        assert moments(SEED, "a", 0, SLOT_MS, on_time[0]) == on_time


def test_every_question_of_a_bank_is_chosen_alike() -> None:
    chosen = Counter(choose(SEED, str(person), 0, 4) for person in range(8_000))
    assert set(chosen) == {0, 1, 2, 3} and all(1_800 < count < 2_200 for count in chosen.values())
