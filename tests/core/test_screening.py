"""A policy turns scores into one action, and a receipt lets anybody repeat that."""

from __future__ import annotations

import json

from liveserver.core.screening import Action, Category, Decision, Finding, Kind, Policy, Receipt, Rule

POLICY = Policy(
    "plain",
    3,
    (
        Rule(Kind.FRAME, Category.PORN, 0.6, Action.WARN),
        Rule(Kind.FRAME, Category.PORN, 0.9, Action.CUT),
        Rule(Kind.FRAME, Category.VIOLENCE, 0.5, Action.WARN),
        Rule(Kind.CHAT, Category.PORN, 0.5, Action.HIDE),
    ),
)


class TestDecide:
    def test_below_every_threshold_is_allowed(self) -> None:
        assert POLICY.decide(Kind.FRAME, {"porn": 0.59}) == Decision(Action.ALLOW, Category.BENIGN, 0.0, None)

    def test_at_the_threshold_the_action_follows(self) -> None:
        assert POLICY.decide(Kind.FRAME, {"porn": 0.6}) == Decision(Action.WARN, Category.PORN, 0.6, 0.6)

    def test_the_strongest_action_wins_over_the_higher_score(self) -> None:
        decision = POLICY.decide(Kind.FRAME, {"porn": 0.91, "violence": 0.99})
        assert decision == Decision(Action.CUT, Category.PORN, 0.91, 0.9)

    def test_among_equal_actions_the_highest_score_names_the_category(self) -> None:
        assert POLICY.decide(Kind.FRAME, {"porn": 0.7, "violence": 0.8}).category is Category.VIOLENCE

    def test_rules_of_another_kind_say_nothing(self) -> None:
        assert POLICY.decide(Kind.CHAT, {"violence": 1.0}).action is Action.ALLOW

    def test_a_category_without_a_rule_is_allowed(self) -> None:
        assert POLICY.decide(Kind.FRAME, {"drugs": 1.0}).action is Action.ALLOW


def test_actions_are_ordered_from_weak_to_strong() -> None:
    assert [action.rank for action in Action] == sorted(action.rank for action in Action)
    assert Action.CUT.rank > Action.HIDE.rank > Action.LOG.rank


def test_a_receipt_has_whole_numbers_only_and_all_that_repeats_the_decision() -> None:
    finding = Finding(Kind.FRAME, 1_700_000_000_000, {"porn": 0.914159265}, {"nsfw": "ab" * 32}, "cd" * 32)
    decision = POLICY.decide(finding.kind, finding.scores)
    shown = Receipt(finding, decision, POLICY.name, POLICY.version, {"bundled": "1"}).as_json()
    assert shown["scores_ppm"] == {"porn": 914159}
    assert shown["threshold_ppm"] == 900_000
    assert (shown["action"], shown["category"], shown["policy_version"]) == ("cut", "porn", 3)
    assert shown["models"] == {"nsfw": "ab" * 32} and shown["content_sha256"] == "cd" * 32
    assert "." not in json.dumps(shown)
