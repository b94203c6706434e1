"""What stands for a text: n-grams' hashes, and those of them that a vocabulary has."""

from __future__ import annotations

import numpy as np

from models.chat.features import hashes, known
from models.chat.normal import normal


class TestHashes:
    def test_are_each_there_once_and_in_order(self):
        found = hashes(normal("老师好老师好"))
        assert found.dtype == np.uint32
        assert (np.diff(found.astype(np.int64)) > 0).all()

    def test_of_a_text_are_among_those_of_a_longer_one_but_for_its_ends(self):
        part, whole = (set(hashes(normal(text))) for text in ("考试", "明天考试吗"))
        assert len(part & whole) >= 5

    def test_sounds_count_as_well(self):
        one, other = (set(hashes(normal(text))) for text in ("微信", "威心"))
        assert one & other

    def test_an_empty_text_has_its_ends(self):
        assert len(hashes(normal(""))) >= 1


class TestKnown:
    def test_gives_the_places_of_what_the_vocabulary_has(self):
        vocabulary = np.array([3, 7, 9], np.uint32)
        assert known(np.array([1, 3, 8, 9, 4_000_000_000], np.uint32), vocabulary).tolist() == [0, 2]

    def test_what_is_new_says_nothing(self):
        assert known(np.array([1, 2], np.uint32), np.array([5], np.uint32)).size == 0
