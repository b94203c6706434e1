"""Seats: to how many learners a node sends WebRTC. The others watch by LL-HLS and are invited when one is
free.

Pure: who watches is told, time is an argument. Whom the instructor has called on comes before all others, and
finds a few seats that are kept for that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from liveserver.core.errors import PeerError

KEPT = 10  # seats beyond the limit, for who is called on
INVITED_AT_ONCE = 20  # a second: they come and ask at the same moment
_COMING_NS = 15_000_000_000  # a seat is kept so long for who was invited
_MAX_TURNED_AWAY = 50_000
_RETRY_AFTER_S = 30

Learner = tuple[str, str]
"""Lesson and person."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seats in use: on the node, and in one lesson of which `lesson_limit` is the bound."""

    node: int
    lesson: int
    lesson_limit: int


class Seats:
    """`limit`: seats of the node. `is_called(learner)`: whether an instructor called on this one."""

    def __init__(self, limit: int, is_called: Callable[[Learner], bool]):
        self._limit = limit
        self._is_called = is_called
        self._turned_away: dict[Learner, None] = {}  # in the order they came
        self._coming: dict[Learner, int] = {}  # invited → until when a seat is kept
        self.refused_total = 0

    def __len__(self) -> int:
        """How many wait for one."""
        return len(self._turned_away)

    def check(self, learner: Learner, taken: Taken) -> None:
        """Raises PeerError webrtc_full (503) where no seat is left: the lesson is to be watched by LL-HLS."""
        kept = KEPT if self._is_called(learner) else 0
        coming = len(self._coming) - (learner in self._coming)
        if taken.node + coming < self._limit + kept and taken.lesson < taken.lesson_limit + kept:
            self._turned_away.pop(learner, None)
            self._coming.pop(learner, None)
            return
        self.refused_total += 1
        if len(self._turned_away) < _MAX_TURNED_AWAY:
            self._turned_away[learner] = None
        raise PeerError(
            "webrtc_full",
            "no seat for WebRTC is free: watch by LL-HLS",
            status=503,
            retry_after_s=_RETRY_AFTER_S,
        )

    def want(self, learner: Learner) -> None:
        """Somebody who watches by LL-HLS is called on: he is to come over, whatever kept him there."""
        self._turned_away.setdefault(learner, None)

    def invited(self, taken: Callable[[str], Taken | None], now_ns: int) -> Collection[Learner]:
        """Once a second: whose turn it is. `taken(lesson)` is None of a lesson that is gone."""
        for learner, until_ns in list(self._coming.items()):
            if now_ns > until_ns:
                del self._coming[learner]
        called = [learner for learner in self._turned_away if self._is_called(learner)]
        chosen: dict[Learner, None] = {}
        for learner in [*called, *self._turned_away]:
            if len(chosen) >= INVITED_AT_ONCE:
                break
            seats = taken(learner[0])
            if seats is None:
                self._turned_away.pop(learner, None)
                continue
            kept = KEPT if self._is_called(learner) else 0
            ahead = sum(other[0] == learner[0] for other in (*self._coming, *chosen))
            node = seats.node + len(self._coming) + len(chosen)
            if node < self._limit + kept and seats.lesson + ahead < seats.lesson_limit + kept:
                chosen[learner] = None
            elif node >= self._limit + KEPT:
                break
        for learner in chosen:
            self._turned_away.pop(learner, None)
            self._coming[learner] = now_ns + _COMING_NS
        return chosen.keys()
