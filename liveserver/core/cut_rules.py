"""What a room does about cuts: carried out, measured, restored. Pure.

`RoomState` hands its events here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from liveserver.core import messages
from liveserver.core.events import Effect
from liveserver.core.events.cut import (
    CarriedOut,
    Cut,
    CutMade,
    CutMeasured,
    KeepEvidence,
    Level,
    NoteCut,
    NoteRestored,
    Recorded,
    Refresh,
    RestoreAsked,
    Restored,
)
from liveserver.core.events.lesson import LessonState
from liveserver.core.events.media import ClosePublisher, Record
from liveserver.core.events.telling import Append, Broadcast
from liveserver.core.kill import cut_to_json
from liveserver.core.permissions import Permission, allows

if TYPE_CHECKING:
    from liveserver.core.room import RoomState


def cut_made(state: RoomState, event: CutMade, now_ms: int) -> list[Effect]:
    """A cut is carried out where it stands, and put on record where this node has to."""
    cut = event.cut
    recorded: list[Effect] = []
    if event.act:
        recorded = [Append("cut", cut_to_json(cut)), NoteCut(cut, event.node), Recorded(event.act)]
    carried_out = _cut_off(state, cut) if event.stands else []
    return [*recorded, *carried_out, CarriedOut(cut.id)]


def _cut_off(state: RoomState, cut: Cut) -> list[Effect]:
    if cut.level is Level.PERSON:
        return _remove_person(state, cut)
    state.cuts[cut.level] = cut
    told = messages.cut_message(True, cut.level, cut.reason, cut.at_ms)
    if cut.level is not Level.LESSON or state.state is LessonState.ENDED:
        return [Broadcast(told)]
    state.state = LessonState.CUT
    state.publisher = None
    leaving = [m for m in state.members.values() if not allows(m.role, Permission.RESTORE)]
    effects = state.send_away(leaving, told, "cut", "lesson_cut")
    return [*effects, ClosePublisher("cut"), Record(False), Broadcast(told),
            state.lesson_message(), state.kept(), KeepEvidence(cut.reason, cut.by)]  # fmt: skip


def _remove_person(state: RoomState, cut: Cut) -> list[Effect]:
    assert cut.person is not None
    state.removed[cut.person] = cut
    told = messages.cut_message(True, cut.level, cut.reason, cut.at_ms)
    leaving = list(state.connections_of(cut.person))
    effects = state.send_away(leaving, told, "removed", "person_removed")
    if state.publisher is not None and state.publisher_person == cut.person:
        effects.append(ClosePublisher("removed"))
    return effects


def cut_measured(state: RoomState, event: CutMeasured, now_ms: int) -> list[Effect]:
    """How long it took."""
    cut = cut_to_json(event.cut)
    told = messages.cut_measured_message(cut, event.measured.shown())
    return [
        Append("cut_measured", {**cut, "node": event.node, **event.measured.as_json()}),
        Broadcast(told, Permission.CUT),
        NoteCut(event.cut, event.node, event.measured),
        Recorded(event.act),
    ]


def restore_asked(state: RoomState, event: RestoreAsked, now_ms: int) -> list[Effect]:
    """The first of two persons wants to restore."""
    asked = event.asked
    data = {"by": asked.by, "reason": asked.reason, "at_ms": asked.at_ms,
            "expires_at_ms": asked.expires_at_ms}  # fmt: skip
    return [
        Append("restore_asked", {**data, "epoch": asked.epoch}),
        Broadcast({"type": "restore_asked", **data}, Permission.RESTORE),
        Recorded(event.act),
    ]


def restored(state: RoomState, event: Restored, now_ms: int) -> list[Effect]:
    """What was cut before that epoch is not any more."""
    recorded: list[Effect] = []
    if event.act:
        fact = {"reason": event.reason, "by": event.by, "first_by": event.first_by, "at_ms": event.at_ms,
                "epoch": event.epoch, "lifted": list(event.lifted)}  # fmt: skip
        recorded = [
            Append("restore", fact),
            NoteRestored(event.epoch, event.at_ms, event.by),
            Recorded(event.act),
        ]
    return [*recorded, *_lift(state, event)]


def _lift(state: RoomState, event: Restored) -> list[Effect]:
    strongest = state.cut.level if state.cut else Level.PERSON
    lifted = [level for level, cut in state.cuts.items() if cut.epoch < event.epoch]
    back = [person for person, cut in state.removed.items() if cut.epoch < event.epoch]
    if not lifted and not back:
        return []
    for level in lifted:
        del state.cuts[level]
    for person in back:
        del state.removed[person]
    effects: list[Effect] = []
    if state.state is LessonState.CUT and Level.LESSON not in state.cuts:
        state.state = LessonState.WAITING
        effects.append(state.kept())
    told = messages.cut_message(False, strongest, event.reason, event.at_ms)
    return [*effects, Refresh(), Broadcast(told), state.lesson_message()]
