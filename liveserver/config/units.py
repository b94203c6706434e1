"""The types of the configuration's values: lengths of time, numbers of bytes, how much is logged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_UNITS_BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time, whole milliseconds; written `250ms`, `5s`, `10m`, `12h`, `30d`."""

    ms: int

    @property
    def s(self) -> float:
        return self.ms / 1000

    @property
    def ns(self) -> int:
        return self.ms * 1_000_000

    @classmethod
    def parse(cls, text: str) -> Duration:
        match = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", text)
        if match is None:
            raise ValueError("a duration such as 250ms, 5s, 10m, 12h or 30d is expected")
        return cls(int(match[1]) * _UNITS_MS[match[2]])

    def __str__(self) -> str:
        unit = next(
            u for u in ("d", "h", "m", "s", "ms") if (self.ms % _UNITS_MS[u] == 0 and self.ms) or u == "ms"
        )
        return f"{self.ms // _UNITS_MS[unit]}{unit}"


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """A number of bytes; written `512B`, `64KiB` (1024), `500kB` (1000), `8MiB`, `2GB`."""

    bytes: int

    @classmethod
    def parse(cls, text: str) -> Size:
        match = re.fullmatch(r"(\d{1,9})(B|kB|MB|GB|KiB|MiB|GiB)", text)
        if match is None:
            raise ValueError("a size such as 512B, 64KiB or 500kB is expected")
        return cls(int(match[1]) * _UNITS_BYTES[match[2]])

    def __str__(self) -> str:
        unit = next(
            u
            for u in ("GiB", "MiB", "KiB", "B")
            if (self.bytes % _UNITS_BYTES[u] == 0 and self.bytes) or u == "B"
        )
        return f"{self.bytes // _UNITS_BYTES[unit]}{unit}"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
