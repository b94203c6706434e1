"""What screening finds, and how late a screened lesson is seen."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.core.events.chat import ChatSaved
from liveserver.core.messages import Json
from liveserver.core.screening import Action, Verdict


@dataclass(frozen=True, slots=True)
class IncidentSeen:
    """An incident of this lesson, new or changed, as the `incident` message without its type."""

    incident: Json


@dataclass(frozen=True, slots=True)
class SightChanged:
    """How far behind live viewers are, and whether they get the slate instead of the picture."""

    delay_ms: int
    held_back: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Screening's verdict on a line took effect: it goes on record. `line` is None when the same line was
    said again while it waits; `action` is what was done."""

    verdict: Verdict
    line: ChatSaved | None
    action: Action
