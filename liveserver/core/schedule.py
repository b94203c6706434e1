"""When each learner is asked whether he is there: at moments that nobody can foresee and anybody can check.

A lesson draws a 32-byte seed. Its SHA-256 stands in the ledger before the first moment, the seed itself
after the last: then whoever has the ledger can compute every learner's moments again (DOM section 9.4,
REL-C7). Each slot of the lesson (15 minutes by policy) has one moment, and now and then a second, so that a
learner who has been asked cannot know that he is left alone until the slot's end. Offsets are integer
milliseconds from the lesson's start.
"""

from __future__ import annotations

import hashlib
import hmac

SEED_BYTES = 32
APART_MS = 120_000
"""No two moments of one learner are nearer."""
EDGE_MS = 60_000
"""Kept free at both ends of a slot, so that moments of neighbouring slots are `APART_MS` apart."""
EXTRA_PPM = 250_000
"""How many of a million slots have a second moment."""
LATE_MS = 240_000
"""Who comes later than his moment is asked in the rest of the slot, if so much of it is left."""


def commitment(seed: bytes) -> str:
    """What is said of the seed before the lesson (SHA-256, hex)."""
    return hashlib.sha256(seed).hexdigest()


def moments(seed: bytes, person: str, slot: int, slot_ms: int, present_from_ms: int = 0) -> tuple[int, ...]:
    """The moments of `person` in slot number `slot`, ascending.

    `slot_ms`: at least 10 minutes. `present_from_ms`: since when he has been there; moments before it do not
    count, and one in the rest of the slot takes their place.
    """
    if slot_ms < 600_000:
        raise ValueError("a slot has at least 10 minutes")
    begin, end = slot * slot_ms + EDGE_MS, (slot + 1) * slot_ms - EDGE_MS
    first = begin + _draw(seed, person, slot, "first", end - begin)
    drawn = [first]
    if _draw(seed, person, slot, "whether", 1_000_000) < EXTRA_PPM:
        second = begin + _draw(seed, person, slot, "second", end - begin)
        if abs(second - first) >= APART_MS:
            drawn.append(second)
    ahead = tuple(sorted(moment for moment in drawn if moment >= present_from_ms))
    if ahead or end - present_from_ms < LATE_MS:
        return ahead
    begin = present_from_ms + EDGE_MS
    return (begin + _draw(seed, person, slot, "late", end - begin),)


def choose(seed: bytes, person: str, slot: int, among: int) -> int:
    """Which of `among` questions he is asked: from 0 to before `among`."""
    return _draw(seed, person, slot, "question", among)


def _draw(seed: bytes, person: str, slot: int, what: str, below: int) -> int:
    """A number from 0 to before `below` (at most 2^32, so that the remainder's bias stays under 2^-96)."""
    text = f"{what}\0{slot}\0{person}".encode()
    return int.from_bytes(hmac.digest(seed, text, "sha256")[:16]) % below
