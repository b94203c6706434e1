"""Seats: to how many learners a node sends WebRTC. The others watch by LL-HLS and are invited when one is
free.

Pure: who watches is told, time is an argument. Whom the instructor has called on comes before all others, and
finds a few seats that are kept for that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import chain, islice

from liveserver.core.errors import PeerError

KEPT = 10  # seats beyond the limit, for who is called on
INVITED_AT_ONCE = 20  # a second: they come and ask at the same moment
_COMING_NS = 15_000_000_000  # a seat is kept so long for who was invited
_MAX_TURNED_AWAY = 50_000
_LOOKED_AT = 5_000  # of them, a second
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

    def invited(
        self, called_on: Iterable[Learner], taken: Callable[[str], Taken | None], now_ns: int
    ) -> Collection[Learner]:
        """Once a second: whose turn it is. `called_on` watch by LL-HLS, whatever keeps them there, and come
        first. `taken(lesson)` is None of a lesson that is gone."""
        self._coming = {learner: until_ns for learner, until_ns in self._coming.items() if now_ns <= until_ns}
        seats: dict[str, Taken | None] = {}
        chosen: dict[Learner, None] = {}
        gone: list[Learner] = []
        first = [learner for learner in called_on if learner not in self._coming]
        for learner in chain(first, islice(self._turned_away, _LOOKED_AT)):
            if len(chosen) >= INVITED_AT_ONCE:
                break
            lesson = learner[0]
            found = seats[lesson] if lesson in seats else seats.setdefault(lesson, taken(lesson))
            if found is None:
                gone.append(learner)
            elif self._is_free(learner, found, chosen):
                chosen[learner] = None
        for learner in (*gone, *chosen):
            self._turned_away.pop(learner, None)
        self._coming |= dict.fromkeys(chosen, now_ns + _COMING_NS)
        return chosen.keys()

    def _is_free(self, learner: Learner, taken: Taken, chosen: Collection[Learner]) -> bool:
        kept = KEPT if self._is_called(learner) else 0
        if taken.node + len(self._coming) + len(chosen) >= self._limit + kept:
            return False
        ahead = sum(other[0] == learner[0] for other in chain(self._coming, chosen))
        return learner not in chosen and taken.lesson + ahead < taken.lesson_limit + kept
