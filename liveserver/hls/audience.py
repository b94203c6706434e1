"""Who receives the wide tier: a learner's requests stand for the receiver reports that WebRTC viewers send.

A player asks for something several times a second, behind a cache once a second for access. Its presence
begins with the first request and ends with the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

SILENT_NS = 6_000_000_000  # without a request for so long, nothing arrives there

Tell = Callable[[str, bool, int], None]
"""Connection, whether it receives, since or until when (monotonic ns)."""


class Audience:
    """One lesson's. `connections(person)` are the control channels of somebody who has no other media."""

    def __init__(self, connections: Callable[[str], Collection[str]], tell: Tell):
        self._connections = connections
        self._tell = tell
        self._asked_ns: dict[str, int] = {}
        self._told: dict[str, set[str]] = {}  # person → connections that are said to receive

    def has(self, person: str) -> bool:
        """Whether this person asked just before."""
        return person in self._asked_ns

    def asked(self, person: str, now_ns: int) -> None:
        """Something was served to this person, or may be."""
        self._asked_ns[person] = now_ns

    def tick(self, now_ns: int) -> None:
        """Once a second: tell what has changed."""
        for person, asked_ns in list(self._asked_ns.items()):
            there = set(self._connections(person))
            told = self._told.setdefault(person, set())
            told &= there
            if now_ns - asked_ns > SILENT_NS:
                for connection in told:
                    self._tell(connection, False, asked_ns)
                del self._asked_ns[person], self._told[person]
                continue
            for connection in there - told:
                self._tell(connection, True, asked_ns)
            told |= there
