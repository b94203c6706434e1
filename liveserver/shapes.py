"""What the REST API shows of lessons, chat and recordings (docs/PROTOCOL.md section 3)."""

from __future__ import annotations

from datetime import UTC, datetime

from liveserver.core.events import LessonState, Level
from liveserver.core.messages import Json
from liveserver.core.room import RoomState
from liveserver.store import ChatLine, Lesson, Recording


def time(at_ms: int | None) -> str | None:
    """RFC 3339, UTC, milliseconds."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def lesson(stored: Lesson, state: RoomState, *, is_cut: bool) -> Json:
    """One lesson as it stands; `is_cut` is the guard's word."""
    cut = state.cut
    shown = LessonState.CUT if is_cut and state.state is not LessonState.ENDED else state.state
    return {
        "id": stored.id,
        "title": stored.title,
        "state": shown,
        "viewers": state.viewers,
        "publishing": state.publisher is not None,
        "sources": state.sources.as_json(),
        "instructor": state.instructor,
        "created_at": time(stored.created_at_ms),
        "started_at": time(state.started_at_ms),
        "ended_at": time(state.ended_at_ms),
        "programmes": [name for name in stored.programmes.split(",") if name],
        "cut": {"level": cut.level, "reason": cut.reason, "at": time(cut.at_ms), "by": cut.by}
        if cut
        else None,
    }


def tile(state: RoomState, *, is_cut: bool) -> Json:
    """One lesson on the moderators' wall; times are milliseconds."""
    cut = state.cut
    return {
        "id": state.lesson,
        "title": state.title,
        "instructor": state.instructor,
        "state": LessonState.CUT if is_cut and state.state is not LessonState.ENDED else state.state,
        "viewers": state.viewers,
        "publishing": state.publisher is not None,
        "sources": state.sources.as_json(),
        "started_at_ms": state.started_at_ms,
        "chat_on": Level.CHAT not in state.cuts,
        "cut": {"level": cut.level, "reason": cut.reason, "at_ms": cut.at_ms, "by": cut.by} if cut else None,
    }


def chat(line: ChatLine) -> Json:
    """A line of the history, as the message it once was."""
    said_by = {"person": line.person, "name": line.name, "role": line.role}
    return {"type": "chat", "id": line.id, "from": said_by, "text": line.text, "at_ms": line.at_ms}


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
