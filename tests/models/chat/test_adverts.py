"""The grammar of training texts: what it makes, that it is the same each time, that held-out is held out."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from models.chat import adverts
from models.chat.adverts import Grammar, GrammarError
from models.chat.normal import normal

FOLDERS = (adverts.TRAINING, adverts.DEVELOPMENT, adverts.HELD_OUT)


def made(text: str, label: str, count: int = 20) -> set[str]:
    grammar = Grammar()
    grammar.read(text, "test")
    return set(adverts.texts(grammar, label, count, random.Random(1)))


class TestGrammar:
    def test_sets_alternatives_and_numbers_are_filled_in(self):
        texts = made("who = 老师 | {小|老}王\n[benign]\n{who}{好|}{#3-4}\n", "benign", 200)
        assert texts == {
            f"{who}{end}{n}" for who in ("老师", "小王", "老王") for end in ("好", "") for n in "34"
        }

    def test_every_template_has_its_turn(self):
        assert made("[benign]\na\nb\nc\n", "benign", 3) == {"a", "b", "c"}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("before\n[benign]\n", "before the first label"),
            ("[benign]\n{nobody}\n", "no set nobody"),
            ("a = {a}{a}\n[benign]\n{a}\n", "without end"),
            ("a = b\na = c\n", "already"),
        ],
    )
    def test_what_is_wrong_is_named(self, text, said):
        with pytest.raises(GrammarError, match=said):
            made(text, "benign")


class TestTheGrammarsOfTheProject:
    @pytest.mark.parametrize("folder", FOLDERS)
    def test_every_template_can_be_filled_in(self, folder):
        grammar, dice = adverts.load(folder), random.Random(1)
        for templates in grammar.templates.values():
            for template in set(templates):
                assert "{" not in grammar.expand(template, dice)

    @pytest.mark.parametrize("pair", list(combinations(FOLDERS, 2)))
    def test_no_two_share_a_template(self, pair):
        one, other = (
            {template for templates in adverts.load(folder).templates.values() for template in templates}
            for folder in pair
        )
        assert one & other == set()

    def test_the_same_dice_make_the_same_texts(self):
        grammar = adverts.load(adverts.TRAINING)
        first, again = (list(adverts.texts(grammar, "fraud", 50, random.Random(3))) for _ in range(2))
        assert first == again


class TestDisguise:
    def test_the_normal_form_sees_through_what_only_hides(self):
        text, dice = "加我微信看片资源", random.Random(1)
        for way in (adverts._invisible, adverts._split, adverts._traditional):
            assert normal(way(text, dice)).text == normal(text).text

    def test_homophones_sound_the_same(self):
        text = "加我微信看片资源"
        assert normal(adverts._homophones(text, random.Random(1))).sounds == normal(text).sounds
