"""How many may be joining at the same moment, so that a rush does not take the time of running lessons.

A join costs some milliseconds of one core, most of it after its offer has been answered. Beyond the bound,
or while the node is behind with its work, learners are sent away before their offer is read, each with a
different advice when to come back.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from liveserver.core.errors import PeerError

_SOONEST_S = 1
_SPREAD_S = 4  # of the advice, while few are sent away
_LATEST_S = 30
_SETTLED_A_SECOND = 100  # roughly what one core takes in


class Arrivals:
    """Sessions that are answered and not yet connected. `limit` is how many there may be.

    `is_behind()` says whether the node has more to do than it can.
    """

    def __init__(
        self,
        limit: int,
        is_behind: Callable[[], bool] = lambda: False,
        draw: Callable[[int], int] = random.randrange,
    ):
        self._limit = limit
        self._is_behind = is_behind
        self._draw = draw
        self._under_way: set[str] = set()
        self._sent_away = 0  # and not made up for by a settled one yet: about how many will come back
        self.refused_total = 0

    def __len__(self) -> int:
        return len(self._under_way)

    def check(self) -> None:
        """Raises PeerError lesson_full (503) while too many are joining, or the node is behind."""
        if len(self._under_way) < self._limit and not self._is_behind():
            return
        self._sent_away += 1
        self.refused_total += 1
        spread_s = min(_LATEST_S, _SPREAD_S + self._sent_away // _SETTLED_A_SECOND)
        advice_s = _SOONEST_S + self._draw(spread_s)
        raise PeerError(
            "lesson_full", "too many are joining at this moment", status=503, retry_after_s=advice_s
        )

    def begin(self, session: str) -> None:
        """The session's offer has been answered."""
        self._under_way.add(session)

    def settle(self, session: str) -> None:
        """The session has connected, or ended. Idempotent."""
        if session in self._under_way:
            self._under_way.discard(session)
            self._sent_away = max(0, self._sent_away - 1)
