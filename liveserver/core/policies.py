"""The policies that ship, and a policy as JSON: read strictly, written completely. Pure.

Scores are from 0 to 1. The thresholds of `DEFAULT` are those at which the bundled models were found right
often enough to act without asking (`models/cards`); an administrator changes them per lesson.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from liveserver.core.errors import PeerError
from liveserver.core.screening import Action, Category, Kind, Mode, Policy, Rule, WhenBlind

MAX_RULES = 256
DELAY_MS = (1_000, 3_000)
BLIND_AFTER_MS = (1_000, 600_000)
MAX_MUTE_AFTER = 100
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_PICTURE_ACTIONS = frozenset({Action.ALLOW, Action.LOG, Action.WARN, Action.BLANK, Action.PAUSE, Action.CUT})
ACTIONS: Mapping[Kind, frozenset[Action]] = MappingProxyType(
    {
        Kind.FRAME: _PICTURE_ACTIONS,
        Kind.TEXT: _PICTURE_ACTIONS,
        # What a learner types may cost the learner the chat, never the class its lesson.
        Kind.CHAT: frozenset({Action.ALLOW, Action.LOG, Action.WARN, Action.HIDE, Action.MUTE}),
        Kind.SPEECH: _PICTURE_ACTIONS,
    }
)
"""What may follow from each kind of finding."""

E = TypeVar("E", bound=StrEnum)


def _rules(kind: Kind, *steps: tuple[Category, float, Action]) -> tuple[Rule, ...]:
    return tuple(Rule(kind, category, threshold, action) for category, threshold, action in steps)


_C, _A = Category, Action
DEFAULT = Policy(
    "default",
    1,
    (
        *_rules(
            Kind.FRAME,
            (_C.PORN, 0.60, _A.WARN),
            (_C.PORN, 0.85, _A.BLANK),
            (_C.VIOLENCE, 0.80, _A.WARN),
            (_C.GAMBLING, 0.80, _A.WARN),
            (_C.DRUGS, 0.80, _A.WARN),
            (_C.FRAUD, 0.80, _A.WARN),
            (_C.ILLICIT_AD, 0.80, _A.WARN),
            (_C.ABUSE, 0.80, _A.WARN),
            (_C.SENSITIVE, 0.50, _A.WARN),
        ),
        *_rules(
            Kind.TEXT,
            (_C.PORN, 0.60, _A.WARN),
            (_C.PORN, 0.90, _A.BLANK),
            (_C.GAMBLING, 0.60, _A.WARN),
            (_C.GAMBLING, 0.90, _A.BLANK),
            (_C.DRUGS, 0.60, _A.WARN),
            (_C.DRUGS, 0.90, _A.BLANK),
            (_C.FRAUD, 0.70, _A.WARN),
            (_C.ILLICIT_AD, 0.60, _A.WARN),
            (_C.ILLICIT_AD, 0.90, _A.BLANK),
            (_C.ABUSE, 0.80, _A.WARN),
            (_C.VIOLENCE, 0.80, _A.WARN),
            (_C.SENSITIVE, 0.50, _A.WARN),
        ),
        *_rules(
            Kind.CHAT,  # 0.6 is where models.chat.evaluate measures; abuse is read with the least certainty
            (_C.PORN, 0.60, _A.HIDE),
            (_C.GAMBLING, 0.60, _A.HIDE),
            (_C.DRUGS, 0.60, _A.HIDE),
            (_C.FRAUD, 0.60, _A.HIDE),
            (_C.ILLICIT_AD, 0.60, _A.HIDE),
            (_C.ABUSE, 0.60, _A.WARN),
            (_C.ABUSE, 0.85, _A.HIDE),
            (_C.VIOLENCE, 0.60, _A.WARN),
            (_C.VIOLENCE, 0.85, _A.HIDE),
            (_C.SENSITIVE, 0.50, _A.HIDE),
        ),
        *_rules(
            Kind.SPEECH,
            (_C.PORN, 0.70, _A.WARN),
            (_C.GAMBLING, 0.70, _A.WARN),
            (_C.DRUGS, 0.70, _A.WARN),
            (_C.FRAUD, 0.70, _A.WARN),
            (_C.ILLICIT_AD, 0.70, _A.WARN),
            (_C.ABUSE, 0.80, _A.WARN),
            (_C.VIOLENCE, 0.80, _A.WARN),
            (_C.SENSITIVE, 0.50, _A.WARN),
        ),
    ),
)


def _at_most(policy: Policy, action: Action) -> tuple[Rule, ...]:
    """The policy's rules with every stronger action brought down to `action`, without doubles."""
    kept: dict[tuple[Kind, Category], Rule] = {}
    for rule in policy.rules:
        held = replace(rule, action=min(rule.action, action, key=lambda one: one.rank))
        known = kept.get((rule.kind, rule.category))
        if known is None or held.threshold < known.threshold:
            kept[rule.kind, rule.category] = held
    return tuple(kept.values())


PRESETS: Mapping[str, Policy] = MappingProxyType(
    {
        "default": DEFAULT,
        # Nothing is shown before it was looked at, and nothing while nobody looks.
        "strict": replace(
            DEFAULT,
            name="strict",
            mode=Mode.SCREENED,
            delay_ms=2_000,
            when_blind=WhenBlind.SLATE,
            two_person_restore=True,
            mute_after=2,
        ),
        # For trying models and lists out: everything is noted, nothing is done.
        "observe": replace(DEFAULT, name="observe", rules=_at_most(DEFAULT, Action.LOG), mute_after=0),
        # For a node without the power to look at every picture.
        "light": replace(DEFAULT, name="light", mode=Mode.KEYFRAMES),
    }
)
"""By name; each is version 1 of a policy that administrators may change."""


def policy_json(policy: Policy) -> dict[str, Any]:
    """The whole policy as JSON; `parse` reads it back to an equal one."""
    return {
        "name": policy.name,
        "version": policy.version,
        "mode": policy.mode,
        "delay_ms": policy.delay_ms,
        "blind_after_ms": policy.blind_after_ms,
        "when_blind": policy.when_blind,
        "two_person_restore": policy.two_person_restore,
        "mute_after": policy.mute_after,
        "rules": [
            {"kind": r.kind, "category": r.category, "threshold": r.threshold, "action": r.action}
            for r in policy.rules
        ],
    }


def policy_fact(policy: Policy) -> dict[str, Any]:
    """The same for the ledger: whole numbers only, thresholds in millionths."""
    document = policy_json(policy)
    for rule in document["rules"]:
        rule["threshold_ppm"] = round(rule.pop("threshold") * 1_000_000)
    return {key: value for key, value in document.items() if key not in ("name", "version")}


def parse(document: object, name: str, version: int) -> Policy:
    """The policy a JSON value describes, under a name and a version of the caller's choice.

    What is left out is as in `DEFAULT`. `name` and `version` inside the document are allowed, so that what
    was read may be sent back, and say nothing. Raises PeerError `bad_request` (400) naming what is wrong.
    """
    fields = _fields(document, _READERS, "the policy")
    if NAME.fullmatch(name) is None:
        raise _wrong("name", "1 to 64 of a-z, 0-9, _ and - are expected")
    fields.pop("name", None)
    fields.pop("version", None)
    return replace(DEFAULT, name=name, version=version, **fields)


def _fields(document: object, readers: Mapping[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise PeerError("bad_request", f"{where} is a JSON object")
    for key in document:
        if key not in readers:
            raise PeerError("bad_request", f"{where} has no field {str(key)[:64]!r}")
    return {key: readers[key](key, value) for key, value in document.items()}


def _wrong(key: str, expected: str) -> PeerError:
    return PeerError("bad_request", f"{key}: {expected}")


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, "true or false is expected")
    return value


def _whole(low: int, high: int) -> Any:
    def read(key: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _wrong(key, f"a whole number from {low} to {high} is expected")
        return value

    return read


def _one_of(options: type[E]) -> Any:
    listed = [str(option) for option in options]

    def read(key: str, value: object) -> E:
        if not isinstance(value, str) or value not in listed:
            raise _wrong(key, f"one of {', '.join(listed)} is expected")
        return options(value)

    return read


def _share(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _wrong(key, "a number from 0 to 1 is expected")
    if not 0 < value <= 1:
        raise _wrong(key, "a number above 0 and up to 1 is expected")
    return float(value)


def _category(key: str, value: object) -> Category:
    found: Category = _one_of(Category)(key, value)
    if found is Category.BENIGN:
        raise _wrong(key, "what is benign needs no rule")
    return found


def _anything(key: str, value: object) -> object:
    return value


_RULE_READERS: Mapping[str, Any] = {
    "kind": _one_of(Kind),
    "category": _category,
    "threshold": _share,
    "action": _one_of(Action),
}


def _rule(position: int, value: object) -> Rule:
    where = f"rules[{position}]"
    try:
        found = _fields(value, _RULE_READERS, where)
    except PeerError as error:
        detail = error.detail if error.detail.startswith(where) else f"{where}.{error.detail}"
        raise PeerError("bad_request", detail) from error
    missing = [key for key in _RULE_READERS if key not in found]
    if missing:
        raise _wrong(where, f"{missing[0]} is missing")
    rule = Rule(**found)
    if rule.action not in ACTIONS[rule.kind]:
        raise _wrong(where, f"{rule.action} is nothing that can follow from {rule.kind}")
    return rule


def _rule_list(key: str, value: object) -> tuple[Rule, ...]:
    if not isinstance(value, list) or len(value) > MAX_RULES:
        raise _wrong(key, f"a list of at most {MAX_RULES} rules is expected")
    rules = tuple(_rule(position, item) for position, item in enumerate(value))
    seen: set[tuple[Kind, Category, Action]] = set()
    for position, rule in enumerate(rules):
        what = (rule.kind, rule.category, rule.action)
        if what in seen:
            raise _wrong(f"rules[{position}]", f"{rule.kind} {rule.category} {rule.action} is there twice")
        seen.add(what)
    return rules


_READERS: Mapping[str, Any] = {
    "name": _anything,
    "version": _anything,
    "mode": _one_of(Mode),
    "delay_ms": _whole(*DELAY_MS),
    "blind_after_ms": _whole(*BLIND_AFTER_MS),
    "when_blind": _one_of(WhenBlind),
    "two_person_restore": _flag,
    "mute_after": _whole(0, MAX_MUTE_AFTER),
    "rules": _rule_list,
}
