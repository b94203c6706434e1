"""What is done with one file: decoded, looked at by the models. Loaded before the process is confined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from liveserver.stills.wire import LOOK_BYTES, MAX_LINES, Faces, FaceSeen, Refused, Seen, Text
from models import jpeg, png
from models.duplicates import fingerprint
from models.face_match import FaceMatcher, to_bytes
from models.face_measures import blur, chip, pose
from models.faces import Face, FaceFinder
from models.frames import FrameModels
from models.limits import FILE, PHOTO, Limits, PictureError
from models.resize import Pixels, Planes
from models.text import TextReader

Look = Callable[[bytes], Seen | Faces | Refused]
_MAX_LETTERS = 1000  # of a line


def looking(what: str, folder: Path | None) -> tuple[Look, dict[str, str]]:
    """(what looks at a file, its models by name and SHA-256). Raises `ModelError`.

    `what`: "picture" and "face" take JPEG and PNG of an operator, "photo" a learner's JPEG alone.
    """
    if what == "picture":
        pictures = Pictures(folder)
        return _refusing(pictures.look), pictures.hashes
    portraits = Portraits(PHOTO if what == "photo" else FILE, is_photo=what == "photo")
    return _refusing(portraits.look), portraits.hashes


def _refusing(look: Callable[[bytes], Seen | Faces]) -> Look:
    def looked(data: bytes) -> Seen | Faces | Refused:
        try:
            return look(data)
        except PictureError as error:
            return Refused(str(error))

    return looked


class Pictures:
    """Scores of the picture as a whole, and its text."""

    def __init__(self, folder: Path | None) -> None:
        self._frames, self._reader = FrameModels.load(folder), TextReader.load()
        self.hashes = {**self._frames.hashes, **self._reader.hashes}

    def look(self, data: bytes) -> Seen:
        rgb = decoded(data, FILE)
        lines = [Text(line.text[:_MAX_LETTERS], line.box, line.score) for line in self._reader.read(rgb)]
        return Seen(self._frames.score(rgb), tuple(lines[:MAX_LINES]))


class Portraits:
    """The faces of a photo, and what is kept of it."""

    def __init__(self, limits: Limits, *, is_photo: bool) -> None:
        self._limits, self._is_photo = limits, is_photo
        self._finder, self._matcher = FaceFinder.load(), FaceMatcher.load()
        self.hashes = {**self._finder.hashes, **self._matcher.hashes}
        blank = np.full((64, 64, 3), 127, dtype=np.uint8)
        self._faces(
            blank, [Face((0, 0, 64, 64), 1.0, 16 * np.array([[1, 1], [3, 1], [2, 2], [1, 3], [3, 3.0]]))]
        )

    def look(self, data: bytes) -> Faces:
        rgb = jpeg.decode(data, self._limits) if self._is_photo else decoded(data, self._limits)
        faces, descriptor = self._faces(rgb, self._finder.find(rgb))
        look = fingerprint(data, rgb).look.to_bytes(LOOK_BYTES, "big")
        return Faces(faces, descriptor, look, jpeg.encode(rgb))

    def _faces(self, rgb: Pixels, found: list[Face]) -> tuple[tuple[FaceSeen, ...], bytes]:
        """Each face, and the descriptor of the first."""
        chips = [chip(rgb, face) for face in found]
        descriptor = to_bytes(self._matcher.descriptor(chips[0])) if chips else b""
        return tuple(_seen(face, upright) for face, upright in zip(found, chips, strict=True)), descriptor


def decoded(data: bytes, limits: Limits) -> Pixels:
    """A JPEG or PNG, told by its first bytes. Raises `PictureError`."""
    if data.startswith(png.SIGNATURE):
        return png.decode(data, limits)
    if data.startswith(b"\xff\xd8"):
        return jpeg.decode(data, limits)
    raise PictureError("neither JPEG nor PNG")


def _seen(face: Face, upright: Planes) -> FaceSeen:
    left, top, right, bottom = (max(0, round(edge)) for edge in face.box)
    turned = pose(face.points)
    measured = blur(upright), turned.yaw, turned.pitch, turned.roll
    return FaceSeen((left, top, right, bottom), min(1.0, face.score), *measured)
