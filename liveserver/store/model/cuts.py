"""Cuts and drills as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from liveserver.core.ledger import JSON


@dataclass(frozen=True, slots=True)
class CutRow:
    """One cut of a lesson, as `node` carried it out. `key` is both their names."""

    key: str
    cut: str
    node: str
    lesson: str
    epoch: int
    level: str
    person: str | None
    reason: str
    made_by: str
    at_ms: int
    measured: Mapping[str, int | None] | None = None
    """`core.measured.Measured.as_json`, None until it is known."""
    restored_at_ms: int | None = None
    restored_by: str | None = None


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill of the kill switch."""

    id: str
    lesson: str
    level: str
    made_by: str
    at_ms: int
    viewers: int
    rounds: int
    times: Mapping[str, JSON]
    """`core.drill.summary`."""
