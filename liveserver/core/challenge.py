"""Random checks of who is there: issued, answered, missed, judged, explained. Pure (REQ-A2, A3, L13).

What may become of a check is the table `MOVES`; anything else is refused. A check belongs to one person: an
answer from anybody else meets `unknown_challenge`, one that comes after the deadline by the server's clock
`challenge_late`, a second one `challenge_over` (REL-C5). A photo never costs anybody an hour by itself: what
the models doubt goes to a person (PIPL 24), and a question may always be answered instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from liveserver.core.errors import PeerError
from liveserver.core.photo import Liveness, Turn
from liveserver.core.quiz import Question

ANSWER_MS = 60_000
"""To answer in (DOM section 9.4)."""
ATTEMPTS = 3
"""Wrong answers, or photos that show nothing, within that time."""
JUDGING_MS = 30_000
"""A photo that no model has looked at by then goes to a person."""


class CheckKind(StrEnum):
    QUIZ = "quiz"
    FACE = "face"


class Cause(StrEnum):
    """Why it was issued."""

    RANDOM = "random"
    ASKED = "asked"
    """By the instructor or an administrator, of one or of all."""


class CheckState(StrEnum):
    """`judging`: a photo came in time and is being looked at; `review`: a person has to decide."""

    ISSUED = "issued"
    JUDGING = "judging"
    REVIEW = "review"
    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    EXCUSED = "excused"

    @property
    def is_open(self) -> bool:
        return bool(MOVES[self])


_S = CheckState
MOVES: Mapping[CheckState, frozenset[CheckState]] = MappingProxyType(
    {
        _S.ISSUED: frozenset({_S.ISSUED, _S.JUDGING, _S.PASSED, _S.FAILED, _S.TIMEOUT, _S.EXCUSED}),
        _S.JUDGING: frozenset({_S.ISSUED, _S.REVIEW, _S.PASSED, _S.EXCUSED}),
        _S.REVIEW: frozenset({_S.PASSED, _S.FAILED, _S.EXCUSED}),
        _S.PASSED: frozenset(),
        _S.FAILED: frozenset(),
        _S.TIMEOUT: frozenset(),
        _S.EXCUSED: frozenset(),
    }
)


@dataclass(slots=True)
class Check:
    """One check of one person; `number` runs from 1 for each person of a lesson. Times: server, ms."""

    id: str
    number: int
    person: str
    kind: CheckKind
    cause: Cause
    issued_at_ms: int
    deadline_ms: int
    question: Question | None
    state: CheckState = CheckState.ISSUED
    attempts: int = 0
    answered_at_ms: int | None = None
    detail: str = ""
    turn: Turn | None = None
    """How a second photo is to be taken; of a face check."""
    liveness: Liveness | None = None
    missed_as: CheckState | None = None
    """What it was before a person excused it."""

    def move(self, to: CheckState) -> None:
        """Raises PeerError `challenge_over` (409) for what the table does not allow."""
        if to not in MOVES[self.state]:
            raise PeerError("challenge_over", f"the check is {self.state}", status=409)
        self.state = to

    @property
    def attempts_left(self) -> int:
        return max(0, ATTEMPTS - self.attempts)

    def shown(self) -> dict[str, Any]:
        """The `challenge` message: nothing of the right answer."""
        return {
            "type": "challenge",
            "id": self.id,
            "kind": self.kind,
            "question": self.question.shown() if self.question is not None else None,
            "turn": self.turn,
            "issued_at_ms": self.issued_at_ms,
            "deadline_at_ms": self.deadline_ms,
            "attempts_left": self.attempts_left,
        }

    def result(self) -> dict[str, Any]:
        """The `result` message."""
        return {
            "type": "result",
            "challenge": self.id,
            "result": self.state,
            "attempts_left": self.attempts_left,
            "detail": self.detail,
        }


@dataclass(slots=True)
class Challenges:
    """Every check of one lesson. At most one is open for each person; only the newest closed one is kept."""

    answer_ms: int = ANSWER_MS
    _open: dict[str, Check] = field(default_factory=dict)  # person → check
    _last: dict[str, Check] = field(default_factory=dict)  # person → the newest that is over
    _missed: dict[tuple[str, str], Check] = field(default_factory=dict)  # (person, id) → may be excused
    _issued: Counter[str] = field(default_factory=Counter)

    def issue(
        self,
        check_id: str,
        person: str,
        kind: CheckKind,
        cause: Cause,
        question: Question | None,
        now_ms: int,
    ) -> Check | None:
        """A new check, or None when one is open for this person already.

        A quiz has a question, a face check has none.
        """
        if (question is None) != (kind is CheckKind.FACE):
            raise ValueError("a quiz has a question, a face check has none")
        if person in self._open:
            return None
        self._issued[person] += 1
        check = Check(
            check_id, self._issued[person], person, kind, cause, now_ms, now_ms + self.answer_ms, question
        )
        self._open[person] = check
        return check

    def of(self, person: str) -> Check | None:
        """What is open for this person."""
        return self._open.get(person)

    def asked(self, check_id: str) -> int:
        """How many were given this check and have not closed it."""
        return sum(check.id == check_id for check in self._open.values())

    def resume(self, check: Check) -> None:
        """Take up a check of before a restart, as it stood."""
        self._issued[check.person] = max(self._issued[check.person], check.number)
        if check.state.is_open:
            self._open[check.person] = check
        else:
            self._over(check)

    def waiting(self) -> list[str]:
        """Who has not answered yet."""
        return [person for person, check in self._open.items() if check.state is CheckState.ISSUED]

    def answer(self, person: str, check_id: str, choice: Sequence[int], now_ms: int) -> Check:
        """A quiz answered: passed, failed, or issued still while attempts are left."""
        check = self._in_time(person, check_id, now_ms)
        if check.question is None:
            raise PeerError("bad_message", "this check asks for a photo, or for a question instead")
        check.attempts += 1
        if check.question.grade(choice):
            return self._close(check, CheckState.PASSED, now_ms)
        if check.attempts_left:
            check.detail = "wrong"
            return check
        return self._close(check, CheckState.FAILED, now_ms, "wrong")

    def instead(self, person: str, check_id: str, question: Question, now_ms: int) -> Check:
        """A question instead of a photo: the same check, its time begins anew, once."""
        check = self._in_time(person, check_id, now_ms)
        if check.kind is not CheckKind.FACE:
            raise PeerError("bad_message", "this check is a question already")
        check.kind, check.question, check.turn = CheckKind.QUIZ, question, None
        check.attempts, check.deadline_ms = 0, now_ms + self.answer_ms
        return check

    def photo(self, person: str, check_id: str, now_ms: int) -> Check:
        """A whole photo came in time; `judged` follows."""
        check = self._in_time(person, check_id, now_ms)
        if check.kind is not CheckKind.FACE:
            raise PeerError("bad_message", "this check asks a question")
        check.move(CheckState.JUDGING)
        check.attempts += 1
        check.answered_at_ms = now_ms
        return check

    def judged(self, person: str, check_id: str, passed: bool | None, detail: str, now_ms: int) -> Check:
        """What the models say of the photo: `passed`, None: a person must look; False: take another.

        False with no attempt or no time left goes to a person as well: no model fails anybody.
        """
        check = self._find(person, check_id)
        if passed:
            return self._close(check, CheckState.PASSED, check.answered_at_ms or now_ms, detail)
        may_retry = passed is False and check.attempts_left and now_ms < check.deadline_ms
        check.move(CheckState.ISSUED if may_retry else CheckState.REVIEW)
        check.detail = detail
        return check

    def review(self, person: str, check_id: str, passed: bool, now_ms: int) -> Check:
        """A person has looked at the photo."""
        check = self._find(person, check_id)
        if check.state is not CheckState.REVIEW:
            raise PeerError("challenge_over", f"the check is {check.state}", status=409)
        state = CheckState.PASSED if passed else CheckState.FAILED
        return self._close(check, state, check.answered_at_ms or now_ms, "reviewed")

    def excuse(self, person: str, detail: str) -> Check | None:
        """The server could not deliver or judge it: as if it had not been issued (DOM section 9.4)."""
        check = self._open.get(person)
        return self._close(check, CheckState.EXCUSED, None, detail) if check is not None else None

    def revise(self, person: str, check_id: str, *, excused: bool) -> Check:
        """A person excuses what was missed, or takes that back (DOM section 9.4).

        Raises PeerError `not_missed`, `not_excused` (409).
        """
        check = self._missed.get((person, check_id))
        if check is None or (excused and check.missed_as is not None):
            raise PeerError("not_missed", "this learner has missed no such check", status=409)
        if excused:
            check.missed_as, check.state = check.state, CheckState.EXCUSED
        elif check.missed_as is None:
            raise PeerError("not_excused", "nobody has excused this check", status=409)
        else:
            check.state, check.missed_as = check.missed_as, None
        return check

    def overdue(self, now_ms: int) -> Iterator[Check]:
        """Close what nobody answered in time; hand photos that no model judged to a person."""
        for check in list(self._open.values()):
            if check.state is CheckState.ISSUED and now_ms > check.deadline_ms:
                check.move(CheckState.TIMEOUT)
                yield self._over(check)
            elif check.state is CheckState.JUDGING and now_ms > (check.answered_at_ms or 0) + JUDGING_MS:
                check.move(CheckState.REVIEW)
                check.detail = "not_judged"
                yield check

    def _in_time(self, person: str, check_id: str, now_ms: int) -> Check:
        check = self._find(person, check_id)
        if check.state is not CheckState.ISSUED:
            raise PeerError("challenge_over", f"the check is {check.state}", status=409)
        if now_ms > check.deadline_ms:
            raise PeerError("challenge_late", "the time to answer is over", status=409)
        return check

    def _find(self, person: str, check_id: str) -> Check:
        check = self._open.get(person)
        if check is not None and check.id == check_id:
            return check
        last = self._last.get(person)
        if last is not None and last.id == check_id:
            code = "challenge_late" if last.state is CheckState.TIMEOUT else "challenge_over"
            raise PeerError(code, f"the check is {last.state}", status=409)
        raise PeerError("unknown_challenge", "there is no such check for you", status=404)

    def _close(self, check: Check, state: CheckState, at_ms: int | None, detail: str = "") -> Check:
        check.move(state)
        check.answered_at_ms, check.detail = at_ms, detail
        return self._over(check)

    def _over(self, check: Check) -> Check:
        self._open.pop(check.person, None)
        self._last[check.person] = check
        if check.state in (CheckState.FAILED, CheckState.TIMEOUT):
            self._missed[check.person, check.id] = check
        return check
