"""A long recording is kept in reels: files of an hour at most, each sealed and stored while the next runs.

So the end of a lesson of any length has only its last reel to seal, and no file is larger than REQ-P5's 1 GB.
Nothing is lost in between: a reel ends at a whole millisecond, before a keyframe where there is one, and the
next begins there. Every picture and every sample of sound is in the one or the other.

The first reel has the recording's own name, the others that name and their number: `r1`, `r1-2`, `r1-3`.

How one reel ends and the next begins, so that a crash in between leaves nothing open:

    the next one's journal, its `opened`, `origin`, `continues`   (with the chain value `closed` will have)
    this one's `closed`

A next reel without `continues` never was. One with it closes the reel before, at the next start if need be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.feed import Message
from recorder.journal import Journal
from recorder.manifest import FORMAT, Contents
from recorder.spool import RecordingSpool, forget

CONTINUED = "continued"


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a reel ends, at the next keyframe: after so long, or with so much media."""

    length_ms: int = 60 * 60_000
    media_bytes: int = 750 * 1024 * 1024


def reel_name(series: str, number: int) -> str:
    """The folder and the recording's name of a reel."""
    return series if number == 1 else f"{series}-{number}"


def go_on(
    spool: RecordingSpool, at_ms: int, through: Mapping[str, int], left: Iterable[Message], now_ms: int
) -> tuple[RecordingSpool, Journal]:
    """End `spool`'s reel at `at_ms` (since 1970) and begin the next, which is returned with its journal.

    `through`: by track the number of the feed's last frame that is in this reel alone; `left`: the frames
    after it that came already. `now_ms` is monotonic. Raises OSError: then nothing has happened.
    """
    contents = spool.contents
    assert contents.origin_ms is not None
    name = reel_name(contents.series, contents.reel + 1)
    folder = spool.folder.parent / name
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
        spool.note("closed", **closing)
    except OSError:
        journal.close()
        following.close()
        forget(folder)
        raise
    return following, journal


def close_before(folder: Path, contents: Contents) -> None:
    """Close the reel before the one in `folder`, if a crash came between the two. Raises OSError."""
    assert contents.continues is not None
    before = folder.parent / contents.continues["recording"]
    if not before.is_dir():
        return
    spool = RecordingSpool(before)
    try:
        known = spool.contents
        if known.opened and known.closed is None and known.origin_ms is not None:
            length_ms = (contents.origin_ms or 0) - known.origin_ms
            spool.note("closed", reason=CONTINUED, next=folder.name, duration_ms=length_ms)
            Journal(before).clear()
    finally:
        spool.close()


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
