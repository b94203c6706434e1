"""What a room notes about who is here and how: in the foreground or not, receiving media or not. Pure.

`RoomState` hands its events here. Once a second one fact says what changed and a digest of all (10,000
learners' heartbeats would be 1.8 million facts a lesson). Times are server milliseconds:

    presence   changes: [{joined | left, connection}, {person, connection, visibility, at_ms},
               {person, connection, media, at_ms}, {publisher, media, at_ms}], at most 300 a fact;
               count, digest

`digest`: SHA-256, hex, over the sorted lines `person connection visibility media` of everybody here, where
`media` is `media` or `-`. `core.register` reads these facts.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from liveserver.core.events import Effect
from liveserver.core.events.attendance import Receiving, Seen
from liveserver.core.events.telling import Append

if TYPE_CHECKING:
    from liveserver.core.room import RoomState

CHANGES_A_FACT = 300  # some 40 kB; a fact holds 64 kB (core.ledger)


def seen(state: RoomState, event: Seen, now_ms: int) -> list[Effect]:
    """The page came into the foreground or left it."""
    member = state.members.get(event.connection)
    if member is not None and member.visibility != event.visibility:
        state.members[event.connection] = replace(member, visibility=event.visibility)
        state.changes.append({"person": member.person, "connection": event.connection,
                              "visibility": event.visibility, "at_ms": now_ms})  # fmt: skip
    return []


def receiving(state: RoomState, event: Receiving, now_ms: int) -> list[Effect]:
    """Media reaches a learner or does not any more; or the instructor's reaches this server."""
    if event.connection == state.publisher:
        state.changes.append({"publisher": event.connection, "media": event.on, "at_ms": event.at_ms})
        return []
    member = state.members.get(event.connection)
    if member is not None and member.receives is not event.on:
        state.members[event.connection] = replace(member, receives=event.on)
        state.changes.append({"person": member.person, "connection": event.connection,
                              "media": event.on, "at_ms": event.at_ms})  # fmt: skip
    return []


def ticked(state: RoomState) -> list[Effect]:
    """Once a second, as long as anybody is here or has just left."""
    if not state.members and not state.changes:
        return []
    changes, state.changes = state.changes, []
    if changes:
        state.presence_digest = _digest(state)
    digest = state.presence_digest or _digest(state)
    count = len(state.members)
    return [
        Append(
            "presence",
            {"changes": changes[start : start + CHANGES_A_FACT], "digest": digest, "count": count},
        )
        for start in range(0, max(1, len(changes)), CHANGES_A_FACT)
    ]


def _digest(state: RoomState) -> str:
    """Of everybody here: some 25 ms for 10,000, so only when somebody changed."""
    lines = sorted(
        f"{m.person} {m.connection} {m.visibility} {'media' if m.receives else '-'}"
        for m in state.members.values()
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
