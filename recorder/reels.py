"""A long recording is kept in reels: files of an hour at most, each sealed and stored while the next runs.

So the end of a lesson of any length has only its last reel to seal, and no file is larger than REQ-P5's 1 GB.
Nothing is lost in between: a reel ends at a whole millisecond, before a keyframe where there is one, and the
next begins there. Every picture and every sample of sound is in the one or the other.

The first reel has the recording's own name, the others that name and their number: `r1`, `r1-2`, `r1-3`.

How one reel ends and the next begins, so that a crash in between leaves nothing open:

    the next one's journal, its `opened`, `origin`, `continues`   (with the chain value `closed` will have)
    this one's `closed`

A next reel without `continues` never was. One with it closes the reel before, at the next start if need be.

A reel also ends when its disk fails, and the next one begins on a spare disk. It then says what the failing
one could not take (`gap` with negative times), and the reel before is closed when its disk works again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.feed import Message
from recorder.journal import Journal
from recorder.manifest import FORMAT
from recorder.spool import RecordingSpool, forget, look

CONTINUED = "continued"


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a reel ends, at the next keyframe: after so long, or with so much media."""

    length_ms: int = 60 * 60_000
    media_bytes: int = 750 * 1024 * 1024


def reel_name(series: str, number: int) -> str:
    """The folder and the recording's name of a reel."""
    return series if number == 1 else f"{series}-{number}"


@dataclass(frozen=True, slots=True)
class Next:
    """The reel that has begun, and whether the one before could be closed."""

    spool: RecordingSpool
    journal: Journal
    is_closed: bool = True


def go_on(
    spool: RecordingSpool,
    at_ms: int,
    through: Mapping[str, int],
    left: Iterable[Message],
    now_ms: int,
    root: Path | None = None,
) -> Next:
    """End `spool`'s reel at `at_ms` (since 1970) and begin the next one, below `root` where its disk fails.

    `through`: by track the number of the feed's last frame that is in this reel alone; `left`: the frames
    after it that came already. `now_ms` is monotonic. Raises OSError: then nothing has happened.
    """
    contents = spool.contents
    assert contents.origin_ms is not None
    name = reel_name(contents.series, contents.reel + 1)
    folder = (root or spool.folder.parent) / name
    forget(folder)
    length_ms = at_ms - contents.origin_ms
    closing = {"reason": CONTINUED, "next": name, "duration_ms": length_ms}
    chain = spool.chain_after("closed", **closing)
    following = RecordingSpool(folder)
    journal = Journal(folder)
    try:
        journal.add(left, now_ms)
        journal.sync(now_ms)
        following.note("opened", **_opening(spool, name, at_ms, length_ms, through))
        following.note("origin", origin_ms=at_ms)
        before = contents.opened["recording"]
        following.note("continues", recording=before, line=spool.lines, from_chain=chain)
        if root is None:
            spool.note("closed", **closing)
            return Next(following, journal)
    except OSError:
        forget(folder)
        raise
    return Next(following, journal, is_closed=False)


def close_before(folder: Path, before: Path) -> bool:
    """Close the reel in `before`, which the one in `folder` went on from, unless it is; False when that was
    no reel that could go on. Raises OSError: its disk fails still."""
    contents = look(folder)
    spool = RecordingSpool(before)
    known = spool.contents
    if not known.opened or known.origin_ms is None:
        return False
    if known.closed is None:
        length_ms = (contents.origin_ms or 0) - known.origin_ms
        spool.note("closed", reason=CONTINUED, next=folder.name, duration_ms=length_ms)
        Journal(before).clear()
    return True


def _opening(
    spool: RecordingSpool, name: str, at_ms: int, length_ms: int, through: Mapping[str, int]
) -> dict[str, Any]:
    contents = spool.contents
    opened = contents.opened
    return {
        "format": FORMAT,
        "recording": name,
        "lesson": opened["lesson"],
        "title": opened["title"],
        "started_at_ms": at_ms,
        "feed": contents.feed,
        "retain_until_ms": opened["retain_until_ms"],
        "series": contents.series,
        "reel": contents.reel + 1,
        "begins_ms": opened.get("begins_ms", 0) + length_ms,
        "begins_bytes": opened.get("begins_bytes", 0) + spool.media_bytes,
        "through": dict(through),
    }
