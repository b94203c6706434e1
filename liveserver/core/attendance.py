"""One learner's attendance of one lesson, reckoned from its register: what sheet and API show (REQ-I14).

Pure: the same facts give the same record to the byte, and `digest` names a whole lesson's. An adjustment that
two persons approved is added last and never hides what was reckoned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liveserver.core.checks import CheckResult
from liveserver.core.earning import Reason
from liveserver.core.hours import Facts, Hours, Other, credit, shown
from liveserver.core.ledger import canonical_json
from liveserver.core.presence import READING_GAP_MS
from liveserver.core.register import Frame, Register
from liveserver.core.spans import Spans, bridged, intersect, length, union

_MISSED = (CheckResult.FAILED, CheckResult.TIMEOUT)


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
    adjusted_s: int = 0

    @property
    def credited_s(self) -> int:
        """What counts: reckoned and adjusted."""
        return max(0, self.hours.credited_s + self.adjusted_s)

    @property
    def lesson_hours(self) -> str:
        return shown(self.credited_s)

    def as_json(self) -> dict[str, Any]:
        """Whole numbers, texts and lists: what is hashed, stored and shown."""
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
        sum(result in _MISSED for result in results),
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


def digest(results: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256, hex, over the records' canonical JSON (RFC 8785), a line each, by person."""
    hasher = hashlib.sha256()
    for result in results:
        hasher.update(canonical_json(result).encode() + b"\n")
    return hasher.hexdigest()


def lecturer_ms(frame: Frame) -> int:
    """Teaching time with a lecturer (DOMAIN 9.12)."""
    return length(intersect(frame.teaching, frame.lecturer))


def void_json(void: Sequence[Any], clauses: Mapping[Reason, str]) -> dict[str, Any]:
    """One `[from_ms, to_ms, reason]` with its clause."""
    start, end, reason = void
    return {"from_ms": start, "to_ms": end, "reason": str(reason), "clause": clauses[Reason(reason)]}


def _running(register: Register, frame: Frame) -> Spans:
    """From the start of the lesson to its end, or to now."""
    if register.started_ms is None:
        return ()
    return union([(register.started_ms, min(register.ended_ms or frame.now_ms, frame.now_ms))])
