"""A photo that arrives in pieces behind its announcement, and what the models' words about it mean. Pure."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from liveserver.core.errors import PeerError
from liveserver.core.messages import PhotoHead

MAX_PIECE_BYTES = 16_384
BLURRED = 0.9
"""Sharpness from which on nobody could say whose face it is (`models.face_measures`)."""
TURNED_DEGREES = 40.0
CLEARLY_DEGREES, HARDLY_DEGREES = 12.0, 4.0
"""Of a head that was to turn."""


@dataclass(slots=True)
class Assembly:
    """At most one photo at a time, or two of one check, each of at most `messages.MAX_PHOTO_BYTES`."""

    _head: PhotoHead | None = None
    _data: bytearray = field(default_factory=bytearray)

    @property
    def expects(self) -> bool:
        """Whether pieces are to come."""
        return self._head is not None

    def begin(self, head: PhotoHead) -> None:
        """A photo is announced; what there was of an earlier one is forgotten."""
        self._head, self._data = head, bytearray()

    def add(self, piece: bytes) -> tuple[PhotoHead, bytes, bytes] | None:
        """One piece; with the last one the whole photo and the one of the turned head, or nothing of it.

        Raises PeerError bad_message: nothing was announced, a piece is too large, or the whole is another.
        """
        head = self._head
        if head is None:
            raise PeerError("bad_message", "nothing announced a binary message")
        if not 0 < len(piece) <= MAX_PIECE_BYTES or len(self._data) + len(piece) > head.total:
            self._head = None
            raise PeerError(
                "bad_message", f"pieces have 1 to {MAX_PIECE_BYTES} bytes, together what was said"
            )
        self._data += piece
        if len(self._data) < head.total:
            return None
        self._head, whole = None, bytes(self._data)
        self._data = bytearray()
        photo, turned = whole[: head.size], whole[head.size :]
        announced = [(photo, head.sha256)]
        if head.turned is not None:
            announced.append((turned, head.turned.sha256))
        for data, sha256 in announced:
            if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), sha256):
                raise PeerError("bad_message", "the photo is not the one that was announced")
        return head, photo, turned


@dataclass(frozen=True, slots=True)
class Looked:
    """What was measured. `distance`: to the enrolled face, if any; `repeats`: the photo came before."""

    faces: int
    blur: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    distance: float | None = None
    repeats: bool = False


class Turn(StrEnum):
    """Which way a learner is asked to turn his head: his own left or right."""

    LEFT = "left"
    RIGHT = "right"


class Alive(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Liveness:
    """Advice for a person who has to decide; it decides nothing. `yaw`: of the head before and after, in
    degrees to its own left; `distance`: between the two faces, in hundredths. None: not measured."""

    alive: Alive
    why: str
    asked: Turn
    yaw: tuple[int, int] | None = None
    distance: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "alive": str(self.alive),
            "why": self.why,
            "asked": str(self.asked),
            "yaw": None if self.yaw is None else list(self.yaw),
            "distance": self.distance,
        }


def not_measured(asked: Turn, why: str = "not_measured") -> Liveness:
    """One photo alone, or nobody could look at the two: as good as any."""
    return Liveness(Alive.UNKNOWN, why, asked)


def liveness(straight: Looked, turned: Looked, distance: float, same_below: float, asked: Turn) -> Liveness:
    """Whether the head turned as it was asked to, and is one person's.

    A picture held before the camera does not know which way to turn. Pose is right within about 10 degrees
    (`models.face_measures`), so between hardly and clearly nothing is said; a recording of somebody who
    turns to both sides, or a face made by a machine, is not told from a person.
    """
    if straight.faces != 1 or turned.faces != 1:
        return not_measured(asked, "no_single_face")
    seen = round(straight.yaw), round(turned.yaw)
    moved = turned.yaw - straight.yaw if asked is Turn.LEFT else straight.yaw - turned.yaw
    if distance >= same_below:
        alive, why = Alive.NO, "another_face"
    elif moved >= CLEARLY_DEGREES:
        alive, why = Alive.YES, ""
    elif moved <= -CLEARLY_DEGREES:
        alive, why = Alive.NO, "other_way"
    elif abs(moved) < HARDLY_DEGREES:
        alive, why = Alive.NO, "not_turned"
    else:
        alive, why = Alive.UNKNOWN, "little_turned"
    return Liveness(alive, why, asked, seen, round(100 * distance))


def judge(looked: Looked, same_below: float) -> tuple[bool | None, str]:
    """Passed, or False: take another; or None: a person must look. And why, as a stable word.

    What a learner can mend at once (no face, blurred, turned away) he takes again; what may be a deceit, or
    the models' own mistake, no model decides.
    """
    if looked.faces == 0:
        return False, "no_face"
    if looked.faces > 1:
        return None, "several_faces"
    if looked.repeats:
        return None, "repeated"
    if looked.blur >= BLURRED:
        return False, "blurred"
    if abs(looked.yaw) > TURNED_DEGREES or abs(looked.pitch) > TURNED_DEGREES:
        return False, "turned_away"
    if looked.distance is not None and looked.distance >= same_below:
        return None, "not_alike"
    return True, "" if looked.distance is not None else "not_enrolled"
