"""Lesson hours: what one person's lesson is worth under a frozen policy (DOMAIN 9 and 10, DESIGN 7).

A pure function of facts. Every span of teaching time is either credited or void for one reason that names a
clause; adding up is in whole milliseconds and rounding comes last. Facts may be in any order and there twice.

What an instant is void for, the first that applies:

    lecturer_absent   nobody taught for longer than `lecturer_gap_s`      } nobody could earn here
    over_plan         beyond the first `planned_s` of teaching time       }
    absent            not online, or not receiving
    hidden            the page was not in the foreground
    check_failed      a random check was missed (`core.checks`)
    overlap           another activity of the same person has the instant
    over_daily_cap    more than `daily_cap_s` on one day in China

and for recorded lessons (`core.playback`) also `replay` and `too_fast`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from liveserver.core import checks as verification
from liveserver.core import playback as recorded
from liveserver.core.checks import Check, CheckMode
from liveserver.core.earning import Piece, Reason, Void, cut_after, merged, total, within_days
from liveserver.core.playback import Playback
from liveserver.core.spans import Spans, after_first, intersect, length, subtract, union
from liveserver.core.times import day_text

LESSON_S = 2700
"""One lesson hour (学时) is 45 minutes (000 L19, 004 L500)."""
LATE_MS = 300_000
"""Joining so long after the start is late, leaving so long before the end is early."""


class Status(StrEnum):
    """出勤, 迟到, 早退, 缺勤. Late and early may both hold; a status never changes seconds."""

    PRESENT = "present"
    LATE = "late"
    LEFT_EARLY = "left_early"
    ABSENT = "absent"


class Kind(StrEnum):
    """What kind of activity; a recorded one gives way to the others."""

    LIVE = "live"
    RECORDED = "recorded"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is frozen into a lesson when it starts. `check_slot_min` is for who schedules the checks."""

    check_mode: CheckMode = CheckMode.SINCE_LAST_PASS
    foreground_required_live: bool = True
    cap_to_plan: bool = True
    max_rate: Fraction = Fraction(1)
    daily_cap_s: int = 21_600
    lecturer_gap_s: int = 60
    check_slot_min: int = 15


@dataclass(frozen=True, slots=True, order=True)
class Other:
    """A span of another activity of the same person, which began at `started_ms`."""

    id: str
    kind: Kind
    from_ms: int
    to_ms: int
    started_ms: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one person in one lesson. Spans may be unordered and overlap.

    `planned_ms`: None where nothing was planned. `lecturer`: None where nobody looked, so nothing is void for
    it. `id` decides between activities that began at the same instant; the lower one has it.
    """

    policy: Policy = Policy()
    planned_ms: int | None = None
    teaching: Sequence[tuple[int, int]] = ()
    lecturer: Sequence[tuple[int, int]] | None = None
    presence: Sequence[tuple[int, int]] = ()
    hidden: Sequence[tuple[int, int]] = ()
    checks: Sequence[Check] = ()
    playback: Sequence[Playback] = ()
    other: Sequence[Other] = ()
    id: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """What the lesson is worth. `days`: seconds by day in China; they add up to `credited_s`.

    `earned`: when it was earned; no other activity of the person earns then.
    """

    credited_ms: int
    status: tuple[Status, ...]
    voids: tuple[Void, ...]
    days: Mapping[str, int]
    earned: Spans = ()

    @property
    def credited_s(self) -> int:
        return self.credited_ms // 1000

    @property
    def lesson_hours_full(self) -> int:
        return self.credited_s // LESSON_S

    @property
    def lesson_hours(self) -> str:
        """Two decimals, rounded down: `0.98` for 2,660 s."""
        return shown(self.credited_s)


def shown(seconds: int) -> str:
    """Seconds as lesson hours with two decimals, rounded down. For people: thresholds compare seconds."""
    hundredths = seconds * 100 // LESSON_S
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def credit(facts: Facts) -> Hours:
    """Reckon it up."""
    policy = facts.policy
    presence, hidden = union(facts.presence), union(facts.hidden)
    joined_ms = _joined_ms(presence, facts.playback)
    missed = verification.voided(policy.check_mode, facts.checks, joined_ms)
    live = _Sieve(union(facts.teaching))
    if facts.lecturer is not None:
        away = _away(live.left, union(facts.lecturer), policy.lecturer_gap_s * 1000)
        live.drop(Reason.LECTURER_ABSENT, away)
    planned_ms = facts.planned_ms if policy.cap_to_plan else None
    if planned_ms is not None:
        live.drop(Reason.OVER_PLAN, after_first(live.left, planned_ms))
    earnable = live.left
    live.drop(Reason.ABSENT, subtract(live.left, presence))
    attended = live.left
    if policy.foreground_required_live:
        live.drop(Reason.HIDDEN, hidden)
    live.drop(Reason.CHECK_FAILED, missed)
    live.drop(Reason.OVERLAP, _won(facts, recorded=False))

    pieces = [Piece(start, end, end - start) for start, end in live.left]
    voids = live.voids
    if facts.playback:
        busy = union([*attended, *_won(facts, recorded=True)])
        barred = ((Reason.HIDDEN, hidden), (Reason.CHECK_FAILED, missed), (Reason.OVERLAP, busy))
        played, lost = recorded.credit(facts.playback, policy.max_rate, barred)
        voids += lost
        if planned_ms is not None:
            played, lost = cut_after(played, planned_ms, Reason.OVER_PLAN)
            voids += lost
        pieces += played
    pieces.sort()
    part, whole = verification.share(policy.check_mode, facts.checks)
    pieces, lost = cut_after(pieces, total(pieces) * part // whole, Reason.CHECK_FAILED)
    voids += lost
    mine = union([*live.left, *((piece.from_ms, piece.to_ms) for piece in pieces)])
    pieces, lost = within_days(pieces, _elsewhere(facts.other, mine), policy.daily_cap_s * 1000)
    voids += lost
    credited_ms = total(pieces)
    status = _status(facts, presence, earnable, credited_ms)
    earned = union((piece.from_ms, piece.to_ms) for piece in pieces)
    return Hours(credited_ms, status, merged(voids), _days(pieces), earned)


class _Sieve:
    """Teaching time, less and less of it, and what it was dropped for."""

    def __init__(self, spans: Spans):
        self.left = spans
        self.voids: list[Void] = []

    def drop(self, reason: Reason, spans: Spans) -> None:
        dropped = intersect(self.left, spans)
        if dropped:
            self.voids += [Void(start, end, reason) for start, end in dropped]
            self.left = subtract(self.left, dropped)


def _joined_ms(presence: Spans, playback: Iterable[Playback]) -> int | None:
    """When the person was first there: that is the identity check at joining."""
    if presence:
        return presence[0][0]
    return min((entry.at_ms for entry in playback), default=None)


def _away(teaching: Spans, lecturer: Spans, gap_ms: int) -> Spans:
    """Teaching time without a lecturer, where it lasts longer than `gap_ms`. Breaks are nobody's absence."""
    gaps = (gap for span in teaching for gap in subtract((span,), lecturer))
    return union(gap for gap in gaps if gap[1] - gap[0] > gap_ms)


def _won(facts: Facts, *, recorded: bool) -> Spans:
    """Where another activity has the instant: live before recorded, then earlier start, then lower id."""
    if recorded:
        started = min(entry.at_ms for entry in facts.playback)
    elif facts.presence:
        started = min(start for start, _ in facts.presence)
    else:
        return ()
    mine = (recorded, started, facts.id)
    theirs = ((other.kind is Kind.RECORDED, other.started_ms, other.id, other) for other in facts.other)
    return union((o.from_ms, o.to_ms) for kind, start, name, o in theirs if (kind, start, name) < mine)


def _elsewhere(others: Sequence[Other], mine: Spans) -> Spans:
    """What of the day's time other activities have: it counts toward the cap on a day."""
    return subtract(union((other.from_ms, other.to_ms) for other in others), mine)


def _status(facts: Facts, presence: Spans, earnable: Spans, credited_ms: int) -> tuple[Status, ...]:
    """Half of what could be earned is the least that is not absence."""
    durations = {entry.media: entry.duration_ms for entry in facts.playback}
    possible_ms = length(earnable) + sum(durations.values())
    if not (presence or facts.playback) or 2 * credited_ms < possible_ms:
        return (Status.ABSENT,)
    teaching = union(facts.teaching)
    found = []
    if presence and teaching:
        ends_ms = (earnable or teaching)[-1][1]
        if presence[0][0] >= teaching[0][0] + LATE_MS:
            found.append(Status.LATE)
        if presence[-1][1] <= ends_ms - LATE_MS:
            found.append(Status.LEFT_EARLY)
    return tuple(found) or (Status.PRESENT,)


def _days(pieces: Iterable[Piece]) -> dict[str, int]:
    """Whole seconds by day; a second that midnight divides falls to the day that completes it."""
    by_day: dict[int, int] = {}
    for piece in pieces:
        for day, part in piece.by_day():
            by_day[day] = by_day.get(day, 0) + part.earned_ms
    days, so_far_ms = {}, 0
    for day in sorted(by_day):
        seconds = (so_far_ms + by_day[day]) // 1000 - so_far_ms // 1000
        so_far_ms += by_day[day]
        if seconds:
            days[day_text(day)] = seconds
    return days
