"""Where a long recording is cut into chapters of 5 to 15 minutes (REQ-P6), and the list players read. Pure.

A cut is best where a slide changes while nobody speaks, then at a change of slide, then in a silence; among
equals the one nearest to ten minutes after the last. Where nothing is known the rest is cut evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GRID_MS = 40  # cuts lie on whole pictures at 25 a second
_NEAR_MS = 2_000  # a slide that changes that close to a silence changes in it


@dataclass(frozen=True, slots=True)
class Bounds:
    """Least and greatest length of a chapter; only a recording's only chapter may be shorter."""

    least_ms: int = 5 * 60_000
    most_ms: int = 15 * 60_000

    @property
    def ideal_ms(self) -> int:
        return (self.least_ms + self.most_ms) // 2


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of the media: spans without a voice, moments when a slide changes; ms."""

    silences: tuple[tuple[int, int], ...] = ()
    slides: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chapter:
    """`reason`: why it begins there: `start`, `slide_in_silence`, `slide`, `silence`, `time`."""

    from_ms: int
    to_ms: int
    reason: str


def plan(duration_ms: int, hints: Hints, bounds: Bounds | None = None) -> list[Chapter]:
    """Chapters that cover [0, `duration_ms`) without a hole, at least one."""
    limits = bounds or Bounds()
    marks = _marks(hints)
    cuts: list[tuple[int, str]] = [(0, "start")]
    while duration_ms - cuts[-1][0] > limits.most_ms:
        cuts.append(_next_cut(cuts[-1][0], duration_ms, marks, limits))
    ends = [at for at, _ in cuts[1:]] + [duration_ms]
    return [Chapter(at, end, reason) for (at, reason), end in zip(cuts, ends, strict=True)]


def _marks(hints: Hints) -> list[tuple[int, str]]:
    marks = [((start + end) // 2, "silence") for start, end in hints.silences]
    for at in hints.slides:
        quiet = any(start - _NEAR_MS <= at <= end + _NEAR_MS for start, end in hints.silences)
        marks.append((at, "slide_in_silence" if quiet else "slide"))
    return [(at // GRID_MS * GRID_MS, kind) for at, kind in marks]


_WORTH = {"slide_in_silence": 3.0, "slide": 2.0, "silence": 1.0}


def _next_cut(
    start: int, duration_ms: int, marks: Sequence[tuple[int, str]], limits: Bounds
) -> tuple[int, str]:
    least, most = start + limits.least_ms, start + limits.most_ms
    latest = min(most, duration_ms - limits.least_ms)  # what is left is a chapter too
    if latest < least:  # bounds that leave no choice: less than three times the least is left
        return _even(start, duration_ms, limits), "time"
    ideal = start + limits.ideal_ms

    def score(mark: tuple[int, str]) -> float:
        return _WORTH[mark[1]] - abs(mark[0] - ideal) / (most - least)

    fitting = [mark for mark in marks if least <= mark[0] <= latest]
    return max(fitting, key=score) if fitting else (_even(start, duration_ms, limits), "time")


def _even(start: int, duration_ms: int, limits: Bounds) -> int:
    rest = duration_ms - start
    count = max(-(-rest // limits.most_ms), round(rest / limits.ideal_ms))
    return start + rest // count // GRID_MS * GRID_MS


def webvtt(chapters: Sequence[Chapter]) -> str:
    """The chapters as a WebVTT file (`<track kind="chapters">`), titled by number and start."""
    lines = ["WEBVTT", ""]
    for number, chapter in enumerate(chapters, 1):
        span = f"{clock(chapter.from_ms)} --> {clock(chapter.to_ms)}"
        lines += [str(number), span, f"{number} · {clock(chapter.from_ms)[:8]}", ""]
    return "\n".join(lines)


def clock(ms: int) -> str:
    """A WebVTT time, hours always there."""
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
