"""A receipt run again: the same content through the same models under the same policy (REQ-L18, V12). Pure.

Whoever has the content, the models and the policy's version can do it, on any machine; arithmetic may differ
there in the last digits, so scores count as the same within a thousandth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from liveserver.core.screening import Decision, Kind, Policy

TOLERANCE_PPM = 1_000


class Looked(Protocol):
    """What models say of a content: `models` name → SHA-256 (hex), `lists` name → version."""

    @property
    def scores(self) -> Mapping[str, float]: ...

    @property
    def models(self) -> Mapping[str, str]: ...

    @property
    def lists(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Rerun:
    """The decision of today. `differs` names what is not as the receipt says: content, models, lists, policy,
    scores, decision; empty when it was repeated."""

    decision: Decision
    differs: tuple[str, ...]


def rerun(
    receipt: Mapping[str, Any], content: bytes, look: Callable[[bytes], Looked], policy: Policy
) -> Rerun:
    """Decide `content` (the JPEG, or the text as UTF-8) again and compare with `Receipt.as_json`."""
    looked = look(content)
    decision = policy.decide(Kind(receipt["kind"]), looked.scores)
    threshold = None if decision.threshold is None else round(decision.threshold * 1_000_000)
    decided = (decision.action, decision.category, threshold)
    same = {
        "content": receipt.get("content_sha256") == hashlib.sha256(content).hexdigest(),
        "models": dict(receipt["models"]) == dict(looked.models),
        "lists": dict(receipt["lists"]) == dict(looked.lists),
        "policy": (receipt["policy"], receipt["policy_version"]) == (policy.name, policy.version),
        "scores": _close(receipt["scores_ppm"], looked.scores),
        "decision": decided == (receipt["action"], receipt["category"], receipt["threshold_ppm"]),
    }
    return Rerun(decision, tuple(name for name, is_same in same.items() if not is_same))


def _close(before_ppm: Mapping[str, int], now: Mapping[str, float]) -> bool:
    return before_ppm.keys() == now.keys() and all(
        abs(before_ppm[name] - round(score * 1_000_000)) <= TOLERANCE_PPM for name, score in now.items()
    )
