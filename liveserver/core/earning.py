"""Pieces of time that earn, and spans that do not with their reasons: the small change of `core.hours`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from liveserver.core.spans import Spans, union
from liveserver.core.times import china_day, day_start_ms


class Reason(StrEnum):
    """Why a span of time is not credited."""

    ABSENT = "absent"
    HIDDEN = "hidden"
    CHECK_FAILED = "check_failed"
    OVER_PLAN = "over_plan"
    LECTURER_ABSENT = "lecturer_absent"
    OVERLAP = "overlap"
    OVER_DAILY_CAP = "over_daily_cap"
    REPLAY = "replay"
    TOO_FAST = "too_fast"


CLAUSES: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.ABSENT: "REQ-R7: 001 六(三) L21",
        Reason.HIDDEN: "REQ-A5: 003 三(四) L33",
        Reason.CHECK_FAILED: "REQ-L13: 000 二 学员认证 L54",
        Reason.OVER_PLAN: "REQ-L20: 004 二(一) L41",
        Reason.LECTURER_ABSENT: "REQ-E9: 004 L209",
        Reason.OVERLAP: "REQ-A4: 003 三(四) L33",
        Reason.OVER_DAILY_CAP: "REQ-A6: 003 三(四) L33",
        Reason.REPLAY: "REQ-A6: 003 三(四) L33",
        Reason.TOO_FAST: "REQ-A6: 003 三(四) L33",
    }
)
"""The requirement and the document's line each reason rests on (REQUIREMENTS.md); presets name others."""


class Void(NamedTuple):
    from_ms: int
    to_ms: int
    reason: Reason


class Piece(NamedTuple):
    """Time that earns, evenly. A live piece earns its length, a recorded one may earn less or more."""

    from_ms: int
    to_ms: int
    earned_ms: int

    def split(self, at_ms: int) -> tuple[Piece, Piece]:
        """Both parts; `at_ms` lies in between."""
        first = self.earned_ms * (at_ms - self.from_ms) // (self.to_ms - self.from_ms)
        return Piece(self.from_ms, at_ms, first), Piece(at_ms, self.to_ms, self.earned_ms - first)

    def by_day(self) -> Iterator[tuple[int, Piece]]:
        """Its parts by day in China (`times.china_day`)."""
        rest = self
        while True:
            day = china_day(rest.from_ms)
            midnight = day_start_ms(day + 1)
            if rest.to_ms <= midnight:
                yield day, rest
                return
            part, rest = rest.split(midnight)
            yield day, part


def total(pieces: Iterable[Piece]) -> int:
    return sum(piece.earned_ms for piece in pieces)


def cut_after(pieces: list[Piece], ms: int, reason: Reason) -> tuple[list[Piece], list[Void]]:
    """The pieces as far as they earn `ms`, in their order; the rest is void for `reason`."""
    kept: list[Piece] = []
    voids: list[Void] = []
    for piece in pieces:
        if piece.earned_ms <= ms:
            kept.append(piece)
            ms -= piece.earned_ms
            continue
        end = piece.from_ms + (piece.to_ms - piece.from_ms) * ms // piece.earned_ms
        if ms:
            kept.append(Piece(piece.from_ms, end, ms))
        voids.append(Void(end, piece.to_ms, reason))
        ms = 0
    return kept, voids


def within_days(pieces: list[Piece], elsewhere: Spans, cap_ms: int) -> tuple[list[Piece], list[Void]]:
    """The pieces, with at most `cap_ms` on each day in China; `elsewhere` is the day's time that other
    activities have. What comes later on a day is void."""
    ours: dict[int, list[Piece]] = {}
    for piece in pieces:
        for day, part in piece.by_day():
            ours.setdefault(day, []).append(part)
    kept: list[Piece] = []
    voids: list[Void] = []
    for day, parts in ours.items():
        rest_ms = cap_ms
        for part in sorted([*parts, *_on(day, elsewhere)]):
            if part.earned_ms < 0:  # elsewhere
                rest_ms = max(0, rest_ms + part.earned_ms)
                continue
            some, late = cut_after([part], rest_ms, Reason.OVER_DAILY_CAP)
            rest_ms -= total(some)
            kept += some
            voids += late
    return kept, voids


def _on(day: int, elsewhere: Spans) -> Iterator[Piece]:
    """Other activities' time on a day, as pieces that earn less than nothing."""
    start, end = day_start_ms(day), day_start_ms(day + 1)
    for since, until in elsewhere:
        if since < end and until > start:
            since, until = max(since, start), min(until, end)  # noqa: PLW2901
            yield Piece(since, until, since - until)


def merged(voids: Iterable[Void]) -> tuple[Void, ...]:
    """In order of time, what touches and has one reason put together."""
    by_reason: dict[Reason, list[tuple[int, int]]] = {}
    for void in voids:
        by_reason.setdefault(void.reason, []).append((void.from_ms, void.to_ms))
    return tuple(sorted(Void(*span, reason) for reason, spans in by_reason.items() for span in union(spans)))
