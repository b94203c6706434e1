"""Lessons as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lesson:
    """One live session. `state`: waiting, live, paused, cut or ended."""

    id: str
    title: str
    instructor: str
    """The name of who teaches, empty until somebody does."""
    state: str
    created_at_ms: int
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    programmes: str = ""
    """`core.retention.Programme`s by commas: how long its recordings are kept."""
    policy: str = ""
    """The name of the policy it is screened by, with its version; empty in lessons older than policies."""
    policy_version: int = 0
    preset: str = "default"
    """`core.presets.Name`: where its policy of lesson hours comes from."""
    planned_s: int | None = None
    """Planned teaching time; None where nothing was planned."""
    course: str = ""
    """The name of the course it belongs to; lessons without one are told apart by their title."""
    training_class: str = ""
    """The class whose learners alone may attend, by its id; empty for everybody with a token."""
    course_id: str = ""
    project: str = ""
    planned_start_ms: int | None = None
