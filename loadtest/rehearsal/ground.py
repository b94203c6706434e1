"""What all learners of one Locust process share: the plan, the stage, tokens, what was said when.

The master (or the only process) tells stages as a message, so that learners on other machines hear of them.
"""

from __future__ import annotations

import random
import time
from collections import deque
from typing import Any

from gevent.lock import RLock
from locust.env import Environment

from loadtest.classroom import Classroom
from loadtest.rehearsal.plan import Plan

STAGE = "rehearsal_stage"
_TOKENS_AT_ONCE = 250
_WITNESSES = 5
"""Each fifth learner measures when a line of the chat reached him; all measure checks and cuts."""


class Ground:
    """One process's. Times are seconds of the wall clock, on which all machines have to agree."""

    def __init__(self, environment: Environment, classroom: Classroom, plan: Plan):
        self.plan = plan
        self.classroom = classroom
        self.stage = plan.stages[0].name
        self.since_s = time.time()
        self.open = True  # whether learners may be in the lesson
        self.said: dict[str, float] = {}
        self._environment = environment
        self._tokens: deque[str] = deque()
        self._lock = RLock()
        self._players = 0
        self._numbers = 0

    def enter(self, stage: str, at_s: float) -> None:
        self.stage, self.since_s = stage, at_s
        if stage == "cut":
            self.open = False
        elif stage == "storm":
            self.open = True

    def token(self) -> str:
        """One more learner's."""
        with self._lock:
            if not self._tokens:
                self._tokens.extend(self.classroom.learners(_TOKENS_AT_ONCE))
            return self._tokens.popleft()

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def plays(self, number: int) -> bool:
        """Spread evenly, so that every worker has its share."""
        share = self.plan.hls_players / self.plan.attending
        return int(number * share) > int((number - 1) * share)

    def is_witness(self, number: int) -> bool:
        return number % _WITNESSES == 0

    def line(self) -> str:
        """Something to say that nobody else says."""
        text = f"请问第 {random.randrange(1, 10**6)} 题选哪个"
        if len(self.said) > 10_000:
            self.said.clear()
        self.said[text] = time.time()
        return text

    def note(self, what: str, seconds: float, failure: Exception | None = None, *, stage: str = "") -> None:
        """One measured value, into Locust's statistics."""
        self._environment.events.request.fire(
            request_type="lesson", name=f"{stage or self.stage}: {what}", response_time=seconds * 1000,
            response_length=0, exception=failure, context={},
        )  # fmt: skip


def told(message: Any) -> tuple[str, float]:
    """The stage and its beginning, from a message of `STAGE`."""
    return str(message.data["stage"]), float(message.data["at_s"])
