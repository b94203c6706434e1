"""How long recordings are kept, how much room that takes, and which stored objects are read again today.

Pure rules: the time is an argument. Several programmes may apply to a lesson, then the longest wins
(REQUIREMENTS section 8: 12 months for live video, 36 under the platform rules of 2023, 60 when a subsidy is
claimed). A date once given to a recording is only ever moved away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

DAY_MS = 86_400_000
RATE_DAYS = 30  # the recent past that a forecast goes on
FORECAST_MONTHS = 12
VERIFY_PERIOD_DAYS = 85  # a quarter has 90 days; what fails on one day has some left
VERIFY_SHARE = 100  # at least one object of so many a day


class Programme(StrEnum):
    """What a lesson is taught under, as far as it matters for keeping it."""

    PRESET_2023 = "preset-2023"
    SUBSIDISED = "subsidised"


@dataclass(frozen=True, slots=True)
class Retention:
    """Months for every recording and for each programme; `always` applies to all lessons of the node."""

    months: int = 12
    preset_2023_months: int = 36
    subsidised_months: int = 60
    always: frozenset[Programme] = frozenset()

    def months_for(self, programmes: Iterable[Programme]) -> int:
        """The longest that applies."""
        applying = self.always | frozenset(programmes)
        longest = [self.months]
        if Programme.PRESET_2023 in applying:
            longest.append(self.preset_2023_months)
        if Programme.SUBSIDISED in applying:
            longest.append(self.subsidised_months)
        return max(longest)

    def until_ms(self, started_at_ms: int, programmes: Iterable[Programme]) -> int:
        """The first moment (ms since 1970) at which a recording may be deleted: whole calendar months and the
        rest of that day, in UTC and never less."""
        start = datetime.fromtimestamp(started_at_ms / 1000, UTC)
        end = _add_months(start, self.months_for(programmes))
        return int(end.timestamp() * 1000) + DAY_MS


def programmes_of(text: str) -> frozenset[Programme]:
    """The programmes of a comma list as it is stored. Raises ValueError for one that is none."""
    return frozenset(Programme(name) for name in text.split(",") if name)


def programmes_text(programmes: Iterable[Programme]) -> str:
    """The comma list, in order."""
    return ",".join(sorted(programmes))


def month_starts(now_ms: int, months: int = FORECAST_MONTHS) -> list[int]:
    """The first moments of the next months, ms since 1970, UTC."""
    first = datetime.fromtimestamp(now_ms / 1000, UTC).replace(day=1)
    return [int(_add_months(first, n).timestamp() * 1000) for n in range(1, months + 1)]


def forecast(
    now_ms: int, kept_bytes: int, recent_bytes: int, recent_days: float, expiring: Sequence[int]
) -> list[int]:
    """Bytes kept at each of `month_starts`, if recording goes on as in the last `recent_days` (at least one)
    and each recording is deleted on its date. `expiring`: bytes whose date lies before each month's start."""
    per_day = recent_bytes / max(recent_days, 1.0)
    starts = month_starts(now_ms, len(expiring))
    return [
        max(0, kept_bytes + round(per_day * (start - now_ms) / DAY_MS) - gone)
        for start, gone in zip(starts, expiring, strict=True)
    ]


def verify_today(objects: int, done_last_day: int, overdue: int) -> int:
    """How many more objects to read again now, those looked at longest ago first.

    A hundredth a day at least, and enough that each is read within `VERIFY_PERIOD_DAYS`; what is overdue
    (the node was down) comes on top at once. `done_last_day`: read in the last 24 hours.
    """
    quota = -(-objects // min(VERIFY_SHARE, VERIFY_PERIOD_DAYS))
    return min(objects, max(quota - done_last_day, overdue, 0))


def _add_months(time: datetime, months: int) -> datetime:
    """The start of the same day so many months later; a day that month lacks is the first of the next."""
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    midnight = time.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return midnight.replace(year=year, month=month + 1)
    except ValueError:
        year, month = divmod(year * 12 + month + 1, 12)
        return midnight.replace(year=year, month=month + 1, day=1)
