"""The random checks of one lesson: its policy, its secret, its questions, who is asked next. Pure."""

from __future__ import annotations

import heapq
import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from liveserver.core import quiz, schedule
from liveserver.core.challenge import Cause, Challenges, Check, CheckKind, CheckState
from liveserver.core.errors import PeerError
from liveserver.core.events.telling import Append
from liveserver.core.photo import Turn

PLANNED_A_TICK = 1_000  # of 10,000 who were there before the lesson began; about 10 us each


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """How a lesson's learners are checked. `slot_ms`: one check in each; 0: none but on demand."""

    kind: CheckKind = CheckKind.QUIZ
    slot_ms: int = 900_000
    answer_ms: int = 60_000


@dataclass(slots=True)
class Checks:
    """The checks of one lesson: its policy, its secret, its bank of questions, who is asked next.

    `consents`: who agreed to photos, separately and on record; everybody else is asked questions.
    """

    seed: bytes = b""
    policy: CheckPolicy = CheckPolicy()
    bank: Sequence[quiz.Question] = ()
    consents: Collection[str] = ()
    book: Challenges = field(default_factory=Challenges)
    _due: list[tuple[int, str]] = field(default_factory=list)
    _next: dict[str, int] = field(default_factory=dict)
    _unplanned: dict[str, None] = field(default_factory=dict)
    _asked_ms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.book.answer_ms = self.policy.answer_ms

    def arrived(self, person: str) -> None:
        """A learner is here; his next moment is found at the next tick of the live lesson."""
        if self.policy.slot_ms and self.seed:
            self._unplanned[person] = None

    def due(self, started_ms: int, now_ms: int) -> Iterator[str]:
        """Whose moment has come, while the lesson is live."""
        for person in list(islice(self._unplanned, PLANNED_A_TICK)):
            del self._unplanned[person]
            self._plan(person, started_ms, now_ms)
        while self._due and self._due[0][0] <= now_ms:
            moment, person = heapq.heappop(self._due)
            if self._next.get(person) == moment:
                del self._next[person]
                yield person

    def paused(self, now_ms: int) -> None:
        """Nobody is asked now; whose moment passes meanwhile is asked later in its slot, or in the next."""
        while self._due and self._due[0][0] <= now_ms:
            moment, person = heapq.heappop(self._due)
            if self._next.get(person) == moment:
                del self._next[person]
                self._unplanned[person] = None

    def asked(self, person: str, now_ms: int) -> None:
        """He has been asked; his next moment is a new one."""
        self._asked_ms[person] = now_ms
        self.arrived(person)

    def replay(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take in a fact of before a restart, in the ledger's order."""
        if kind == "challenge_issued":
            for person, number in data["checks"].items():
                kind_of, cause = CheckKind(data["kind"]), Cause(data["cause"])
                issued_ms, deadline_ms = data["issued_at_ms"], data["deadline_ms"]
                check = Check(data["id"], number, person, kind_of, cause, issued_ms, deadline_ms, None)
                self.book.resume(check)
                self._asked_ms[check.person] = check.issued_at_ms
            return
        if kind == "challenge_revised":
            self.book.revise(data["person"], data["id"], excused=data["after"] == CheckState.EXCUSED)
            return
        known = self.book.of(data.get("person", ""))
        if known is None or known.id != data["id"]:
            return
        if kind == "challenge_review":
            known.state, known.detail = CheckState.REVIEW, data["detail"]
        elif kind == "challenge_resolved":
            known.state, known.answered_at_ms = CheckState(data["result"]), data["answered_at_ms"]
            self.book.resume(known)

    def interrupted(self) -> list[Append]:
        """After `replay`: what nobody could answer because the server had ended is excused."""
        facts = []
        for person in self.book.waiting():
            check = self.book.excuse(person, "interrupted")
            if check is not None:
                facts.append(resolved(check))
        return facts

    def may_send(self, person: str, challenge: str) -> None:
        """Raise PeerError unless a photo of `person` is asked for and consented to.

        no_consent (403), unknown_challenge (404), challenge_over (409).
        """
        if person not in self.consents:
            raise PeerError("no_consent", "a photo needs a recorded consent", status=403)
        check = self.book.of(person)
        if check is None or check.id != challenge:
            raise PeerError("unknown_challenge", "there is no such check for you", status=404)
        if check.kind is not CheckKind.FACE or check.state is not CheckState.ISSUED:
            raise PeerError("challenge_over", "no photo is asked for now", status=409)

    def question(self, person: str, now_ms: int) -> quiz.Question:
        """The next question for `person`: from the bank, its options in his own order, or a sum."""
        if not self.bank:
            return quiz.arithmetic(schedule.choose(self.seed, person, now_ms, 1_422))
        found = self.bank[schedule.choose(self.seed, person, now_ms, len(self.bank))]
        order = sorted(
            range(len(found.options)), key=lambda place: self._digest("order", person, now_ms, place)
        )
        return found.shuffled(order)

    def new_id(self, person: str, now_ms: int) -> str:
        """A check's id: nobody who lacks the seed can know it before it is sent."""
        return self._digest("id", person, now_ms).hex()[:20]

    def turn(self, check_id: str) -> Turn:
        """Which way to turn for a second photo: nobody who lacks the seed knows before he is asked."""
        return Turn.LEFT if self._digest("turn", check_id)[0] % 2 else Turn.RIGHT

    def _digest(self, what: str, *parts: object) -> bytes:
        return hmac.digest(self.seed, "\0".join([what, *map(str, parts)]).encode(), "sha256")

    def _plan(self, person: str, started_ms: int, now_ms: int) -> None:
        moment = started_ms + self._moment(person, started_ms, now_ms - started_ms)
        if self._next.get(person) != moment:
            self._next[person] = moment
            heapq.heappush(self._due, (moment, person))

    def _moment(self, person: str, started_ms: int, now_ms: int) -> int:
        """His next moment, from the lesson's start; who was not asked in this slot is asked in its rest."""
        slot_ms = self.policy.slot_ms
        slot = now_ms // slot_ms
        asked_ms = self._asked_ms.get(person, -schedule.APART_MS) - started_ms
        since_ms = 0 if asked_ms >= slot * slot_ms else now_ms
        earliest = max(now_ms, asked_ms + schedule.APART_MS)
        for moment in schedule.moments(self.seed, person, slot, slot_ms, since_ms):
            if moment >= earliest:
                return moment
        return schedule.moments(self.seed, person, slot + 1, slot_ms)[0]


def resolved(check: Check, by: str = "") -> Append:
    """The fact that says how a check ended."""
    fact = {"id": check.id, "person": check.person, "number": check.number, "kind": check.kind,
            "cause": check.cause, "issued_at_ms": check.issued_at_ms, "result": check.state,
            "answered_at_ms": check.answered_at_ms, "detail": check.detail}  # fmt: skip
    return Append("challenge_resolved", fact | ({"by": by} if by else {}) | liveness_of(check))


def liveness_of(check: Check) -> dict[str, Any]:
    """What the two photos were measured to be, where there were two."""
    return {} if check.liveness is None else {"liveness": check.liveness.as_json()}
