"""What a room keeps of attendance while it is open: the register, and what each learner is told of it.

Everybody is told in turn, each at most once in `every_s`: of ten thousand some 330 a second, at a tenth of a
millisecond each. What is told is provisional; the settlement after the lesson counts.
"""

from __future__ import annotations

import zlib
from collections.abc import Container, Iterator

from liveserver.core.attendance import record, told
from liveserver.core.ledger import Fact
from liveserver.core.messages import Json
from liveserver.core.register import Register

EVERY_S = 30


class Attending:
    """One lesson's, owned by its room's task. `register` may be read by others."""

    def __init__(self, lesson: str, register: Register | None = None, every_s: int = EVERY_S):
        self.register = register if register is not None else Register()
        self._lesson = lesson
        self._turns: list[dict[str, None]] = [{} for _ in range(max(1, every_s))]
        self._turn = 0
        self._names: dict[str, str] = {}  # noted already

    def names(self, came: dict[str, str]) -> dict[str, str]:
        """Which of them are news."""
        return {person: name for person, name in came.items() if self._names.get(person) != name}

    def noted(self, names: dict[str, str]) -> None:
        """They are stored."""
        self._names.update(names)

    def take(self, fact: Fact) -> None:
        """A fact that was committed."""
        self.register.take(fact.type, fact.at_ms, fact.data)
        if fact.type == "join":
            person = str(fact.data["person"])
            self._turns[zlib.crc32(person.encode()) % len(self._turns)][person] = None

    def tell(self, here: Container[str], now_ms: int) -> Iterator[tuple[str, Json]]:
        """Called once a second: whose turn it is, and the `attendance` message for each."""
        turn = self._turns[self._turn]
        self._turn = (self._turn + 1) % len(self._turns)
        if self.register.started_ms is None:
            return
        frame = self.register.frame(now_ms)
        for person in list(turn):
            if person not in here or person not in self.register.learners:
                del turn[person]
                continue
            found = record(self.register, frame, person, self._lesson)
            yield person, told(found, frame, self.register.policy)
