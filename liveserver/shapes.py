"""What the REST API shows of lessons, chat and recordings (docs/PROTOCOL.md section 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from liveserver.core.drill import in_ms
from liveserver.core.events.chat import Mute
from liveserver.core.events.cut import Asked, Cut, Level
from liveserver.core.events.lesson import LessonState
from liveserver.core.measured import Measured
from liveserver.core.messages import Json
from liveserver.core.room import RoomState
from liveserver.core.screening import Kind
from liveserver.store import Case, ChatLine, CutRow, Drill, Lesson, Muted, Recording, Tally, Version


def time(at_ms: int | None) -> str | None:
    """RFC 3339, UTC, milliseconds."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def drill(row: Drill) -> Json:
    """One drill of the kill switch; its times in milliseconds."""
    return {
        "id": row.id,
        "lesson": row.lesson,
        "level": row.level,
        "by": row.made_by,
        "at": time(row.at_ms),
        "viewers": row.viewers,
        "rounds": row.rounds,
        **in_ms(row.times),
    }


@dataclass(frozen=True, slots=True)
class Standing:
    """The guard's word on a lesson, which comes before the room's.

    Its strongest cut, how long that took, and who waits for a second person to restore.
    """

    cut: Cut | None = None
    measured: Measured | None = None
    asked: Asked | None = None

    def state_of(self, room: RoomState) -> LessonState:
        is_cut = self.cut is not None and self.cut.level is Level.LESSON
        return LessonState.CUT if is_cut and room.state is not LessonState.ENDED else room.state


def lesson(stored: Lesson, state: RoomState, standing: Standing) -> Json:
    """One lesson as it stands."""
    return {
        "id": stored.id,
        "title": stored.title,
        "state": standing.state_of(state),
        "viewers": state.viewers,
        "publishing": state.publisher is not None,
        "sources": state.sources.as_json(),
        "instructor": state.instructor,
        "created_at": time(stored.created_at_ms),
        "started_at": time(state.started_at_ms),
        "ended_at": time(state.ended_at_ms),
        "programmes": [name for name in stored.programmes.split(",") if name],
        "preset": stored.preset,
        "planned_s": stored.planned_s,
        "planned_start": time(stored.planned_start_ms),
        "course": stored.course,
        "course_id": stored.course_id,
        "class": stored.training_class,
        "project": stored.project,
        "cut": _standing(standing, "", time),
    }


def cut(row: CutRow) -> Json:
    """One cut of the list, with its times as far as they are known."""
    measured = Measured.from_json(row.measured) if row.measured is not None else None
    return {
        "id": row.cut,
        "node": row.node,
        "epoch": row.epoch,
        "level": row.level,
        "person": row.person,
        "reason": row.reason,
        "by": row.made_by,
        "at": time(row.at_ms),
        "measured": measured.shown() if measured is not None else None,
        "restored_at": time(row.restored_at_ms),
        "restored_by": row.restored_by,
    }


def tile(state: RoomState, standing: Standing, *, waiting: int) -> Json:
    """One lesson on the moderators' wall; times are milliseconds. `waiting`: incidents without a decision."""
    # What was typed waits by itself; what is seen and heard goes on meanwhile.
    urgent = [one for one in state.incidents.values() if one["state"] == "open" and one["kind"] != Kind.CHAT]
    newest = urgent or list(state.incidents.values())
    return {
        "id": state.lesson,
        "title": state.title,
        "instructor": state.instructor,
        "state": standing.state_of(state),
        "viewers": state.viewers,
        "publishing": state.publisher is not None,
        "sources": state.sources.as_json(),
        "started_at_ms": state.started_at_ms,
        "chat_on": Level.CHAT not in state.cuts,
        "hit": newest[-1] if newest else None,
        "open": waiting,
        "urgent": len(urgent),
        "held": len(state.chat.held),
        "cut": _standing(standing, "_ms", lambda at_ms: at_ms),
    }


def _standing(standing: Standing, suffix: str, when: Callable[[int], object]) -> Json | None:
    """The cut that stands; times are what `when` makes of them, under names with `suffix`."""
    cut, measured, asked = standing.cut, standing.measured, standing.asked
    if cut is None:
        return None
    restore = None
    if asked is not None:
        restore = {"by": asked.by, "reason": asked.reason, f"at{suffix}": when(asked.at_ms),
                   f"expires_at{suffix}": when(asked.expires_at_ms)}  # fmt: skip
    return {
        "level": cut.level,
        "reason": cut.reason,
        f"at{suffix}": when(cut.at_ms),
        "by": cut.by,
        "epoch": cut.epoch,
        "measured": measured.shown() if measured is not None else None,
        "restore": restore,
    }


def chat(line: ChatLine) -> Json:
    """A line of the history, as the message it once was."""
    said_by = {"person": line.person, "name": line.name, "role": line.role}
    return {"type": "chat", "id": line.id, "from": said_by, "text": line.text, "at_ms": line.at_ms}


def held(line: ChatLine, case: Case | None) -> Json:
    """A line that waits, as the `held` message without its type."""
    message = chat(line)
    del message["type"]
    found = case.incident if case else None
    return message | {
        "category": found.category if found else "",
        "score": found.score_ppm / 1_000_000 if found else 0.0,
        "incident": found.id if found else "",
        "why": list(found.why) if found else [],
    }


def mute(muted: Muted) -> Mute:
    """Who is muted, as the room knows it."""
    return Mute(muted.person, muted.name, muted.reason, muted.at_ms, muted.by, muted.incidents)


def recording(stored: Recording, title: str) -> Json:
    """The REST shape; the edge adds the signed `url`."""
    return {
        "id": stored.id,
        "lesson": stored.lesson,
        "title": title,
        "state": stored.state,
        "sha256": stored.sha256,
        "size": stored.size,
        "duration_ms": stored.duration_ms,
        "series": stored.series or stored.id,
        "reel": stored.reel,
        "begins_ms": stored.begins_ms,
        "started_at": time(stored.started_at_ms),
        "sealed_at": time(stored.sealed_at_ms),
        "retain_until": time(stored.retain_until_ms),
        "locked": stored.locked,
        "programmes": [name for name in stored.programmes.split(",") if name],
        "hold": stored.hold,
        "deleted_at": time(stored.deleted_at_ms),
        "gaps": list(stored.gaps),
        "detail": stored.detail,
    }


def incident(case: Case, title: str) -> Json:
    """The REST shape; the edge turns `evidence` into an address."""
    found = case.incident
    return {
        "id": found.id,
        "lesson": found.lesson,
        "title": title,
        "at": time(found.at_ms),
        "until": time(found.until_ms),
        "kind": found.kind,
        "category": found.category,
        "score": found.score_ppm / 1_000_000,
        "action": found.action,
        "state": case.state,
        "count": found.count,
        "person": found.person,
        "name": found.name,
        "track": found.track,
        "text": found.text,
        "line": found.line,
        "why": list(found.why),
        "lines": list(found.lines),
        "evidence": found.evidence,
        "receipt": dict(found.receipt),
        "appeal": {"text": case.appeal.text, "by": case.appeal.by, "at": time(case.appeal.at_ms)}
        if case.appeal
        else None,
        "decided": {
            "outcome": case.decided.outcome,
            "note": case.decided.note,
            "by": case.decided.by,
            "at": time(case.decided.at_ms),
        }
        if case.decided
        else None,
    }


def incident_message(case: Case) -> Json:
    """The `incident` message without its type (docs/PROTOCOL.md section 4)."""
    found = case.incident
    message: Json = {
        "id": found.id,
        "lesson": found.lesson,
        "at_ms": found.at_ms,
        "kind": found.kind,
        "category": found.category,
        "score": found.score_ppm / 1_000_000,
        "action": found.action,
        "state": case.state,
        "count": found.count,
        "evidence": found.evidence == "kept",
        "appealed": case.appeal is not None,
    }
    optional = {name: getattr(found, name) for name in ("person", "name", "track", "text", "line")}
    return message | {name: value for name, value in optional.items() if value}


def version(found: Version) -> Json:
    """One version of a policy or a list."""
    return {"version": found.version, "entries": found.entries, "sha256": found.sha256,
            "at": time(found.at_ms), "by": found.by}  # fmt: skip


def tally(found: Tally) -> Json:
    """How often one kind of finding was right."""
    decided = found.confirmed + found.dismissed
    return {
        "kind": found.kind,
        "category": found.category,
        "found": found.found,
        "open": found.found - decided,
        "confirmed": found.confirmed,
        "dismissed": found.dismissed,
        "precision": round(found.confirmed / decided, 4) if decided else None,
    }
