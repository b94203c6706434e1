"""What people type, by the lesson's policy: chat lines, names, titles, questions. On the main loop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events.screening import Report
from liveserver.core.screening import (
    Action,
    Category,
    Decision,
    Finding,
    Kind,
    Policy,
    Receipt,
    TextFinding,
    Verdict,
    WhenBlind,
)
from liveserver.log import Event, get_logger
from liveserver.screening import entries
from liveserver.screening.incidents import Incidents
from liveserver.screening.policies import Policies

_NAMES_MAX = 20_000
_log = get_logger()


class ChatScreen(Protocol):
    """Scores a text within a millisecond, on the main loop."""

    def screen(self, text: str) -> TextFinding: ...


class Texts:
    """`screen` scores them; None: nobody looks. `excused(text)`: whether the whitelist has this text."""

    def __init__(
        self,
        policies: Policies,
        incidents: Incidents,
        clock: Clock,
        screen: ChatScreen | None,
        excused: Callable[[str], bool],
    ):
        self._policies = policies
        self._incidents = incidents
        self._clock = clock
        self._screen = screen
        self._excused = excused
        self._names: dict[tuple[str, str, int], bool] = {}  # name, policy, version → may be shown
        self._counts = dict.fromkeys(("texts", "text_failures"), 0)

    def chat(self, lesson: str, text: str) -> Verdict | None:
        """What the policy says of a chat line; None when it may pass unnoted."""
        policy = self._policies.of(lesson)
        receipt = self._judge(policy, text)
        if receipt is None:
            return None
        return Verdict(entries.new_id(), receipt, policy.mute_after)

    def report(self, lesson: str, report: Report) -> None:
        """The room carried a verdict out: it goes on record."""
        verdict, line = report.verdict, report.line
        score_ppm = round(verdict.decision.score * 1_000_000)
        if line is None:
            self._incidents.grow(verdict.incident, 1, score_ppm, verdict.receipt.finding.at_ms)
            return
        incident = entries.typed(
            verdict.incident, lesson, verdict.receipt, report.action, line.text, line.person, line.name,
            line.line_id,
        )  # fmt: skip
        self._incidents.record(incident)

    def screen_text(self, lesson: str, text: str, *, person: str = "", name: str = "") -> Decision:
        """A name, a quiz text, a title or a file name: what the policy says of it, on record if anything.

        The caller shows nothing of an action from `hide` on. `lesson` "" for what belongs to none yet.
        """
        receipt = self._judge(self._policies.of(lesson), text)
        if receipt is None:
            return Decision(Action.ALLOW, Category.BENIGN, 0.0, None)
        if lesson:
            incident, action = entries.new_id(), receipt.decision.action
            self._incidents.record(entries.typed(incident, lesson, receipt, action, text, person, name, ""))
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
        policy = self._policies.of(lesson)
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
        return {f"{name}_total": float(value) for name, value in self._counts.items()}

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

    def _look(self, text: str) -> TextFinding | None:
        """What the models and lists say; None when they cannot."""
        self._counts["texts"] += 1
        if self._screen is not None:
            try:
                return self._screen.screen(text)
            except Exception:  # a model's failure must neither end the chat nor pass for a look
                _log.exception(Event.SCREENING_FAILED)
        self._counts["text_failures"] += 1
        return None
