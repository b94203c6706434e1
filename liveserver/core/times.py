"""Times as texts: RFC 3339 in and out, and the days they lie on in China."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

DAY_MS = 86_400_000
CHINA_MS = 28_800_000
"""What +08:00 is ahead of UTC. China has had no summer time since 1991, so no table of zones is needed."""

_FIRST_MS = 0
_LAST_MS = 253_370_764_800_000  # 9999-01-01, so that no offset leads out of the calendar
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):([0-5]\d|60)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def parse_rfc3339(text: str) -> int:
    """Milliseconds since 1970; what is finer is cut off. ValueError for what is no RFC 3339 time since then.

    A leap second (`:60`) is the first of the next minute, as clocks that know none count it.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("not a time as RFC 3339 has it, such as 2026-03-02T09:00:00+08:00")
    day, minute, second, fraction, offset = found.groups()
    zone = "+00:00" if offset in "Zz" else offset
    try:
        whole = datetime.fromisoformat(f"{day}T{minute}:00{zone}") - _EPOCH
    except (ValueError, OverflowError) as error:
        raise ValueError("there is no such day or time") from error
    ms = (whole // timedelta(seconds=1) + int(second)) * 1000 + int((fraction or "0")[:3].ljust(3, "0"))
    if not _FIRST_MS <= ms < _LAST_MS:
        raise ValueError("a time from 1970 to 9998 is expected")
    return ms


def china_time(ms: int) -> str:
    """`2026-03-02T09:00:00+08:00`, with milliseconds where there are any."""
    time = (_EPOCH + timedelta(milliseconds=ms)).astimezone(timezone(timedelta(milliseconds=CHINA_MS)))
    return time.isoformat(timespec="milliseconds" if ms % 1000 else "seconds")


def china_day(ms: int) -> int:
    """The day in China, counted from 1970-01-01."""
    return (ms + CHINA_MS) // DAY_MS


def day_start_ms(day: int) -> int:
    """When a day of `china_day` begins."""
    return day * DAY_MS - CHINA_MS


def day_text(day: int) -> str:
    """`2026-03-02`."""
    return date.fromordinal(_EPOCH_DAY + day).isoformat()


def day_number(text: str) -> int:
    """The opposite of `day_text`. Raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError("not a day such as 2026-03-02")
    return date.fromisoformat(text).toordinal() - _EPOCH_DAY
