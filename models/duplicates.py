"""Was a photo sent before? The same bytes, or the same picture encoded or scaled anew.

Beside the SHA-256 a hash of 1024 bits says what the picture looks like. Made anew from the same picture, up
to 2 % of them differ; in a photo that was taken anew, even of somebody who hardly moved, mostly 3 % and more.
A picture that was cropped is not recognised, nor one that a camera took off a screen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.phash import distance, fine_hash
from models.resize import Pixels

REPEATED_BITS = 24  # of 1024; how often that is right and wrong: tests/models/measure_faces.py
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


class Likeness(StrEnum):
    """How two photos resemble each other."""

    EXACT = "exact"
    """The same bytes."""
    REPEATED = "repeated"
    """The same picture in other bytes: something for a person to look at."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of a photo to know it again. `look`: 1024 bits, 0 for a blank picture."""

    sha256: str
    look: int


def fingerprint(data: bytes, rgb: Pixels) -> Fingerprint:
    """Of the bytes that came and the picture in them, uint8 (H, W, 3)."""
    return Fingerprint(hashlib.sha256(data).hexdigest(), fine_hash((rgb @ _LUMA).astype(np.uint8)))


def compare(one: Fingerprint, other: Fingerprint) -> Likeness:
    """How alike two photos are."""
    if one.sha256 == other.sha256:
        return Likeness.EXACT
    if one.look and other.look and distance(one.look, other.look) <= REPEATED_BITS:
        return Likeness.REPEATED
    return Likeness.NONE
