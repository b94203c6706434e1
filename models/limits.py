"""How large a file of a picture may be, before a decoder sees it."""

from __future__ import annotations

from dataclasses import dataclass


class PictureError(Exception):
    """These bytes are no picture that is taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of the file, pixels of the picture."""

    bytes: int
    pixels: int


PHOTO = Limits(1_000_000, 4_000_000)
"""What a learner's device sends (REL-G33)."""
FILE = Limits(20_000_000, 4096 * 4096)
"""What an operator looks at."""
