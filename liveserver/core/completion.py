"""When a project's hours are complete (DOMAIN 9.1 and 9.7; REQ-E1 to E7, E10). Thresholds compare seconds."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core.hours import LESSON_S


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a programme asks of a project. 0 for what it does not say.

    `required_hours`: lesson hours; `recorded_percent`: of the required hours at most so many on demand;
    `outcome_hours`: what a work that passed its review is worth; `class_size`: learners at most;
    `instructors`: at least; `approval`: the authority's, before a class may start; `once`: nobody
    learns the same project twice, or with a subsidy twice a year.
    """

    required_hours: int = 0
    recorded_percent: int = 100
    outcome_hours: int = 0
    class_size: int = 0
    instructors: int = 0
    approval: bool = False
    once: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a learner is. `beyond_share_s`: recorded seconds over the share (超出比例不计)."""

    counted_s: int
    required_s: int
    beyond_share_s: int

    @property
    def is_complete(self) -> bool:
        return self.counted_s >= self.required_s


def standing(
    conditions: Conditions, *, live_s: int = 0, offline_s: int = 0, recorded_s: int = 0, outcomes: int = 0
) -> Standing:
    """Live, offline and recorded hours and qualified works added together (001 L13, 004 L31)."""
    required_s = conditions.required_hours * LESSON_S
    recorded_most_s = recorded_s
    if conditions.required_hours:
        recorded_most_s = required_s * conditions.recorded_percent // 100
    counted_recorded_s = min(recorded_s, recorded_most_s)
    outcome_s = outcomes * conditions.outcome_hours * LESSON_S
    counted_s = live_s + offline_s + counted_recorded_s + outcome_s
    return Standing(counted_s, required_s, recorded_s - counted_recorded_s)


def planned_share_fits(conditions: Conditions, *, recorded_s: int, total_s: int) -> bool:
    """Whether a plan keeps the share of recorded lessons: 2 x recorded ≤ total where it is half."""
    return recorded_s * 100 <= total_s * conditions.recorded_percent
