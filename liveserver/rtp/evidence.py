"""Whether a viewer really receives, from its receiver reports (RFC 3550 §6.4.1).

A report is evidence when the highest sequence number it names has moved on and is one of the last that were
sent: who does not receive cannot know it, for a row's numbers begin at random. Evidence that follows evidence
within `silence_ns` is one stretch of receiving. How often a viewer reports is learnt, so that one who reports
each second is missed after four, and one who reports every five seconds is not missed in between.
"""

from __future__ import annotations

RECENT = 4096
"""Packets a report may be behind what was sent: tens of seconds of sound, seconds of the best picture."""
FIRST_INTERVAL_NS = 2_500_000_000
LONGEST_INTERVAL_NS = 7_500_000_000  # 5 s, spread by half (RFC 3550 §6.2, §6.3.1)
LEAST_SILENCE_NS = 4_000_000_000
REPORTS_MISSED = 3  # of those expected; the network may lose some
_SLOWLY = 4


def is_recent(last_sent: int, highest: int) -> bool:
    """Whether a report's `highest` sequence number is at most `RECENT` behind the last one sent."""
    return (last_sent - highest) & 0xFFFF < RECENT


class Evidence:
    """Of one session. `take` a piece, ask for the `edge` about once a second."""

    __slots__ = ("interval_ns", "last_ns", "since_ns", "told")

    def __init__(self) -> None:
        self.last_ns = self.since_ns = 0
        self.interval_ns = FIRST_INTERVAL_NS
        self.told = False

    @property
    def silence_ns(self) -> int:
        """How long nothing may be heard of a viewer who receives."""
        return max(LEAST_SILENCE_NS, REPORTS_MISSED * self.interval_ns)

    def take(self, now_ns: int) -> None:
        """A report of `now_ns` shows that media arrives. It speaks of the time since the one before it."""
        passed_ns = now_ns - self.last_ns
        if not self.last_ns:
            self.since_ns = now_ns
        elif passed_ns > self.silence_ns:
            self.since_ns = now_ns - self.interval_ns
        if self.last_ns and passed_ns > 0:
            sample_ns = min(passed_ns, LONGEST_INTERVAL_NS)
            average_ns = self.interval_ns - self.interval_ns // _SLOWLY + sample_ns // _SLOWLY
            self.interval_ns = max(sample_ns, average_ns)
        self.last_ns = now_ns

    def edge(self, now_ns: int) -> tuple[bool, int] | None:
        """(whether it receives, since when or until when), if that is news."""
        receives = self.last_ns > 0 and now_ns - self.last_ns <= self.silence_ns
        if receives is self.told:
            return None
        self.told = receives
        return receives, self.since_ns if receives else self.last_ns
