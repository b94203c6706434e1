"""`liveserver screen frame` and `screen face`: what screening says of pictures, as the server would decide.

Pictures are JPEG or PNG and are decoded in a confined process. Exit codes: 0 done; 1 a file or a model cannot
be used (each file still has its line); 2 misuse.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from liveserver.core.policies import DEFAULT
from liveserver.core.screening import Action, Decision, Kind
from liveserver.core.screening import Line as TextLine
from models.errors import ModelError
from models.limits import FILE, PictureError

if TYPE_CHECKING:
    from liveserver.screening.looker import Looker, What
    from liveserver.stills.wire import Faces, FaceSeen, Seen
    from models.chat.screen import ChatScreen

T = TypeVar("T")
Line = dict[str, Any]
Box = tuple[int, int, int, int]
Job = Callable[["Looker"], Awaitable[Line]]


class _BadFileError(Exception):
    """One file cannot be used."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(why)
        self.file = file


def add_commands(kinds: Any, printed: Callable[[Line], None]) -> None:
    """Put `frame` and `face` under the kinds of `screen`; `printed` writes a line of JSON."""
    frame = kinds.add_parser(
        "frame", help="pictures, and the text in them", description=_frame.__doc__, allow_abbrev=False
    )
    frame.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JPEG or PNG")
    frame.add_argument("--models", type=Path, metavar="FOLDER", help="further models of your own, by card")
    frame.set_defaults(command=lambda given: _frame(given, printed))
    face = kinds.add_parser("face", help="who is on photos", description=_face.__doc__, allow_abbrev=False)
    face.add_argument("files", nargs="*", type=Path, metavar="FILE", help="JPEG or PNG")
    face.add_argument("--match", nargs=2, type=Path, metavar=("A", "B"), help="are these one person?")
    face.set_defaults(command=lambda given: _face(given, printed, face))


def _frame(given: argparse.Namespace, printed: Callable[[Line], None]) -> int:
    """Print a JSON line for each file: its label with a score, the action that the default policy takes, and
    the lines of text in the picture with their boxes (left, top, right, bottom in pixels) and labels."""
    from models.chat.screen import ChatScreen  # loading it takes a moment

    try:
        words = ChatScreen.load()
    except ModelError as error:
        return _unusable(error)

    def job(file: Path) -> Job:
        async def look(looker: Looker) -> Line:
            seen = await _looked(file, looker.picture)
            return {"file": str(file), **judged(seen, words)}

        return look

    return _run("picture", given.models, [job(file) for file in given.files], printed)


def _face(given: argparse.Namespace, printed: Callable[[Line], None], parser: argparse.ArgumentParser) -> int:
    """Print a JSON line for each file: its faces, the largest first, with their boxes (left, top, right,
    bottom in pixels), scores, blur (0 to 1) and pose (degrees). With --match: how far apart the largest faces
    of two files are, and whether that counts as one person. Whether a photo shows a person or only a picture
    of one (liveness) is not judged: no model for that is part of this."""
    if bool(given.files) == bool(given.match):
        parser.error("either files or --match A B are expected")

    def job(file: Path) -> Job:
        async def look(looker: Looker) -> Line:
            found = await _looked(file, looker.faces)
            return {"file": str(file), "faces": [_portrait(face) for face in found.faces]}

        return look

    async def match(looker: Looker) -> Line:
        found = [await _looked(file, looker.faces) for file in given.match]
        for file, faces in zip(given.match, found, strict=True):
            if not faces.faces:
                raise _BadFileError(file, "no face in it")
        return compared(*found)

    return _run("face", None, [match] if given.match else [job(file) for file in given.files], printed)


def judged(seen: Seen, words: ChatScreen) -> Line:
    """What the default policy says of a picture and of its lines, alone and with their neighbours; the
    strongest action names the label."""
    from liveserver.screen import lines

    decided = DEFAULT.decide(Kind.FRAME, seen.scores)
    alone = [lines.judged([TextLine(read.line, read.box)], words.screen(read.line)) for read in seen.lines]
    marked = lines.together([line for one in alone for line in one.lines], words)
    said: dict[Box, Decision] = {}
    for one in (*alone, *marked):
        decision = DEFAULT.decide(Kind.TEXT, one.words.scores)
        decided = max(decided, decision, key=_weight)
        for line in one.lines:
            said[line.box] = max(said.get(line.box, decision), decision, key=_weight)
    text = [
        {"line": read.line, "box": list(read.box), "label": said[read.box].category} for read in seen.lines
    ]
    benign = 1 - max(seen.scores.values(), default=0.0)
    score = benign if decided.action is Action.ALLOW else decided.score
    return {"label": decided.category, "score": round(score, 4), "action": decided.action, "text": text}


def compared(one: Faces, other: Faces) -> Line:
    """How far apart the largest faces of two photos are; both have one."""
    from models.face_match import distance, from_bytes, thresholds

    apart = distance(from_bytes(one.descriptor), from_bytes(other.descriptor))
    return {"distance": round(apart, 4), "same": apart < thresholds().same}


def _weight(decision: Decision) -> tuple[int, float]:
    return decision.action.rank, decision.score


def _portrait(face: FaceSeen) -> Line:
    pose = {"yaw": round(face.yaw, 1), "pitch": round(face.pitch, 1), "roll": round(face.roll, 1)}
    return {"box": list(face.box), "score": round(face.score, 4), "blur": round(face.blur, 4), "pose": pose}


async def _looked(file: Path, look: Callable[[bytes], Awaitable[T]]) -> T:
    """Raises `_BadFileError`."""
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE.bytes + 1)
        return await look(data)
    except PictureError as error:
        raise _BadFileError(file, str(error)) from error
    except OSError as error:
        raise _BadFileError(file, error.strerror or "cannot be read") from error


def _run(what: What, folder: Path | None, jobs: Sequence[Job], printed: Callable[[Line], None]) -> int:
    """One line for each job; the exit code."""
    from liveserver.screening.looker import Looker, LookerError

    async def work() -> int:
        looker, failed = Looker(what, folder), 0
        try:
            for job in jobs:
                try:
                    printed(await job(looker))
                except _BadFileError as error:
                    failed = 1
                    printed({"file": str(error.file), "error": str(error)})
        except LookerError as error:
            return _unusable(error)
        finally:
            await looker.close()
        return failed

    return asyncio.run(work())


def _unusable(error: Exception) -> int:
    sys.stderr.write(f"liveserver: {error}\n")
    return 1
