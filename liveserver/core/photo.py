"""A photo that arrives in pieces behind its announcement, and what the models' words about it mean. Pure."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from liveserver.core.errors import PeerError
from liveserver.core.messages import PhotoHead

MAX_PIECE_BYTES = 16_384
BLURRED = 0.9
"""Sharpness from which on nobody could say whose face it is (`models.face_measures`)."""
TURNED_DEGREES = 40.0


@dataclass(slots=True)
class Assembly:
    """At most one photo at a time, of at most `messages.MAX_PHOTO_BYTES`."""

    _head: PhotoHead | None = None
    _data: bytearray = field(default_factory=bytearray)

    @property
    def expects(self) -> bool:
        """Whether pieces are to come."""
        return self._head is not None

    def begin(self, head: PhotoHead) -> None:
        """A photo is announced; what there was of an earlier one is forgotten."""
        self._head, self._data = head, bytearray()

    def add(self, piece: bytes) -> tuple[PhotoHead, bytes] | None:
        """One piece; the whole photo with its last one.

        Raises PeerError bad_message: nothing was announced, a piece is too large, or the whole is another.
        """
        head = self._head
        if head is None:
            raise PeerError("bad_message", "nothing announced a binary message")
        if not 0 < len(piece) <= MAX_PIECE_BYTES or len(self._data) + len(piece) > head.size:
            self._head = None
            raise PeerError(
                "bad_message", f"pieces have 1 to {MAX_PIECE_BYTES} bytes, together what was said"
            )
        self._data += piece
        if len(self._data) < head.size:
            return None
        self._head, whole = None, bytes(self._data)
        self._data = bytearray()
        if not hmac.compare_digest(hashlib.sha256(whole).hexdigest(), head.sha256):
            raise PeerError("bad_message", "the photo is not the one that was announced")
        return head, whole


@dataclass(frozen=True, slots=True)
class Looked:
    """What was measured. `distance`: to the enrolled face, if any; `repeats`: the photo came before."""

    faces: int
    blur: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    distance: float | None = None
    repeats: bool = False


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
