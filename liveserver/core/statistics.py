"""Hours over time: a period by days, weeks and months, how each changed, averages named for what they are.

Pure, over settled seconds by day in China (`times.china_day`); weeks are ISO's and start on Monday (DOMAIN
9.9, REQ-R2, R3). Weeks and months that a period touches are whole, so that each compares with the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from liveserver.core.times import day_number, day_text

MAX_DAYS = 1_100
"""Of one period: three years."""
Day = int


class State(StrEnum):
    """Of a course a learner joined. UNKNOWN where nobody said what it requires."""

    FINISHED = "finished"
    UNFINISHED = "unfinished"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """One day, week or month: its name, its first day, its seconds, and how many more than the one before."""

    name: str
    first_day: Day
    seconds: int
    change_s: int


@dataclass(frozen=True, slots=True)
class Series:
    """A period, both days included."""

    from_day: Day
    to_day: Day
    seconds: int
    active_days: int
    days: tuple[Step, ...]
    weeks: tuple[Step, ...]
    months: tuple[Step, ...]

    @property
    def average_active_day_s(self) -> int:
        """Over the days on which anything was credited, rounded down."""
        return self.seconds // self.active_days if self.active_days else 0

    @property
    def average_calendar_day_s(self) -> int:
        """Over every day of the period, rounded down."""
        return self.seconds // (self.to_day - self.from_day + 1)

    def as_json(self) -> dict[str, Any]:
        return {
            "from": day_text(self.from_day),
            "to": day_text(self.to_day),
            "period_s": self.seconds,
            "active_days": self.active_days,
            "average_active_day_s": self.average_active_day_s,
            "average_calendar_day_s": self.average_calendar_day_s,
            "days": [_step(step) for step in self.days],
            "weeks": [_step(step) for step in self.weeks],
            "months": [_step(step) for step in self.months],
        }


def reach(from_day: Day, to_day: Day) -> tuple[Day, Day]:
    """The days whose seconds a series of the period needs: first, and the one after the last."""
    first, last = _date(from_day), _date(to_day)
    earliest = min(_previous_month(_month(first)), _week(first) - timedelta(7), first - timedelta(1))
    latest = max(_next_month(_month(last)), _week(last) + timedelta(7))
    return _day(earliest), _day(latest)


def series(by_day: Mapping[Day, int], from_day: Day, to_day: Day) -> Series:
    """A period of at most `MAX_DAYS`; `by_day` holds what `reach` asks for."""
    within = [by_day.get(day, 0) for day in range(from_day, to_day + 1)]
    days = tuple(
        Step(day_text(day), day, by_day.get(day, 0), by_day.get(day, 0) - by_day.get(day - 1, 0))
        for day in range(from_day, to_day + 1)
    )
    weeks = _steps(by_day, from_day, to_day, _week, lambda start: start + timedelta(7), _week_name)
    months = _steps(by_day, from_day, to_day, _month, _next_month, lambda start: f"{start:%Y-%m}")
    active = sum(seconds > 0 for seconds in within)
    return Series(from_day, to_day, sum(within), active, days, weeks, months)


def added(days: Iterable[tuple[Day, int]]) -> dict[Day, int]:
    """Seconds by day, of pairs in any order."""
    by_day: dict[Day, int] = {}
    for day, seconds in days:
        by_day[day] = by_day.get(day, 0) + seconds
    return by_day


def state(credited_s: int, required_s: int | None) -> State:
    """Whether a course is finished: thresholds compare seconds."""
    if not required_s:
        return State.UNKNOWN
    return State.FINISHED if credited_s >= required_s else State.UNFINISHED


def _steps(
    by_day: Mapping[Day, int],
    from_day: Day,
    to_day: Day,
    begin: Callable[[date], date],
    following: Callable[[date], date],
    name: Callable[[date], str],
) -> tuple[Step, ...]:
    start, last = begin(_date(from_day)), _date(to_day)
    before = _sum(by_day, begin(start - timedelta(1)), start)
    steps = []
    while start <= last:
        end = following(start)
        seconds = _sum(by_day, start, end)
        steps.append(Step(name(start), _day(start), seconds, seconds - before))
        start, before = end, seconds
    return tuple(steps)


def _sum(by_day: Mapping[Day, int], start: date, end: date) -> int:
    return sum(by_day.get(day, 0) for day in range(_day(start), _day(end)))


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "from": day_text(step.first_day),
        "seconds": step.seconds,
        "change_s": step.change_s,
    }


def _date(day: Day) -> date:
    return date.fromisoformat(day_text(day))


def _day(day: date) -> Day:
    return day_number(day.isoformat())


def _week(day: date) -> date:
    return day - timedelta(day.weekday())


def _week_name(start: date) -> str:
    year, week, _ = start.isocalendar()
    return f"{year}-W{week:02d}"


def _month(day: date) -> date:
    return day.replace(day=1)


def _next_month(first: date) -> date:
    return (first + timedelta(32)).replace(day=1)


def _previous_month(first: date) -> date:
    return (first - timedelta(1)).replace(day=1)
