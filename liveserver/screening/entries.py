"""Incidents as they go on record: of a picture or of sound, of what somebody typed, of nobody looking."""

from __future__ import annotations

import secrets

from liveserver.core.ledger import JSON
from liveserver.core.screening import Action, Category, Kind, Receipt, Sight
from liveserver.store import Incident

BLIND = "blind"
"""The kind of an incident that says that nobody looked."""
_LINES_MAX, _TEXT_MAX = 200, 2_000  # lines, and characters of the flagged ones, that are kept of a picture
_ID_BYTES = 9
_SALT_BYTES = 16


def new_id() -> str:
    return secrets.token_urlsafe(_ID_BYTES)


def seen(lesson: str, receipt: Receipt) -> Incident:
    """An incident of a picture or of sound."""
    finding, decision = receipt.finding, receipt.decision
    flagged = [line.text for line in finding.lines if line.label is not Category.BENIGN]
    lines: list[dict[str, JSON]] = [
        {"line": line.text, "box": list(line.box), "label": line.label} for line in finding.lines[:_LINES_MAX]
    ]
    return Incident(
        id=new_id(),
        lesson=lesson,
        at_ms=finding.at_ms,
        until_ms=finding.at_ms,
        kind=finding.kind,
        category=decision.category,
        score_ppm=round(decision.score * 1_000_000),
        action=decision.action,
        receipt=receipt.as_json(),
        salt=secrets.token_bytes(_SALT_BYTES),
        track=finding.track,
        text="\n".join(flagged)[:_TEXT_MAX] if finding.kind is Kind.TEXT else "",
        why=finding.why,
        lines=lines,
    )


def typed(
    incident: str, lesson: str, receipt: Receipt, action: Action, text: str, person: str, name: str, line: str
) -> Incident:
    """An incident of something somebody typed."""
    finding, decision = receipt.finding, receipt.decision
    return Incident(
        id=incident,
        lesson=lesson,
        at_ms=finding.at_ms,
        until_ms=finding.at_ms,
        kind=finding.kind,
        category=decision.category,
        score_ppm=round(decision.score * 1_000_000),
        action=action,
        receipt=receipt.as_json(),
        salt=secrets.token_bytes(_SALT_BYTES),
        person=person,
        name=name,
        text=text,
        line=line,
        why=finding.why,
    )


def blind(lesson: str, sight: Sight, since_ms: int) -> Incident:
    """Nobody looks at a lesson since then."""
    action = Action.BLANK if sight.held_back else Action.WARN
    return Incident(new_id(), lesson, since_ms, since_ms, BLIND, Category.BENIGN, 0, action, {},
                    salt=secrets.token_bytes(_SALT_BYTES))  # fmt: skip
