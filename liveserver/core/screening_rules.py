"""What a room tells of screening: incidents, and how late a screened lesson is seen. Pure.

`RoomState` hands its events here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from liveserver.core.events import Effect
from liveserver.core.events.screening import IncidentSeen, SightChanged
from liveserver.core.events.telling import Broadcast
from liveserver.core.messages import Json
from liveserver.core.permissions import Permission
from liveserver.core.screening import Action, Kind

if TYPE_CHECKING:
    from liveserver.core.room import RoomState

INCIDENTS_TOLD = 50


def incident_seen(state: RoomState, event: IncidentSeen, now_ms: int) -> list[Effect]:
    """Those who moderate see it whole, the instructor without its evidence."""
    incident = event.incident
    is_new = incident["id"] not in state.incidents
    state.incidents[incident["id"]] = incident
    if len(state.incidents) > INCIDENTS_TOLD:
        del state.incidents[next(iter(state.incidents))]
    effects: list[Effect] = [
        Broadcast({"type": "incident"} | incident, Permission.SEE_INCIDENTS),
        Broadcast({"type": "incident"} | without_evidence(incident), Permission.PUBLISH),
    ]
    # What learners write is not the instructor's doing; of what is seen and heard he is warned.
    if is_new and incident["kind"] != Kind.CHAT and Action(incident["action"]).rank >= Action.WARN.rank:
        warning = {"type": "warning", "category": incident["category"], "what": incident["kind"],
                   "at_ms": incident["at_ms"], "incident": incident["id"]}  # fmt: skip
        effects.append(Broadcast(warning, Permission.PUBLISH))
    return effects


def sight_changed(state: RoomState, event: SightChanged, now_ms: int) -> list[Effect]:
    """What viewers are told of screening: how late they see, and why they may see nothing."""
    told = {"delay_ms": event.delay_ms, "held_back": event.held_back}
    if told == state.screening:
        return []
    state.screening = told
    return [Broadcast({"type": "screening"} | told)]


def without_evidence(incident: Json) -> Json:
    """What the instructor is told of an incident."""
    return {key: value for key, value in incident.items() if key not in ("text", "person", "evidence")}
