"""Screening on the main loop: what was seen is decided by the lesson's policy, acted upon, told and kept.

    screen processes ──found, sight──▶ policy ──▶ cut (the guard's thread, at once)
    chat, names, titles ──chat, screen_text──▶    └▶ incidents: told, then kept behind it

Nothing here waits for the database, and nothing blocks: a picture that must go is handed to the guard before
anybody is told of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.core.events.screening import Report
from liveserver.core.ledger import JSON
from liveserver.core.screening import (
    Action,
    Category,
    Decision,
    Finding,
    Kind,
    Policy,
    Receipt,
    Seeing,
    Sight,
    Verdict,
    WhenBlind,
)
from liveserver.log import Event, get_logger
from liveserver.screening.incidents import Incidents
from liveserver.screening.policies import Policies
from liveserver.store import Incident

BLIND = "blind"
"""The kind of an incident that says that nobody looked."""
LEVELS: Mapping[Action, Level] = {
    Action.BLANK: Level.PICTURE,
    Action.PAUSE: Level.PAUSE,
    Action.CUT: Level.LESSON,
}
_NAMES_MAX = 20_000
_LINES_MAX, _TEXT_MAX = 200, 2_000  # lines, and characters of the flagged ones, that are kept of a picture
_ID_BYTES = 9
_SALT_BYTES = 16
_log = get_logger()

Onlooker = Callable[[str, Sight], None]
"""Told how well a lesson is seen, each time that changes."""
Cut = Callable[[str, Level, str], Coroutine[Any, Any, object]]
"""Cuts a lesson: its id, how much, and why. Raises PeerError."""


class ChatFinding(Protocol):
    """What `models.chat` says of a text."""

    @property
    def scores(self) -> Mapping[str, float]: ...

    @property
    def why(self) -> tuple[str, ...]: ...

    @property
    def models(self) -> Mapping[str, str]: ...

    @property
    def lists(self) -> Mapping[str, str]: ...


class ChatScreen(Protocol):
    """Scores a text within a millisecond, on the main loop."""

    def screen(self, text: str) -> ChatFinding: ...


class Screening:
    """Owned by the main loop. `excused(text)`: whether the whitelist has this text."""

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
        self._cut = cut
        self._clock = clock
        self._screen = screen
        self._excused = excused
        self._names: dict[tuple[str, str, int], bool] = {}  # name, policy, version → may be shown
        self._onlookers: list[Onlooker] = []
        self._blind: dict[str, tuple[str, int]] = {}  # lesson → its present blindness: incident, since when
        self._acting: set[asyncio.Task[None]] = set()
        self._counts = dict.fromkeys(("texts", "findings", "acted", "act_failures", "text_failures"), 0)

    async def stop(self) -> None:
        """Cuts under way are made; blindness that lasts is counted up to here."""
        for lesson in list(self._blind):
            self._sees(lesson)
        await asyncio.gather(*self._acting, return_exceptions=True)

    def policy(self, lesson: str) -> Policy:
        """What the lesson is screened by now; another object after a change."""
        return self.policies.of(lesson)

    # --- pictures and sound ---

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
            self.incidents.record(_seen(lesson, receipt), finding.jpeg)
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
            action = Action.BLANK if sight.held_back else Action.WARN
            blind = Incident(_new_id(), lesson, since_ms, since_ms, BLIND, Category.BENIGN, 0, action, {},
                             salt=secrets.token_bytes(_SALT_BYTES))  # fmt: skip
            self._blind[lesson] = self.incidents.record(blind), since_ms

    # --- what people type ---

    def chat(self, lesson: str, text: str) -> Verdict | None:
        """What the policy says of a chat line; None when it may pass unnoted."""
        policy = self.policies.of(lesson)
        receipt = self._judge(policy, text)
        if receipt is None:
            return None
        return Verdict(_new_id(), receipt, policy.mute_after)

    def report(self, lesson: str, report: Report) -> None:
        """The room carried a verdict out: it goes on record."""
        verdict, line = report.verdict, report.line
        score_ppm = round(verdict.decision.score * 1_000_000)
        if line is None:
            self.incidents.grow(verdict.incident, 1, score_ppm, verdict.receipt.finding.at_ms)
            return
        incident = _typed(verdict.incident, lesson, verdict.receipt, report.action, line.text, line.person,
                          line.name, line.line_id)  # fmt: skip
        self.incidents.record(incident)

    def screen_text(self, lesson: str, text: str, *, person: str = "", name: str = "") -> Decision:
        """A name, a quiz text, a title or a file name: what the policy says of it, on record if anything.

        The caller shows nothing of an action from `hide` on. `lesson` "" for what belongs to none yet.
        """
        receipt = self._judge(self.policies.of(lesson), text)
        if receipt is None:
            return Decision(Action.ALLOW, Category.BENIGN, 0.0, None)
        if lesson:
            action = receipt.decision.action
            self.incidents.record(_typed(_new_id(), lesson, receipt, action, text, person, name, ""))
        return receipt.decision

    def require_clean(self, lesson: str, text: str, *, person: str = "", name: str = "") -> None:
        """As `screen_text`; raises PeerError `text_refused` (422) for what may not be shown."""
        decision = self.screen_text(lesson, text, person=person, name=name)
        if decision.action.rank >= Action.HIDE.rank:
            detail = f"this text looks like {decision.category}; an administrator may put it on the whitelist"
            raise PeerError("text_refused", detail, status=422)

    def name(self, lesson: str, person: str, name: str) -> str:
        """The name under which a person is shown: the id, where the name itself may not be.

        Names are remembered: ten thousand may join at once.
        """
        policy = self.policies.of(lesson)
        key = (name, policy.name, policy.version)
        may_be_shown = self._names.get(key)
        if may_be_shown is None:
            action = self.screen_text(lesson, name, person=person).action
            may_be_shown = self._names[key] = action.rank < Action.HIDE.rank
            if len(self._names) > _NAMES_MAX:
                del self._names[next(iter(self._names))]
        return name if may_be_shown else person

    def forget_names(self) -> None:
        """The lists have changed: names are looked at again when they come again."""
        self._names.clear()

    def numbers(self) -> dict[str, float]:
        """For /metrics."""
        counts = {f"{name}_total": float(value) for name, value in self._counts.items()}
        return counts | {"blind_lessons": float(len(self._blind))}

    # --- inside ---

    def _judge(self, policy: Policy, text: str) -> Receipt | None:
        """The receipt of what is to be acted upon."""
        if self._excused(text):
            return None
        at_ms, sha256 = self._clock.wall_ms(), hashlib.sha256(text.encode()).hexdigest()
        found = self._look(text)
        if found is None:
            # Nobody looked at it: as with pictures, the policy says whether it is seen all the same.
            if policy.when_blind is WhenBlind.PASS:
                return None
            unseen = Finding(Kind.CHAT, at_ms, {}, {}, sha256, why=("not screened",))
            held = Decision(Action.HIDE, Category.BENIGN, 0.0, None)
            return Receipt(unseen, held, policy.name, policy.version)
        decision = policy.decide(Kind.CHAT, found.scores)
        if decision.action is Action.ALLOW:
            return None
        finding = Finding(Kind.CHAT, at_ms, found.scores, found.models, sha256, why=found.why)
        return Receipt(finding, decision, policy.name, policy.version, found.lists)

    def _look(self, text: str) -> ChatFinding | None:
        """What the models and lists say; None when they cannot."""
        self._counts["texts"] += 1
        if self._screen is not None:
            try:
                return self._screen.screen(text)
            except Exception:  # a model's failure must neither end the chat nor pass for a look
                _log.exception(Event.SCREENING_FAILED)
        self._counts["text_failures"] += 1
        return None

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


def _new_id() -> str:
    return secrets.token_urlsafe(_ID_BYTES)


def _seen(lesson: str, receipt: Receipt) -> Incident:
    """An incident of a picture or of sound."""
    finding, decision = receipt.finding, receipt.decision
    flagged = [line.text for line in finding.lines if line.label is not Category.BENIGN]
    lines: list[dict[str, JSON]] = [
        {"line": line.text, "box": list(line.box), "label": line.label} for line in finding.lines[:_LINES_MAX]
    ]
    return Incident(
        id=_new_id(),
        lesson=lesson,
        at_ms=finding.at_ms,
        until_ms=finding.at_ms,
        kind=finding.kind,
        category=decision.category,
        score_ppm=round(decision.score * 1_000_000),
        action=decision.action,
        receipt=receipt.as_json(),
        salt=secrets.token_bytes(_SALT_BYTES),
        track=finding.track,
        text="\n".join(flagged)[:_TEXT_MAX] if finding.kind is Kind.TEXT else "",
        why=finding.why,
        lines=lines,
    )


def _typed(
    incident: str, lesson: str, receipt: Receipt, action: Action, text: str, person: str, name: str, line: str
) -> Incident:
    """An incident of something somebody typed."""
    finding, decision = receipt.finding, receipt.decision
    return Incident(
        id=incident,
        lesson=lesson,
        at_ms=finding.at_ms,
        until_ms=finding.at_ms,
        kind=finding.kind,
        category=decision.category,
        score_ppm=round(decision.score * 1_000_000),
        action=action,
        receipt=receipt.as_json(),
        salt=secrets.token_bytes(_SALT_BYTES),
        person=person,
        name=name,
        text=text,
        line=line,
        why=finding.why,
    )
