"""What a room does about the instructor's media: published, paused, lost, called on. Pure.

`RoomState` hands its events here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from liveserver.core import challenge_rules, messages
from liveserver.core.errors import PeerError
from liveserver.core.events import Effect
from liveserver.core.events.lesson import LessonState
from liveserver.core.events.media import (
    CalledOn,
    Hold,
    PauseAsked,
    Published,
    Record,
    ShareScreen,
    SourcesChanged,
    Unpublished,
)
from liveserver.core.events.telling import Append, Broadcast, Tell
from liveserver.core.messages import Sources
from liveserver.core.permissions import Permission, Role

if TYPE_CHECKING:
    from liveserver.core.room import RoomState

CALLED_ON_AT_ONCE = 10


def published(state: RoomState, event: Published, now_ms: int) -> list[Effect]:
    """The instructor's media is here; the first time, the lesson begins. Raises as `RoomState.admit`."""
    state.admit(event.person, Role.INSTRUCTOR)
    was_away = state.started_at_ms is not None and state.publisher is None
    state.publisher = event.connection
    state.publisher_person = event.person
    state.instructor = event.name or state.instructor
    effects: list[Effect] = [
        Append("publish", {"person": event.person, "connection": event.connection,
                           "tracks": list(event.tracks)}),
    ]  # fmt: skip
    if not state.sources.mids and not (state.sources.camera or state.sources.microphone):
        # A publisher without our page (OBS) says nothing of its sources: take its m-lines.
        state.sources = Sources(camera="camera" in event.tracks, microphone="audio" in event.tracks)
    if state.state is LessonState.WAITING:
        state.state = LessonState.LIVE
        if state.started_at_ms is None:
            state.started_at_ms = now_ms
            effects += [Append("hours_policy", state.hours_policy.as_json())]
            effects += challenge_rules.committed(state)
            effects.append(Append("start", {"person": event.person}))
        effects.append(state.kept())
    effects += [Record(True), Broadcast({"type": "sources"} | state.sources.as_json())]
    effects.append(state.lesson_message())
    if was_away:
        effects.append(Broadcast(messages.notice_message("publisher_back")))
    return effects


def unpublished(state: RoomState, event: Unpublished, now_ms: int) -> list[Effect]:
    """It ended, or another page took its place."""
    if event.reason == "replaced":
        # Another page or program publishes: the one that did must not fight to come back.
        told = {"type": "replaced", "session": event.session, "detail": "another page publishes now"}
        return [
            Append("unpublish", {"connection": event.connection, "reason": event.reason}),
            Broadcast(told, Permission.PUBLISH),
        ]
    if state.publisher != event.connection:
        return []
    state.publisher = None
    fact = {"connection": event.connection, "reason": event.reason}
    heard = {} if event.heard_at_ms is None else {"heard_at_ms": event.heard_at_ms}
    effects: list[Effect] = [Append("unpublish", fact | heard)]
    if state.state in (LessonState.LIVE, LessonState.PAUSED):
        effects.append(Broadcast(messages.notice_message("publisher_lost")))
    effects.append(state.lesson_message())
    return effects


def sources_changed(state: RoomState, event: SourcesChanged, now_ms: int) -> list[Effect]:
    """The page says what it sends."""
    state.require(event.connection, Permission.PUBLISH)
    state.sources = event.sources
    shown = event.sources.as_json()
    return [
        Append("sources", {key: shown[key] for key in ("camera", "screen", "microphone", "blank")}),
        ShareScreen(event.sources.screen),
        Broadcast({"type": "sources"} | shown),
    ]


def pause_asked(state: RoomState, event: PauseAsked, now_ms: int) -> list[Effect]:
    """The lesson's own pause."""
    member = state.require(event.connection, Permission.PUBLISH)
    wanted = LessonState.PAUSED if event.on else LessonState.LIVE
    if state.state not in (LessonState.LIVE, LessonState.PAUSED) or state.state is wanted:
        return []
    state.state = wanted
    fact = Append("pause" if event.on else "resume", {"person": member.person})
    return [fact, state.kept(), Hold(event.on), state.lesson_message()]


def called_on(state: RoomState, event: CalledOn, now_ms: int) -> list[Effect]:
    """A learner is called on, or done with. Raises PeerError unknown_person (404), busy (409)."""
    state.require(event.connection, Permission.PUBLISH)
    if event.person not in state.learners:
        raise PeerError("unknown_person", "this learner is not here", status=404)
    if event.on == (event.person in state.called_on):
        return []
    state.called_on &= state.learners.keys()
    if event.on and len(state.called_on) >= CALLED_ON_AT_ONCE:
        raise PeerError("busy", f"at most {CALLED_ON_AT_ONCE} are called on at once", status=409)
    (state.called_on.add if event.on else state.called_on.discard)(event.person)
    return [Tell(tuple(state.learners[event.person]), {"type": "called_on", "on": event.on})]
