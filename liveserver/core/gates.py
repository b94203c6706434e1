"""What must be in order before a class's lesson may start: its size, its lecturers, its approval.

A programme says which of them it asks for (`completion.Conditions`); a class without a programme has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from liveserver.core.completion import Conditions


class Gate(StrEnum):
    """The stable code of a refused start."""

    CLASS_ARCHIVED = "class_archived"
    CLASS_NOT_APPROVED = "class_not_approved"
    CLASS_TOO_LARGE = "class_too_large"
    INSTRUCTORS_MISSING = "instructors_missing"


@dataclass(frozen=True, slots=True)
class Cohort:
    """A class as it stands. `lecturers`: with a certificate; `sizes`: its own and its project's limit."""

    learners: int
    lecturers: int
    approved: bool = False
    archived: bool = False
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    """A gate that is not open, in words, with the clause it rests on."""

    gate: Gate
    detail: str
    clause: str = ""


def size_limit(cohort: Cohort, conditions: Conditions) -> int:
    """The smallest limit that somebody set; 0 where nobody did."""
    return min((size for size in (*cohort.sizes, conditions.class_size) if size > 0), default=0)


def closed_gates(cohort: Cohort, conditions: Conditions, clauses: Mapping[str, str]) -> list[Closed]:
    """Every gate that refuses a start. `clauses`: `presets.Preset.clauses`."""
    found = []
    if cohort.archived:
        found.append(Closed(Gate.CLASS_ARCHIVED, "the class is archived"))
    if conditions.approval and not cohort.approved:
        detail = "the class is not approved by the authority"
        found.append(Closed(Gate.CLASS_NOT_APPROVED, detail, clauses.get("approval", "")))
    limit = size_limit(cohort, conditions)
    if limit and cohort.learners > limit:
        detail = f"{cohort.learners} learners are enrolled, {limit} may be"
        found.append(Closed(Gate.CLASS_TOO_LARGE, detail, clauses.get("class_size", "")))
    if cohort.lecturers < conditions.instructors:
        detail = f"{conditions.instructors} lecturers with a certificate are needed, {cohort.lecturers} teach"
        found.append(Closed(Gate.INSTRUCTORS_MISSING, detail, clauses.get("instructors", "")))
    return found
