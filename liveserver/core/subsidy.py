"""Who may be trained again at public cost: never in the same project, and once a year (REQ-E12)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from liveserver.core.times import china_day, day_text

CLAUSE = "REQ-E12: 004 三 L55"


@dataclass(frozen=True, slots=True)
class Place:
    """A learner's place in a class. `year`: the class's first day's, else that of the enrolment, in China."""

    training_class: str
    project: str
    year: str
    subsidised: bool


def year_of(starts_on: str, enrolled_at_ms: int) -> str:
    """`2026`: of a day such as 2026-03-02, else of a moment."""
    return (starts_on or day_text(china_day(enrolled_at_ms)))[:4]


def repeated(place: Place, others: Iterable[Place]) -> str | None:
    """The code of the refusal: `project_repeated`, `subsidy_repeated`; None where the place may be given."""
    elsewhere = [other for other in others if other.training_class != place.training_class]
    if any(other.project == place.project for other in elsewhere):
        return "project_repeated"
    if place.subsidised and any(other.subsidised and other.year == place.year for other in elsewhere):
        return "subsidy_repeated"
    return None
