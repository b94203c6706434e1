"""A lesson of 45 minutes, live or recorded, and what is credited of it, for tests."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from liveserver.core.checks import Check, CheckResult
from liveserver.core.hours import Facts, Hours, credit
from liveserver.core.playback import Playback
from liveserver.core.times import parse_rfc3339

PASSED, FAILED, TIMEOUT, EXCUSED = CheckResult


def at(clock: str, day: int = 2) -> int:
    """`09:00` or `09:00:30` on a day of March 2026 in China, as ms."""
    seconds = clock if clock.count(":") == 2 else f"{clock}:00"
    return parse_rfc3339(f"2026-03-{day:02d}T{seconds}+08:00")


def spans(*pairs: tuple[str, str]) -> list[tuple[int, int]]:
    return [(at(start), at(end)) for start, end in pairs]


LESSON = Facts(planned_ms=2_700_000, teaching=spans(("09:00", "09:45")), presence=spans(("09:00", "09:45")))


def lesson(**fields: object) -> Hours:
    return credit(replace(LESSON, **fields))  # type: ignore[arg-type]


def recorded(*entries: Playback, **fields: object) -> Hours:
    return credit(Facts(planned_ms=2_700_000, playback=entries, **fields))  # type: ignore[arg-type]


def run(
    from_s: int, to_s: int, began: str, *, rate: Fraction = Fraction(1), day: int = 2, media: str = "m"
) -> Playback:
    return Playback(media, 2_700_000, from_s * 1000, to_s * 1000, at(began, day), rate)


def check(clock: str, result: CheckResult) -> Check:
    return Check(at(clock), result)


def lost(hours: Hours) -> list[tuple[str, int]]:
    """Reasons with seconds, in order of time."""
    return [(str(void.reason), (void.to_ms - void.from_ms) // 1000) for void in hours.voids]
