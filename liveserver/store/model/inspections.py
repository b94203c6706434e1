"""What inspectors drew and looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """Lessons drawn for inspection from those that began on days in China, both included (`core.sample`).

    `seed`: 64 hex digits. `population`: how many lessons there were, `population_sha256`: which and how long.
    """

    id: str
    by: str
    at_ms: int
    since: str
    until: str
    percent: int
    seed: str
    population: int
    population_sha256: str
    total_s: int
    drawn_s: int
    lessons: tuple[str, ...]
    """In the order drawn."""


@dataclass(frozen=True, slots=True)
class View:
    """Something an inspector looked at. `subject`: the person, recording or entry; "" for the whole."""

    by: str
    what: str
    lesson: str
    subject: str
    at_ms: int
