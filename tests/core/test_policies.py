"""Policies that ship, and a policy as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.policies import ACTIONS, DEFAULT, MAX_RULES, PRESETS, parse, policy_json
from liveserver.core.screening import Action, Category, Kind, Mode, WhenBlind


def rule(**changed: object) -> dict[str, object]:
    return {"kind": "chat", "category": "porn", "threshold": 0.5, "action": "hide"} | changed


class TestPresets:
    def test_the_default_has_a_rule_for_every_kind_and_category(self) -> None:
        covered = {(r.kind, r.category) for r in DEFAULT.rules}
        wanted = {(k, c) for k in Kind for c in Category if c is not Category.BENIGN}
        assert covered == wanted

    def test_each_one_is_what_its_own_json_says(self) -> None:
        for name, policy in PRESETS.items():
            text = json.dumps(policy_json(policy))
            assert parse(json.loads(text), name, 1) == policy

    def test_observe_does_nothing_but_note(self) -> None:
        assert {r.action for r in PRESETS["observe"].rules} == {Action.LOG}

    def test_strict_shows_nothing_unseen(self) -> None:
        strict = PRESETS["strict"]
        assert (strict.mode, strict.when_blind) == (Mode.SCREENED, WhenBlind.SLATE)


class TestParse:
    def test_what_is_left_out_is_as_in_the_default(self) -> None:
        policy = parse({"mode": "off"}, "quiet", 7)
        assert (policy.name, policy.version, policy.mode) == ("quiet", 7, Mode.OFF)
        assert policy.rules == DEFAULT.rules

    def test_name_and_version_inside_say_nothing(self) -> None:
        assert parse({"name": "x", "version": 99}, "mine", 2).version == 2

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ([], "JSON object"),
            ({"colour": 1}, "no field 'colour'"),
            ({"mode": "sometimes"}, "mode: one of"),
            ({"mode": []}, "mode: one of"),
            ({"delay_ms": 999}, "delay_ms: a whole number"),
            ({"delay_ms": 1500.0}, "delay_ms: a whole number"),
            ({"delay_ms": True}, "delay_ms: a whole number"),
            ({"blind_after_ms": 0}, "blind_after_ms"),
            ({"two_person_restore": 1}, "true or false"),
            ({"mute_after": -1}, "mute_after"),
            ({"rules": {}}, "rules: a list"),
            ({"rules": [rule()] * (MAX_RULES + 1)}, "rules: a list"),
            ({"rules": [rule(), rule()]}, "rules[1]: chat porn hide is there twice"),
            ({"rules": [rule(threshold=0)]}, "rules[0].threshold"),
            ({"rules": [rule(threshold=1.01)]}, "rules[0].threshold"),
            ({"rules": [rule(threshold=float("nan"))]}, "rules[0].threshold"),
            ({"rules": [rule(threshold="0.5")]}, "rules[0].threshold"),
            ({"rules": [rule(category="benign")]}, "rules[0].category"),
            ({"rules": [rule(category="weather")]}, "rules[0].category"),
            ({"rules": [rule(more=1)]}, "rules[0] has no field 'more'"),
            ({"rules": [7]}, "rules[0] is a JSON object"),
            ({"rules": [{"kind": "chat"}]}, "rules[0]: category is missing"),
            ({"rules": [rule(action="cut")]}, "cut is nothing that can follow from chat"),
            ({"rules": [rule(kind="frame", action="mute")]}, "mute is nothing that can follow from frame"),
        ],
    )
    def test_what_is_wrong_is_named(self, document: Any, said: str) -> None:
        with pytest.raises(PeerError) as refused:
            parse(document, "mine", 1)
        assert (refused.value.code, refused.value.status) == ("bad_request", 400)
        assert said in refused.value.detail

    @pytest.mark.parametrize("name", ["", "Default", "../x", "a b", "x" * 65, "名"])
    def test_a_name_is_plain(self, name: str) -> None:
        with pytest.raises(PeerError, match="name"):
            parse({}, name, 1)


def test_nothing_a_learner_types_can_end_a_lesson() -> None:
    assert not ACTIONS[Kind.CHAT] & {Action.BLANK, Action.PAUSE, Action.CUT}
