"""One learner's attendance of one lesson, reckoned from its register: what sheet and API show (REQ-I14).

Pure: the same facts give the same record to the byte, and `digest` names a whole lesson's. An adjustment that
two persons approved is added last and never hides what was reckoned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liveserver.core.checks import MISSES, CheckResult
from liveserver.core.earning import Reason
from liveserver.core.hours import Facts, Hours, Other, credit, shown
from liveserver.core.ledger import canonical_json
from liveserver.core.presence import READING_GAP_MS
from liveserver.core.presets import Frozen
from liveserver.core.register import Frame, Register
from liveserver.core.spans import Spans, bridged, intersect, length, union

VOIDS_TOLD = 20


@dataclass(frozen=True, slots=True)
class Record:
    """`first_online_ms` to `last_offline_ms`: of all connections, None while one is open. `spans`: presence,
    with gaps of at most a minute left out for reading. `session_ms`: present during the lesson."""

    person: str
    first_online_ms: int
    last_offline_ms: int | None
    spans: Spans
    session_ms: int
    hours: Hours
    issued: int
    passed: int
    missed: int
    facts: Facts
    """What it was reckoned from."""
    adjusted_s: int = 0

    @property
    def credited_s(self) -> int:
        """What counts: reckoned and adjusted."""
        return max(0, self.hours.credited_s + self.adjusted_s)

    @property
    def lesson_hours(self) -> str:
        return shown(self.credited_s)

    @property
    def text(self) -> str:
        """What is hashed and stored: canonical JSON (RFC 8785)."""
        return canonical_json(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Whole numbers, texts and lists."""
        return {
            "person": self.person,
            "first_online_ms": self.first_online_ms,
            "last_offline_ms": self.last_offline_ms,
            "spans": [list(span) for span in self.spans],
            "session_ms": self.session_ms,
            "reckoned_ms": self.hours.credited_ms,
            "adjusted_s": self.adjusted_s,
            "credited_s": self.credited_s,
            "earned": [list(span) for span in self.hours.earned],
            "status": list(self.hours.status),
            "checks": {"issued": self.issued, "passed": self.passed, "missed": self.missed},
            "void": [list(void) for void in self.hours.voids],
            "days": dict(self.hours.days),
        }


@dataclass(frozen=True, slots=True)
class About:
    """The lesson itself: what everybody's hours were reckoned from."""

    policy: Frozen
    started_ms: int | None
    ended_ms: int | None
    teaching: Spans
    lecturer: Spans

    @classmethod
    def of(cls, register: Register, frame: Frame) -> About:
        return cls(register.policy, register.started_ms, register.ended_ms, frame.teaching, frame.lecturer)

    @property
    def teaching_s(self) -> int:
        return length(self.teaching) // 1000

    @property
    def lecturer_s(self) -> int:
        """Teaching time with a lecturer: what he taught (DOMAIN 9.12)."""
        return length(intersect(self.teaching, self.lecturer)) // 1000

    def as_json(self) -> dict[str, Any]:
        return {
            "policy": self.policy.as_json(),
            "started_ms": self.started_ms,
            "ended_ms": self.ended_ms,
            "teaching": [list(span) for span in self.teaching],
            "lecturer": [list(span) for span in self.lecturer],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> About:
        return cls(
            Frozen.from_json(data["policy"]),
            data["started_ms"],
            data["ended_ms"],
            union((start, end) for start, end in data["teaching"]),
            union((start, end) for start, end in data["lecturer"]),
        )


def facts_of(
    register: Register, frame: Frame, person: str, lesson: str, others: Sequence[Other] = ()
) -> Facts:
    """What the register says of one learner, as the hours engine wants it."""
    return Facts(
        policy=register.policy.policy,
        planned_ms=register.policy.planned_ms,
        teaching=frame.teaching,
        lecturer=frame.lecturer,
        presence=register.presence(person, frame),
        hidden=register.hidden(person, frame),
        checks=register.checks.get(person, ()),
        other=others,
        id=lesson,
    )


def record(
    register: Register,
    frame: Frame,
    person: str,
    lesson: str,
    others: Sequence[Other] = (),
    adjusted_s: int = 0,
) -> Record:
    """`frame`: the lesson up to some moment (`Register.frame`). The person must be one of its learners."""
    facts = facts_of(register, frame, person, lesson, others)
    lines = register.learners[person]
    results = [check.result for check in facts.checks]
    presence = union(facts.presence)
    return Record(
        person,
        min(line.joined_ms for line in lines),
        None if any(line.is_open for line in lines) else max(line.left_ms for line in lines),
        bridged(presence, READING_GAP_MS),
        length(intersect(presence, _running(register, frame))),
        credit(facts),
        register.issued[person],
        results.count(CheckResult.PASSED),
        sum(result in MISSES for result in results),
        facts,
        adjusted_s,
    )


def records(
    register: Register,
    now_ms: int,
    lesson: str,
    others: Mapping[str, Sequence[Other]] | None = None,
    adjusted_s: Mapping[str, int] | None = None,
) -> Iterable[Record]:
    """Every learner's, by person; one at a time, for ten thousand take a moment."""
    frame = register.frame(now_ms)
    for person in sorted(register.learners):
        yield record(
            register, frame, person, lesson, (others or {}).get(person, ()), (adjusted_s or {}).get(person, 0)
        )


def digest(texts: Iterable[str]) -> str:
    """SHA-256, hex, over the records' texts, a line each, by person."""
    hasher = hashlib.sha256()
    for text in texts:
        hasher.update(text.encode() + b"\n")
    return hasher.hexdigest()


def told(found: Record, frame: Frame, policy: Frozen) -> dict[str, Any]:
    """The `attendance` message to a learner: how things stand, with the newest reasons why not more."""
    voids = [void_json(void, policy.clauses) for void in found.hours.voids[-VOIDS_TOLD:]]
    return {
        "type": "attendance",
        "as_of_ms": frame.now_ms,
        "session_s": found.session_ms // 1000,
        "credited_s": found.credited_s,
        "lesson_hours": found.lesson_hours,
        "teaching_s": length(frame.teaching) // 1000,
        "void": voids,
    }


def void_json(void: Sequence[Any], clauses: Mapping[Reason, str]) -> dict[str, Any]:
    """One `[from_ms, to_ms, reason]` with its clause."""
    start, end, reason = void
    return {"from_ms": start, "to_ms": end, "reason": str(reason), "clause": clauses[Reason(reason)]}


def _running(register: Register, frame: Frame) -> Spans:
    """From the start of the lesson to its end, or to now."""
    if register.started_ms is None:
        return ()
    return union([(register.started_ms, min(register.ended_ms or frame.now_ms, frame.now_ms))])
