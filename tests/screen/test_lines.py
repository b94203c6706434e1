"""Lines of text in a picture are judged alone and with their neighbours."""

from __future__ import annotations

import pytest

from liveserver.core.screening import Category, Line
from liveserver.screen.lines import judged, together
from models.chat.lexicon import Entry, Lexicon
from models.chat.screen import ChatScreen

ABOVE, BELOW, APART = (100, 100, 500, 130), (100, 140, 500, 170), (100, 400, 500, 430)


@pytest.fixture
def censor() -> ChatScreen:
    return ChatScreen([Lexicon("ours", [Entry("某个长长的话题", "fraud", 0.9), Entry("单独", "porn", 0.85)])])


def found(censor: ChatScreen, *lines: tuple[str, tuple[int, int, int, int]]) -> list[tuple[Line, ...]]:
    alone = [judged([Line(text, box)], censor.screen(text)).lines[0] for text, box in lines]
    return [one.lines for one in together(alone, censor)]


class TestTwoLines:
    def test_that_say_something_only_together_are_both_marked(self, censor):
        (pair,) = found(censor, ("下课谈某个长", ABOVE), ("长的话题", BELOW))
        assert [(line.box, line.label, line.score) for line in pair] == [
            (ABOVE, Category.FRAUD, 0.9),
            (BELOW, Category.FRAUD, 0.9),
        ]

    def test_are_read_from_top_to_bottom(self, censor):
        assert found(censor, ("长的话题", BELOW), ("下课谈某个长", ABOVE))
        assert not found(censor, ("长的话题", ABOVE), ("下课谈某个长", BELOW))

    def test_that_stand_apart_are_not_read_as_one(self, censor):
        assert not found(censor, ("下课谈某个长", ABOVE), ("长的话题", APART))

    def test_of_which_one_says_it_alone_leave_the_other_unmarked(self, censor):
        assert not found(censor, ("单独", ABOVE), ("下课见", BELOW))

    def test_that_are_harmless_stay_so(self, censor):
        assert not found(censor, ("第一章", ABOVE), ("触电急救", BELOW))
