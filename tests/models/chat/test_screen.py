"""What the screen says of texts: figures on texts that nothing was trained on, and the rules around them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from liveserver.core.policies import DEFAULT
from liveserver.core.screening import Category, Kind
from models import cards
from models.chat import evaluate
from models.chat.classifier import NAME, Classifier
from models.chat.corpus import held_out_made
from models.chat.labels import BENIGN, LABELS, SENSITIVE
from models.chat.lexicon import Entry, Lexicon
from models.chat.screen import MAX_CHARACTERS, ChatScreen
from models.errors import ModelError

NAUGHTY = Path(__file__).parents[4] / "shared" / "data" / "fuzz" / "text"
HARMLESS = "老师好，声音有点小，能调大一点吗"


@pytest.fixture(scope="module")
def made():
    return held_out_made()


def found(chat, samples):
    return [evaluate.label_of(chat.screen(sample.text).scores) for sample in samples]


def flagged(labels):
    return 1 - labels.count(BENIGN) / len(labels)


class TestFigures:
    """Floors a little below what was measured (docs/BENCHMARKS.md), so that a worse model does not pass."""

    def test_adverts_and_abuse_worded_otherwise(self, chat, made):
        assert flagged(found(chat, made["held-out adverts and abuse"])) >= 0.67

    def test_the_same_in_disguise_is_found_as_well(self, chat, made):
        assert flagged(found(chat, made["the same in disguise"])) >= 0.65

    def test_innocent_lines_with_risky_words(self, chat, made):
        assert flagged(found(chat, made["held-out hard negatives"])) <= 0.05

    def test_ordinary_classroom_lines(self, chat, made):
        assert flagged(found(chat, made["held-out classroom"])) <= 0.005


class TestTheWritingAlone:
    """Innocent texts are split and decorated too."""

    @pytest.mark.parametrize(
        "text",
        ["红 色 方 案", "看看蓝 色 方 案", "安 全 第 一", "第 一 讲 电 工 基 础", "👏👏老师讲得好🌹🌹"],
    )
    def test_makes_nothing_an_advert(self, chat, text):
        assert evaluate.label_of(chat.screen(text).scores) == BENIGN


class TestOneText:
    @pytest.mark.parametrize(
        ("text", "label"),
        [
            ("加-薇-信 wan9018 看片，资源每天更新", "porn"),
            ("𝕥𝕪𝕛𝟜𝟘.𝕧𝕚𝕡 注册送88 新人必红", "gambling"),
            ("出肉，冰的，同城闪送，懂的加我", "drugs"),
            ("代刷学时，人脸也能过，十块一节", "fraud"),
            ("抖音代发一单5米，多号多发", "illicit_ad"),
            ("你他妈会不会讲课，傻逼老师", "abuse"),
            ("明天我要把培训学校炸了", "violence"),
            (HARMLESS, "benign"),
            ("禁毒宣传课里说的新型毒品有哪些伪装形式", "benign"),
        ],
    )
    def test_is_put_where_it_belongs(self, chat, text, label):
        assert evaluate.label_of(chat.screen(text).scores) == label

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "？",
            "666666",
            "1",
            "\0",
            "\ud800",
            "😂😂😂",
            "。。。",
            "Mo",
            "Wang",
            "good morning everyone",
        ],
    )
    def test_that_says_nothing_is_benign(self, chat, text):
        assert chat.screen(text).scores[BENIGN] == 1.0

    def test_has_a_score_for_each_label(self, chat):
        scores = chat.screen("牛牛金花上下分秒到，加微信").scores
        assert set(scores) == set(LABELS)
        assert all(0 <= score <= 1 for score in scores.values())

    def test_carries_what_it_was_judged_by(self, chat):
        seen = chat.screen(HARMLESS)
        assert seen.models == {NAME: cards.own()[NAME].sha256}
        assert set(seen.lists) == {"shipped"}

    def test_is_judged_the_same_each_time(self, chat):
        assert chat.screen(HARMLESS) == chat.screen(HARMLESS)

    def test_that_is_flagged_says_why_and_others_say_nothing(self, chat):
        why = chat.screen("代-刷-学-时 人脸代过 www.a1b2c3.top").why
        assert "word 代刷学时" in why
        assert {"cheap address", "split"} <= set(why)
        assert chat.screen(HARMLESS).why == ()


class TestLongTexts:
    def test_an_advert_does_not_drown_in_a_long_text(self, chat):
        filling = "今天我们学习触电急救的步骤，首先要切断电源，然后检查呼吸和脉搏。" * 20
        advert = "澳门新葡京上线了，首存送百分百，加薇信wan9018，下分秒到账，新人必红"
        assert evaluate.label_of(chat.screen(filling).scores) == BENIGN
        assert evaluate.label_of(chat.screen(filling + advert + filling).scores) == "gambling"

    def test_of_very_long_ones_beginning_and_end_are_looked_at(self, chat):
        filling = "课" * MAX_CHARACTERS
        assert evaluate.label_of(chat.screen(filling + "傻逼老师").scores) == "abuse"
        assert evaluate.label_of(chat.screen("傻逼老师" + filling).scores) == "abuse"

    def test_hostile_strings_of_others_do_no_harm(self, chat):
        files = sorted(NAUGHTY.glob("*.txt"))
        if not files:
            pytest.skip("no fuzz texts beside the checkout")
        for line in files[0].read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            assert set(chat.screen(line).scores) == set(LABELS)


class TestLists:
    def test_the_operators_list_is_beside_the_one_that_ships(self):
        screen = ChatScreen.load(lists=[Lexicon("ours", [Entry("某个话题", SENSITIVE, 0.9)])])
        seen = screen.screen("谈谈某-个-话-题")
        assert seen.scores[SENSITIVE] == 0.9
        assert set(seen.lists) == {"shipped", "ours"}

    def test_a_list_is_replaced_while_it_is_in_use(self):
        screen = ChatScreen.load(lists=[Lexicon("ours", [Entry("某个话题", SENSITIVE, 0.9)])])
        before = screen.screen("某个话题").lists["ours"]
        screen.replace_list("ours", Lexicon("ours"))
        after = screen.screen("某个话题")
        assert SENSITIVE not in after.scores
        assert after.lists["ours"] != before

    def test_lists_work_without_a_classifier(self):
        seen = ChatScreen([Lexicon("ours", [Entry("某个话题", "fraud", 0.9)])]).screen("某个话题")
        assert seen.scores["fraud"] == 0.9
        assert seen.models == {}

    def test_two_lists_of_one_name_are_refused(self):
        with pytest.raises(ValueError, match="two lists"):
            ChatScreen.load(lists=[Lexicon("shipped")])


class TestLoading:
    def test_other_bytes_than_the_cards_are_refused(self, tmp_path):
        card = cards.own()[NAME]
        (tmp_path / card.file).write_bytes((cards.WEIGHTS / card.file).read_bytes() + b"\0")
        with pytest.raises(ModelError, match="SHA-256"):
            ChatScreen.load(tmp_path)

    def test_weights_for_other_features_are_refused(self):
        card = cards.own()[NAME]
        other = dataclasses.replace(card, parameters={**card.parameters, "features": 7})
        with pytest.raises(ModelError, match="other features"):
            Classifier(cards.WEIGHTS, other)


class TestThePolicyThatShips:
    def test_flags_from_where_the_figures_were_measured(self):
        lowest = {}
        for rule in DEFAULT.rules:
            if rule.kind is Kind.CHAT and rule.category is not Category.SENSITIVE:
                lowest[rule.category] = min(rule.threshold, lowest.get(rule.category, 1.0))
        assert set(lowest.values()) == {evaluate.FLAGGED}
        assert {BENIGN, *lowest} == set(LABELS)
