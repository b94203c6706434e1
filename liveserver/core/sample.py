"""A sample of lessons that nobody can choose: the seed decides, and whoever has it draws the same (REQ-L19).

Lessons stand in the order of HMAC-SHA256(seed, id); from the first on they are drawn until they are the
wanted share of all lessons' time (004 4(1): a tenth of the hours), or of their number where none has lasted.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEED_BYTES = 32
LEAST_PERCENT = 10
"""What the authority inspects at least (004 4(1))."""


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """A lesson that was held, or is being held: how long it lasted, whole seconds."""

    id: str
    duration_s: int


def draw(lessons: Sequence[Held], seed: bytes, percent: int) -> list[Held]:
    """In the order drawn; every lesson at most once, none only if there is none."""
    order = sorted(set(lessons), key=lambda held: hmac.digest(seed, held.id.encode(), "sha256"))
    total_s = sum(held.duration_s for held in order)
    weights = [held.duration_s if total_s else 1 for held in order]
    wanted = percent * (total_s or len(order))
    drawn_so_far, drawn = 0, []
    for held, weight in zip(order, weights, strict=True):
        if 100 * drawn_so_far >= wanted:
            break
        drawn.append(held)
        drawn_so_far += weight
    return drawn


def population_digest(lessons: Iterable[Held]) -> str:
    """What was drawn from: SHA-256, hex, over a line `id duration_s` for each, by id."""
    lines = "".join(f"{held.id} {held.duration_s}\n" for held in sorted(set(lessons)))
    return hashlib.sha256(lines.encode()).hexdigest()
