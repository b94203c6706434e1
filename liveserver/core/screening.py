"""What screening sees and what follows from it: findings, policies, decisions, receipts. Pure.

A *finding* is what a model or a list says of one picture, one chat line or one text: a score per category.
A *policy* (one per lesson, versioned, frozen into each receipt) turns scores into an *action*. A *receipt*
holds all that is needed to run the same decision again: what was seen (by hash), by which model (by hash),
under which threshold of which version (REQ-L12, L18, V12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Kind(StrEnum):
    """What was looked at."""

    FRAME = "frame"
    TEXT = "text"
    """Read from the picture."""
    CHAT = "chat"
    """Chat lines, and what else people type: names, quiz texts, file names."""
    SPEECH = "speech"


class Category(StrEnum):
    """What may be wrong with it; `BENIGN` is what is not. `SENSITIVE` is the operator's own list."""

    BENIGN = "benign"
    PORN = "porn"
    GAMBLING = "gambling"
    DRUGS = "drugs"
    FRAUD = "fraud"
    ILLICIT_AD = "illicit_ad"
    ABUSE = "abuse"
    VIOLENCE = "violence"
    SENSITIVE = "sensitive"


class Action(StrEnum):
    """What is done about it, the weakest first.

    `hide` holds a chat line back until a person decides; `mute` takes the chat from its author; `blank`,
    `pause` and `cut` are cuts of the levels picture, pause and lesson.
    """

    ALLOW = "allow"
    LOG = "log"
    WARN = "warn"
    HIDE = "hide"
    MUTE = "mute"
    BLANK = "blank"
    PAUSE = "pause"
    CUT = "cut"

    @property
    def rank(self) -> int:
        return _RANK[self]


_RANK = {action: rank for rank, action in enumerate(Action)}


class Mode(StrEnum):
    """How much of the picture is looked at."""

    OFF = "off"
    KEYFRAMES = "keyframes"
    """One picture each 2 s, and slide changes among them."""
    WATCH = "watch"
    """Every picture is decoded; scored at visible changes and at least twice a second, after it was shown."""
    SCREENED = "screened"
    """As `watch`, but nothing is shown before it has passed."""


class WhenBlind(StrEnum):
    """What viewers get while nobody looks (screening dead, behind, or switched off by its failure)."""

    PASS = "pass"  # noqa: S105 - a word, not a password
    """The picture goes on; the time is recorded and an alarm raised."""
    SLATE = "slate"
    """The picture is held back until screening sees again."""


class Seeing(StrEnum):
    """How well screening sees a lesson now."""

    SEEING = "seeing"
    BEHIND = "behind"
    """Verdicts come, but late or thinned out."""
    BLIND = "blind"
    """Pictures come and no verdict (REL-G11)."""
    OFF = "off"
    """Nobody looks: by policy, or because nothing is sent."""


@dataclass(frozen=True, slots=True)
class Sight:
    """`seeing` since `since_ms`, under which `mode`; `delay_ms` behind live in mode `screened`, else 0.

    `held_back`: viewers get the slate instead of the picture.
    """

    seeing: Seeing = Seeing.OFF
    since_ms: int = 0
    mode: Mode = Mode.OFF
    delay_ms: int = 0
    held_back: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """From `threshold` (0 to 1) on, a score of `category` in a finding of `kind` asks for `action`."""

    kind: Kind
    category: Category
    threshold: float
    action: Action


@dataclass(frozen=True, slots=True)
class Policy:
    """What one lesson is screened by. `version` counts its changes; times are integer milliseconds.

    `delay_ms`: how far behind live viewers are in mode `screened`, 1,000 to 3,000. `blind_after_ms`: without
    a verdict for so long while pictures come, screening counts as blind (REL-G11).
    """

    name: str
    version: int
    rules: tuple[Rule, ...]
    mode: Mode = Mode.WATCH
    delay_ms: int = 1500
    blind_after_ms: int = 10_000
    when_blind: WhenBlind = WhenBlind.PASS
    two_person_restore: bool = False
    mute_after: int = 3
    """So many held lines of one person within ten minutes take the chat from them; 0: never."""

    def decide(self, kind: Kind, scores: Mapping[str, float]) -> Decision:
        """The strongest action that any score asks for; among equals the highest score names it."""
        best = Decision(Action.ALLOW, Category.BENIGN, 0.0, None)
        for rule in self.rules:
            score = scores.get(rule.category, 0.0)
            if rule.kind is kind and score >= rule.threshold:
                asked = Decision(rule.action, rule.category, score, rule.threshold)
                best = max(best, asked, key=lambda found: (found.action.rank, found.score))
        return best


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says of one finding. `threshold`: the one that was passed, None for `allow`."""

    action: Action
    category: Category
    score: float
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text in a picture. `box`: left, top, right, bottom in pixels of the evidence JPEG."""

    text: str
    box: tuple[int, int, int, int]
    label: Category = Category.BENIGN
    score: float = 0.0


class TextFinding(Protocol):
    """What a text is: category → 0 to 1; why, for a person; by which models and lists (name → SHA-256)."""

    @property
    def scores(self) -> Mapping[str, float]: ...

    @property
    def why(self) -> tuple[str, ...]: ...

    @property
    def models(self) -> Mapping[str, str]: ...

    @property
    def lists(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look at one thing gave. `scores`: category → 0 to 1. `models`: name → SHA-256 (hex).

    `at_ms`: server time at which it arrived; `content_sha256` of the evidence JPEG, or of the UTF-8 text.
    `lines` and `jpeg` only for pictures; `track` is "camera" or "screen" then.
    """

    kind: Kind
    at_ms: int
    scores: Mapping[str, float]
    models: Mapping[str, str]
    content_sha256: str
    track: str = ""
    lines: tuple[Line, ...] = ()
    jpeg: bytes = b""
    why: tuple[str, ...] = ()
    """What led to it, for a person: the word of a list, the form of an advert."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A finding and its decision, as both are kept: whoever has the content and the models can repeat it."""

    finding: Finding
    decision: Decision
    policy: str
    policy_version: int
    lists: Mapping[str, str] = field(default_factory=dict)
    """Lexicons that took part: name → version."""

    def as_json(self) -> dict[str, Any]:
        """Integers only (scores in millionths), so that it can be hashed canonically (core.ledger)."""
        finding, decision = self.finding, self.decision
        return {
            "kind": finding.kind,
            "at_ms": finding.at_ms,
            "content_sha256": finding.content_sha256,
            "models": dict(finding.models),
            "lists": dict(self.lists),
            "scores_ppm": {name: round(score * 1_000_000) for name, score in finding.scores.items()},
            "category": decision.category,
            "threshold_ppm": None if decision.threshold is None else round(decision.threshold * 1_000_000),
            "action": decision.action,
            "policy": self.policy,
            "policy_version": self.policy_version,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What screening says of something somebody typed, with the id under which it goes on record.

    `mute_after` is the policy's.
    """

    incident: str
    receipt: Receipt
    mute_after: int = 0

    @property
    def decision(self) -> Decision:
        return self.receipt.decision
