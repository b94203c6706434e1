"""Settled attendance, and what was adjusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attended:
    """One learner's part of a settled lesson, as its newest revision has it.

    `result`: `core.attendance.Record.as_json`, canonical. `days`: credited seconds by day in China, counted
    from 1970-01-01.
    """

    lesson: str
    person: str
    revision: int
    course: str
    started_at_ms: int
    session_s: int
    credited_s: int
    result: str
    days: Mapping[int, int]
    others: str = "[]"
    """Other activities that were reckoned with, `core.share.others_json`, canonical."""
    leaf: str = ""
    """`core.share.share_leaf`, hex; empty where it was settled before there were shares."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """One revision of a lesson's attendance: reckoned from the first `ledger_size` entries of the ledger.

    `result_sha256`: `core.attendance.digest`. `reason`: why there is this revision. `about`: the lesson
    itself as JSON, `core.attendance.About.as_json`.
    """

    lesson: str
    revision: int
    at_ms: int
    ledger_size: int
    result_sha256: str
    people: int
    credited_s: int
    reason: str
    about: str = "{}"
    people_root: str = ""
    """Over everybody's shares, hex (`core.share`); empty where it was settled before there were shares."""
    salt: str = ""
    """What the shares' salts come from, hex; not in the ledger."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change of one learner's hours, asked for by one person and decided by another.

    `state`: requested, approved or refused. Either `delta_s` seconds, or the check `challenge` that is
    excused (`after` "excused") or counts again ("missed"): while the lesson is not over one person does
    that alone.
    """

    id: str
    lesson: str
    person: str
    delta_s: int
    reason: str
    state: str
    requested_by: str
    requested_at_ms: int
    decided_by: str = ""
    decided_at_ms: int | None = None
    decision: str = ""
    challenge: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class DayHours:
    """What one learner was credited in one lesson on one day in China."""

    person: str
    lesson: str
    course: str
    day: int
    credited_s: int


@dataclass(frozen=True, slots=True)
class ProjectSum:
    """What one learner was credited in the settled lessons of one project."""

    project: str
    person: str
    lessons: int
    credited_s: int
