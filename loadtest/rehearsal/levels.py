"""Service levels: what has to hold, held against what was measured. Pure.

A figure is one row of the table of latencies, `stage: what`. A level that has nothing to look at is missed:
a class in which nobody was told anything is no success.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from loadtest.rehearsal.plan import Plan


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds; `count` with failures among them."""

    name: str
    count: int
    failures: int
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    longest: float = 0.0

    @property
    def failed_share(self) -> float:
        return self.failures / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Level:
    """At most `bound` of what `of` names (p50, p95, p99, longest: ms; failed_share; failures).

    `least`: of so many it has to be reckoned. `source`: the requirement.
    """

    figure: str
    of: str
    bound: float
    source: str
    least: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    level: Level
    measured: float | None
    held: bool


_LEVELS: tuple[Level, ...] = (
    Level("ramp: join", "failures", 0, "REL-G20: all signed in, none lost"),
    Level("ramp: join", "p95", 1_000, "REL-G23: an honest join"),
    Level("steady: heartbeat", "p99", 200, "REL-G24: other learners' signalling"),
    Level("chat: line told", "p99", 250, "FIG-P7: one message to all"),
    Level("challenge: told", "p99", 250, "FIG-P7: one challenge to all"),
    Level("challenge: answer judged", "p99", 1_000, "an answer in time counts in time"),
    Level("cut: told", "p99", 1_000, "a cut is seen by all within a second"),
    Level("storm: join", "failures", 0, "REL-G22: all back, none lost"),
    Level("storm: back after", "longest", 30_000, "REL-G22: all back within 30 s"),
)
_HLS_LEVELS: tuple[Level, ...] = (
    Level("ramp: hls first part", "p95", 10_000, "REL-G20: a picture after joining"),
    Level("steady: hls behind live", "p95", 2_000, "FIG-P8: behind live"),
    Level("steady: hls part", "p99", 500, "REL-L5: the part that all ask for"),
    Level("steady: hls part", "failed_share", 0.001, "REL-L5"),
)
_WEBRTC_LEVELS: tuple[Level, ...] = (
    Level("webrtc: first picture", "p95", 10_000, "REL-G20: a picture after joining"),
    Level("webrtc: first picture", "failures", 0, "REL-G20: none lost"),
)


def levels(plan: Plan) -> tuple[Level, ...]:
    """Those of a plan: of all its learners, and of what they play."""
    found = [*_LEVELS, *(_HLS_LEVELS if plan.hls_players else ()),
             *(_WEBRTC_LEVELS if plan.webrtc_viewers else ())]  # fmt: skip
    # Who has a check of his own schedule open is not asked another one.
    of_all = {"ramp: join": 1.0, "storm: join": 1.0, "cut: told": 1.0, "challenge: told": 0.9}
    return tuple(
        replace(one, least=int(plan.attending * of_all[one.figure])) if one.figure in of_all else one
        for one in found
    )


def judge(levels: Iterable[Level], figures: Mapping[str, Figure]) -> list[Verdict]:
    """Each level with what was measured."""
    found = []
    for level in levels:
        figure = figures.get(level.figure)
        if figure is None or figure.count < level.least:
            found.append(Verdict(level, None, held=False))
            continue
        measured = float(getattr(figure, level.of))
        found.append(Verdict(level, measured, held=measured <= level.bound))
    return found


def all_held(verdicts: Sequence[Verdict]) -> bool:
    """What decides the exit code."""
    return bool(verdicts) and all(verdict.held for verdict in verdicts)


def figure_of(name: str, values_ms: Sequence[float], failures: int = 0) -> Figure:
    """Of single values, by nearest rank; every failure counts as one more."""
    ordered = sorted(values_ms)
    count = len(ordered) + failures
    if not ordered:
        return Figure(name, count, failures)

    def rank(share: float) -> float:
        return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]

    return Figure(name, count, failures, rank(0.5), rank(0.95), rank(0.99), ordered[-1])
