"""Screening on the main loop: what was seen is decided by the lesson's policy, acted upon, told and kept.

    screen processes ──found, sight──▶ policy ──▶ cut (the guard's thread, at once)
    chat, names, titles ──────texts──────▶        └▶ incidents: told, then kept behind it

Nothing here waits for the database, and nothing blocks: a picture that must go is handed to the guard before
anybody is told of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.core.screening import Action, Decision, Finding, Policy, Receipt, Seeing, Sight
from liveserver.log import Event, get_logger
from liveserver.screening import entries
from liveserver.screening.incidents import Incidents
from liveserver.screening.policies import Policies
from liveserver.screening.texts import ChatScreen, Texts

LEVELS: Mapping[Action, Level] = {
    Action.BLANK: Level.PICTURE,
    Action.PAUSE: Level.PAUSE,
    Action.CUT: Level.LESSON,
}
_log = get_logger()

Onlooker = Callable[[str, Sight], None]
"""Told how well a lesson is seen, each time that changes."""
Cut = Callable[[str, Level, str], Coroutine[Any, Any, object]]
"""Cuts a lesson: its id, how much, and why. Raises PeerError."""


class Screening:
    """Owned by the main loop. `screen` and `excused` are of what people type (`texts.Texts`)."""

    def __init__(
        self,
        policies: Policies,
        incidents: Incidents,
        cut: Cut,
        clock: Clock,
        screen: ChatScreen | None = None,
        excused: Callable[[str], bool] = lambda text: False,
    ):
        self.policies = policies
        self.incidents = incidents
        self.texts = Texts(policies, incidents, clock, screen, excused)
        self._cut = cut
        self._clock = clock
        self._onlookers: list[Onlooker] = []
        self._blind: dict[str, tuple[str, int]] = {}  # lesson → its present blindness: incident, since when
        self._acting: set[asyncio.Task[None]] = set()
        self._counts = dict.fromkeys(("findings", "acted", "act_failures"), 0)

    async def stop(self) -> None:
        """Cuts under way are made; blindness that lasts is counted up to here."""
        for lesson in list(self._blind):
            self._sees(lesson)
        await asyncio.gather(*self._acting, return_exceptions=True)

    def policy(self, lesson: str) -> Policy:
        """What the lesson is screened by now; another object after a change."""
        return self.policies.of(lesson)

    def found(self, lesson: str, finding: Finding) -> Decision:
        """A look at a picture, its text or a passage of speech: act on it, and say what was decided."""
        policy = self.policies.of(lesson)
        decision = policy.decide(finding.kind, finding.scores)
        self._counts["findings"] += 1
        level = LEVELS.get(decision.action)
        if level is not None:
            self._act(lesson, level, decision)
        if decision.action is not Action.ALLOW:
            receipt = Receipt(finding, decision, policy.name, policy.version)
            self.incidents.record(entries.seen(lesson, receipt), finding.jpeg)
        return decision

    def tell(self, onlooker: Onlooker) -> None:
        """From now on `onlooker` is told how well lessons are seen."""
        self._onlookers.append(onlooker)

    def sight(self, lesson: str, sight: Sight) -> None:
        """How well the lesson is seen has changed; time in which nobody looked is an incident."""
        for onlooker in self._onlookers:
            onlooker(lesson, sight)
        if sight.seeing is not Seeing.BLIND:
            self._sees(lesson)
        elif lesson not in self._blind:
            _log.error(Event.SCREENING_BLIND, lesson=lesson, mode=sight.mode, held_back=sight.held_back)
            since_ms = sight.since_ms or self._clock.wall_ms()
            self._blind[lesson] = self.incidents.record(entries.blind(lesson, sight, since_ms)), since_ms

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        counts = {f"{name}_total": float(value) for name, value in self._counts.items()}
        return counts | self.texts.numbers() | {"blind_lessons": float(len(self._blind))}

    # --- inside ---

    def _act(self, lesson: str, level: Level, decision: Decision) -> None:
        """Hand a cut to the guard; its own rules make the second of two equal ones nothing."""
        task = asyncio.create_task(self._cut_now(lesson, level, decision), name=f"screening cuts {lesson}")
        self._acting.add(task)
        task.add_done_callback(self._acting.discard)

    async def _cut_now(self, lesson: str, level: Level, decision: Decision) -> None:
        try:
            await self._cut(lesson, level, f"screening: {decision.category}")
        except PeerError as error:
            self._counts["act_failures"] += 1
            _log.error(Event.SCREENING_FAILED, lesson=lesson, level=level, code=error.code)
        else:
            self._counts["acted"] += 1
            _log.warning(Event.SCREENING_ACTED, lesson=lesson, level=level, category=decision.category)

    def _sees(self, lesson: str) -> None:
        blind = self._blind.pop(lesson, None)
        if blind is not None:
            self.incidents.saw_again(blind[0], lesson, blind[1], self._clock.wall_ms())
            _log.warning(Event.SCREENING_SEES, lesson=lesson)
