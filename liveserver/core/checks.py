"""What random verification costs: spans of a lesson that failed checks void (DOMAIN 9.4, REQ-L13, A2).

A check is `passed` at the moment of its answer; `failed` and `timeout` count from its issue. One that the
platform could not deliver or judge is `excused`, as if it had not been issued.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from liveserver.core.spans import EVER, Span, Spans, union

WINDOW_MS = 7 * 60_000
"""How far around a miss `window` and `jtt_like` void."""
QUOTA = 9
"""Misses that `quota` bears: of a day's 48."""


class CheckMode(StrEnum):
    """How a missed check is reckoned.

    SINCE_LAST_PASS voids from the pass before it to the pass after it: nobody knows who sat there. WINDOW
    voids seven minutes to either side. JTT_LIKE (driver training, JT/T 1302) is WINDOW, and two misses in a
    row void everything, and when fewer than three in four were passed only four thirds of that share counts.
    QUOTA is SINCE_LAST_PASS until there are more than `QUOTA` misses, which void everything.
    """

    SINCE_LAST_PASS = "since_last_pass"  # noqa: S105 - nobody's password
    WINDOW = "window"
    JTT_LIKE = "jtt_like"
    QUOTA = "quota"


class CheckResult(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    EXCUSED = "excused"


MISSES = (CheckResult.FAILED, CheckResult.TIMEOUT)


@dataclass(frozen=True, slots=True, order=True)
class Check:
    """`at_ms`: of the answer if it was passed, else of the issue."""

    at_ms: int
    result: CheckResult


def voided(mode: CheckMode, checks: Iterable[Check], joined_ms: int | None) -> Spans:
    """What the misses among `checks` void. The identity check at joining counts as a pass at `joined_ms`."""
    judged = _judged(checks)
    misses = [check.at_ms for check in judged if check.result is not CheckResult.PASSED]
    if not misses:
        return ()
    if mode is CheckMode.QUOTA and len(misses) > QUOTA:
        return ((-EVER, EVER),)
    if mode is CheckMode.JTT_LIKE and _two_in_a_row(judged):
        return ((-EVER, EVER),)
    if mode in (CheckMode.WINDOW, CheckMode.JTT_LIKE):
        return union((at - WINDOW_MS, at + WINDOW_MS) for at in misses)
    passes = [check.at_ms for check in judged if check.result is CheckResult.PASSED]
    passes = sorted(passes if joined_ms is None else [joined_ms, *passes])
    return union(_between_passes(at, passes) for at in misses)


def share(mode: CheckMode, checks: Iterable[Check]) -> tuple[int, int]:
    """What part of the rest counts, as a fraction of at most one: numerator, denominator."""
    judged = _judged(checks)
    passed = sum(check.result is CheckResult.PASSED for check in judged)
    if mode is not CheckMode.JTT_LIKE or 4 * passed >= 3 * len(judged):
        return 1, 1
    return 4 * passed, 3 * len(judged)


def _judged(checks: Iterable[Check]) -> list[Check]:
    """Each check once, in order, without those excused."""
    return sorted({check for check in checks if check.result is not CheckResult.EXCUSED})


def _two_in_a_row(judged: list[Check]) -> bool:
    missed = [check.result is not CheckResult.PASSED for check in judged]
    return any(one and other for one, other in pairwise(missed))


def _between_passes(at_ms: int, passes: list[int]) -> Span:
    place = bisect_right(passes, at_ms)
    before = passes[place - 1] if place else -EVER
    return before, passes[place] if place < len(passes) else EVER
