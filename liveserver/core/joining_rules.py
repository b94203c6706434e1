"""What a room does when somebody comes or goes, and what it greets them with. Pure.

`RoomState` hands its events here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from liveserver.core import messages
from liveserver.core.challenge import CheckState
from liveserver.core.events import Effect
from liveserver.core.events.cut import Level
from liveserver.core.events.lesson import Greeted, Joined, Left, Member
from liveserver.core.events.telling import Append, Close, Send
from liveserver.core.messages import Json
from liveserver.core.permissions import Permission, Role, allows
from liveserver.core.screening_rules import without_evidence

if TYPE_CHECKING:
    from liveserver.core.room import RoomState

INCIDENTS_BYTES = 32_768
"""Of incidents, in `joined`."""
ROSTER_SIZE = 200

CLOSE_REPLACED = 4409


def joined(state: RoomState, event: Joined, now_ms: int) -> list[Effect]:
    """Somebody comes in. Raises PeerError as `RoomState.admit` and `require_alone`."""
    member = event.member
    state.admit(member.person, member.role)
    effects: list[Effect] = []
    if member.role is Role.LEARNER:
        state.require_alone(member.person, member.role)
        for other in list(state.learners.get(member.person, ())):  # by the index: 10,000 may join at once
            effects += _replace(state, state.members[other])
    state.enter(member)
    fact = {"person": member.person, "role": member.role, "connection": member.connection,
            "transport": member.transport}  # fmt: skip
    effects.append(Append("join", fact))
    # A WebRTC member is greeted when its data channel opens.
    greeting = [] if member.transport == "webrtc" else _greeting(state, member, now_ms)
    return [*effects, *greeting]


def greeted(state: RoomState, event: Greeted, now_ms: int) -> list[Effect]:
    """His control channel is open."""
    member = state.members.get(event.connection)
    return _greeting(state, member, now_ms) if member else []


def left(state: RoomState, event: Left, now_ms: int) -> list[Effect]:
    """His connection has ended."""
    member = state.members.get(event.connection)
    return state.leave(member, event.reason) if member else []


def _greeting(state: RoomState, member: Member, now_ms: int) -> list[Effect]:
    effects: list[Effect] = [Send(member.connection, _joined_message(state, member, now_ms))]
    if allows(member.role, Permission.SEE_ROSTER):
        effects.append(Send(member.connection, roster(state)))
    if member.role is Role.LEARNER and member.person in state.called_on:
        effects.append(Send(member.connection, {"type": "called_on", "on": True}))
    check = state.checks.book.of(member.person) if member.role is Role.LEARNER else None
    if check is not None and check.state is CheckState.ISSUED:
        effects.append(Send(member.connection, check.shown()))  # the page was loaded anew meanwhile
    return effects


def _replace(state: RoomState, member: Member) -> list[Effect]:
    detail = "opened somewhere else"
    return [
        *state.leave(member, "replaced"),
        Send(member.connection, {"type": "replaced", "detail": detail}),
        Close(member.connection, CLOSE_REPLACED, "replaced"),
    ]


def _joined_message(state: RoomState, member: Member, now_ms: int) -> Json:
    """Where things stand, for this member."""
    cut = state.cut
    return {
        "type": "joined",
        "lesson": state.summary(),
        "you": {
            "person": member.person,
            "name": member.name,
            "role": member.role,
            "muted": member.person in state.chat.mutes,
        },
        "sources": state.sources.as_json(),
        "chat": list(state.chat.history),
        "chat_on": Level.CHAT not in state.cuts,
        "screening": state.screening,
        "cut": messages.cut_message(True, cut.level, cut.reason, cut.at_ms) if cut else None,
        "server_time_ms": now_ms,
    } | _for_watchers(state, member)


def _for_watchers(state: RoomState, member: Member) -> Json:
    """What `joined` adds for moderators and for the instructor."""
    if allows(member.role, Permission.SEE_INCIDENTS):
        incidents = messages.newest_within(state.incidents.values(), INCIDENTS_BYTES)
        return state.chat.told_to_moderators() | {"incidents": incidents}
    if allows(member.role, Permission.PUBLISH):
        return {"incidents": [without_evidence(incident) for incident in state.incidents.values()]}
    return {}


def roster(state: RoomState) -> Json:
    """Who is here, at most 200."""
    people = [
        {"person": m.person, "name": m.name, "role": m.role, "joined_at_ms": m.joined_at_ms,
         "transport": m.transport}
        for m in list(state.members.values())[:ROSTER_SIZE]
    ]  # fmt: skip
    called_on = sorted(state.called_on & state.learners.keys())
    return {"type": "roster", "viewers": state.viewers, "people": people, "called_on": called_on}
