"""What a room does about random checks: whom it asks when, what it records, what it tells. Pure.

`RoomState` hands its events here. Facts, for whoever computes attendance (times are server milliseconds):

    checks_committed    commitment, policy            before the lesson's `start`
    challenge_issued    id, kind, cause, by, issued_at_ms, deadline_ms, question (its hash),
                        checks: {person: number}, at most 300 a fact; turn (of a face check)
    challenge_resolved  id, person, number, kind, cause, issued_at_ms, answered_at_ms, result, detail,
                        liveness (of a photo: advice, `core.photo.Liveness`)
    challenge_review    id, person, number, photo, turned, detail, liveness     a person has to look
    challenge_revised   id, person, before, after, reason, by, asked_by     excused, or no longer
    checks_revealed     seed                          after the lesson: every moment can be computed again
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from liveserver.core import quiz, schedule
from liveserver.core.challenge import Cause, Check, CheckKind, CheckState
from liveserver.core.check_plan import Checks, liveness_of, resolved
from liveserver.core.errors import PeerError
from liveserver.core.events import Effect
from liveserver.core.events.checks import (
    ChallengeAnswered,
    ChallengeAsked,
    CheckRevised,
    Judge,
    PhotoJudged,
    PhotoReviewed,
    PhotoTaken,
    QuestionWanted,
)
from liveserver.core.events.lesson import LessonState
from liveserver.core.events.telling import Append, Send, Tell
from liveserver.core.permissions import Permission
from liveserver.core.photo import Turn

if TYPE_CHECKING:
    from liveserver.core.room import RoomState

ISSUED_A_FACT = 300
ISSUED_A_TICK = 500  # schedules fall together when a class comes back from a pause


def asked(state: RoomState, event: ChallengeAsked, now_ms: int) -> list[Effect]:
    """On demand, of one learner or of all who are here. Who has a check open already is passed over."""
    if state.state is not LessonState.LIVE:
        raise PeerError("not_live", "learners are asked while the lesson is live", status=409)
    people = [event.person] if event.person is not None else list(state.learners)
    if event.person is not None and event.person not in state.learners:
        raise PeerError("unknown_person", "there is no such learner in the lesson", status=404)
    checks = state.checks
    by_kind: dict[CheckKind, list[str]] = {CheckKind.QUIZ: [], CheckKind.FACE: []}
    for person in people:
        by_kind[_kind_for(checks, event.kind, person)].append(person)
    question = event.question or checks.question("", now_ms)
    effects: list[Effect] = []
    for kind, group in by_kind.items():
        shown = question if kind is CheckKind.QUIZ else None
        new = [
            check
            for person in group
            if (check := checks.book.issue(event.id, person, kind, Cause.ASKED, shown, now_ms)) is not None
        ]
        effects += _issued(state, new, event.by)
    return effects


def answered(state: RoomState, event: ChallengeAnswered, now_ms: int) -> list[Effect]:
    person = state.require(event.connection, Permission.ATTEND).person
    check = state.checks.book.answer(person, event.challenge, event.choice, now_ms)
    return _told(state, check)


def question_wanted(state: RoomState, event: QuestionWanted, now_ms: int) -> list[Effect]:
    """A question instead of a photo: always granted, never held against anybody."""
    person = state.require(event.connection, Permission.ATTEND).person
    checks = state.checks
    check = checks.book.instead(person, event.challenge, checks.question(person, now_ms), now_ms)
    fact = {"id": check.id, "person": person, "number": check.number, "deadline_ms": check.deadline_ms}
    return [Append("challenge_changed", fact), Send(event.connection, check.shown())]


def photo_taken(state: RoomState, event: PhotoTaken, now_ms: int) -> list[Effect]:
    """A whole photo arrived. Without a recorded consent it is refused, and kept nowhere."""
    person = state.require(event.connection, Permission.ATTEND).person
    state.checks.may_send(person, event.challenge)
    check = state.checks.book.photo(person, event.challenge, now_ms)
    judge = Judge(person, check.id, event.photo, event.turned, check.turn or Turn.LEFT)
    return [judge, Send(event.connection, check.result())]


def photo_judged(state: RoomState, event: PhotoJudged, now_ms: int) -> list[Effect]:
    check = state.checks.book.judged(event.person, event.challenge, event.passed, event.detail, now_ms)
    check.liveness = event.liveness
    if check.state is not CheckState.REVIEW:
        return _told(state, check)
    fact = {"id": check.id, "person": check.person, "number": check.number, "photo": event.photo,
            "detail": check.detail}  # fmt: skip
    second = {"turned": event.turned} if event.turned else {}
    return [Append("challenge_review", fact | second | liveness_of(check)), *_say(state, check)]


def photo_reviewed(state: RoomState, event: PhotoReviewed, now_ms: int) -> list[Effect]:
    check = state.checks.book.review(event.person, event.challenge, event.passed, now_ms)
    return _told(state, check, by=event.by)


def revised(state: RoomState, event: CheckRevised, now_ms: int) -> list[Effect]:
    """Excused with a reason, or not any more; once the lesson is over two persons have to."""
    if state.state is LessonState.ENDED:
        raise PeerError("not_live", "the lesson is over", status=409)
    check = state.checks.book.revise(event.person, event.challenge, excused=event.excused)
    before = check.missed_as or CheckState.EXCUSED
    fact = revision(check.id, check.person, before, check.state, event.reason, event.by, event.by)
    return [Append("challenge_revised", fact), *_say(state, check)]


def revision(
    challenge: str, person: str, before: str, after: str, reason: str, asked_by: str, by: str
) -> dict[str, Any]:
    """The fact of a check that a person judged anew."""
    return {"id": challenge, "person": person, "before": str(before), "after": str(after),
            "reason": reason, "asked_by": asked_by, "by": by}  # fmt: skip


def ticked(state: RoomState, now_ms: int) -> list[Effect]:
    """Once a second: who did not answer in time, and whose moment has come."""
    checks = state.checks
    effects: list[Effect] = []
    for check in checks.book.overdue(now_ms):
        effects += _told(state, check)
    if state.state is not LessonState.LIVE or state.started_at_ms is None:
        checks.paused(now_ms)
        return effects
    for count, person in enumerate(checks.due(state.started_at_ms, now_ms), start=1):
        if person in state.learners:
            effects += _ask(state, person, now_ms)
        if count == ISSUED_A_TICK:
            break
    return effects


def committed(state: RoomState) -> list[Effect]:
    """Before the lesson begins: its moments are fixed, though nobody knows them."""
    checks = state.checks
    if not checks.seed:
        return []
    return [Append("checks_committed", {"commitment": schedule.commitment(checks.seed),
                                        "policy": asdict(checks.policy)})]  # fmt: skip


def revealed(state: RoomState) -> list[Effect]:
    """The lesson is over: what is open is excused, and anybody may compute the moments again."""
    effects: list[Effect] = []
    for person in state.checks.book.waiting():
        check = state.checks.book.excuse(person, "lesson_ended")
        effects += _told(state, check) if check is not None else []
    if state.checks.seed:
        effects.append(Append("checks_revealed", {"seed": state.checks.seed.hex()}))
    return effects


def _ask(state: RoomState, person: str, now_ms: int) -> list[Effect]:
    checks = state.checks
    kind = _kind_for(checks, checks.policy.kind, person)
    question = checks.question(person, now_ms) if kind is CheckKind.QUIZ else None
    check = checks.book.issue(checks.new_id(person, now_ms), person, kind, Cause.RANDOM, question, now_ms)
    if check is None:
        checks.asked(person, now_ms)  # asked on demand this very minute
        return []
    return _issued(state, [check], "")


def _kind_for(checks: Checks, wanted: CheckKind, person: str) -> CheckKind:
    return wanted if person in checks.consents else CheckKind.QUIZ


def _issued(state: RoomState, new: Sequence[Check], by: str) -> list[Effect]:
    """The facts first, then one message to all that are asked the same."""
    if not new:
        return []
    first = new[0]
    if first.kind is CheckKind.FACE:
        for check in new:
            check.turn = state.checks.turn(check.id)
    question = "" if first.question is None else _hash(first.question)
    asked_to = {} if first.turn is None else {"turn": first.turn}
    effects: list[Effect] = []
    for start in range(0, len(new), ISSUED_A_FACT):
        part = new[start : start + ISSUED_A_FACT]
        people = {check.person: check.number for check in part}
        effects.append(Append("challenge_issued", {
            "id": first.id, "kind": first.kind, "cause": first.cause, "by": by, "question": question,
            "issued_at_ms": first.issued_at_ms, "deadline_ms": first.deadline_ms, "checks": people,
        } | asked_to))  # fmt: skip
    for check in new:
        state.checks.asked(check.person, first.issued_at_ms)
    connections = [c for check in new for c in state.learners.get(check.person, ())]
    return [*effects, Tell(tuple(connections), first.shown())]


def _told(state: RoomState, check: Check, by: str = "") -> list[Effect]:
    """The fact of a check that is over, and its result to the learner."""
    said = _say(state, check)
    return said if check.state.is_open else [resolved(check, by), *said]


def _say(state: RoomState, check: Check) -> list[Effect]:
    return [Send(connection, check.result()) for connection in state.learners.get(check.person, ())]


def _hash(question: quiz.Question) -> str:
    """What was asked, for whoever has the bank (SHA-256, hex): questions are no secret."""
    return hashlib.sha256("\n".join([question.text, *question.options]).encode()).hexdigest()
