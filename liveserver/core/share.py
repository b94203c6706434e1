"""One learner's share of a settlement: what his hours were reckoned from and what they are, for the ledger.

The fact `attendance_settled` carries `people_root`, the Merkle root (RFC 6962 2.1) over all shares by person:

    leaf    canonical JSON of {"facts": {…}, "person": "…", "result": {…}, "salt": "<64 hex>"}

So a learner can prove his own hours, and everything they come from, with a path of hashes that says nothing
of anybody else: each share has a salt of its own, without which its hash tells nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from liveserver.core.checks import Check, CheckResult
from liveserver.core.facts import policy_json, policy_of
from liveserver.core.hours import Facts, Kind, Other
from liveserver.core.ledger import canonical_json
from liveserver.core.merkle import leaf_hash

SALT_BYTES = 32
_SPANS = ("teaching", "presence", "hidden")


def salt_of(secret: bytes, person: str) -> str:
    """The salt of one share, hex. `secret`: the settlement's, `SALT_BYTES`."""
    return hmac.digest(secret, person.encode(), "sha256").hex()


def share_leaf(facts: str, person: str, result: str, salt: str) -> bytes:
    """The leaf of a share; `facts` and `result` in their canonical form."""
    text = f'{{"facts":{facts},"person":{canonical_json(person)},"result":{result},"salt":"{salt}"}}'
    return leaf_hash(text.encode())


def facts_json(facts: Facts) -> dict[str, Any]:
    """Facts of a live lesson in whole milliseconds; `facts_from` reads them again."""
    return {
        "policy": policy_json(facts.policy),
        "planned_ms": facts.planned_ms,
        "lecturer": None if facts.lecturer is None else [list(span) for span in facts.lecturer],
        **{name: [list(span) for span in getattr(facts, name)] for name in _SPANS},
        "checks": [[check.at_ms, check.result] for check in facts.checks],
        "other": others_json(facts.other),
        "id": facts.id,
    }


def facts_from(data: Mapping[str, Any]) -> Facts:
    """Raises KeyError, TypeError, ValueError or PeerError for what is none."""
    lecturer = data["lecturer"]
    return Facts(
        policy=policy_of(data["policy"]),
        planned_ms=data["planned_ms"],
        lecturer=None if lecturer is None else _spans(lecturer),
        teaching=_spans(data["teaching"]),
        presence=_spans(data["presence"]),
        hidden=_spans(data["hidden"]),
        checks=tuple(Check(at_ms, CheckResult(result)) for at_ms, result in data["checks"]),
        other=others_from(data["other"]),
        id=data["id"],
    )


def others_json(others: Sequence[Other]) -> list[list[Any]]:
    """Other activities of the same person: `[id, kind, from_ms, to_ms, started_ms]` each."""
    return [[one.id, one.kind, one.from_ms, one.to_ms, one.started_ms] for one in others]


def others_from(data: Sequence[Sequence[Any]]) -> tuple[Other, ...]:
    """Raises TypeError or ValueError for what is none."""
    return tuple(Other(name, Kind(kind), start, end, began) for name, kind, start, end, began in data)


def _spans(data: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in data)
