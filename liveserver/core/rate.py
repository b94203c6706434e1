"""How often one client may speak: 20 messages a second with bursts of 40 (docs/PROTOCOL.md section 1)."""

from __future__ import annotations

PER_SECOND = 20
BURST = 40


class MessageRate:
    """A bucket of `BURST` messages that fills by `PER_SECOND` a second. Time is an argument, in ns."""

    __slots__ = ("_at_ns", "_left")

    def __init__(self, now_ns: int):
        self._left = float(BURST)
        self._at_ns = now_ns

    def allows(self, now_ns: int) -> bool:
        """Count one message; False when it is one too many."""
        self._left = min(BURST, self._left + (now_ns - self._at_ns) * PER_SECOND / 1e9)
        self._at_ns = now_ns
        if self._left < 1:
            return False
        self._left -= 1
        return True
