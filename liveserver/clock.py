"""The two clocks of a node, as one object that tests replace.

Lengths are measured on the monotonic clock, records carry the wall clock (DOMAIN 9.8).
"""

from __future__ import annotations

import time


class Clock:
    """Reads the machine's clocks."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def wall_s(self) -> int:
        """Whole seconds since 1970, UTC: what tokens are issued and checked with."""
        return time.time_ns() // 1_000_000_000

    def monotonic_ns(self) -> int:
        """Nanoseconds that never jump; CLOCK_MONOTONIC, the clock of the lease in `rtp.flags`."""
        return time.monotonic_ns()
