"""What a recording tells its node: the fields of every event, and the last one of a reel."""

from __future__ import annotations

from typing import Any

from recorder.feed import State
from recorder.manifest import through
from recorder.spool import MANIFEST, RecordingSpool

MAX_GAPS_TOLD = 200  # in the event; the manifest has them all


def event_of(spool: RecordingSpool, state: State, **more: Any) -> dict[str, Any]:
    """What every event says. `series` is the feed's name for the recording, which may have several reels;
    `next` is the reel that goes on from this one, None while there is none."""
    contents = spool.contents
    opened = contents.opened
    return {
        "recording": opened["recording"],
        "lesson": opened["lesson"],
        "state": state.value,
        "started_at_ms": contents.origin_ms or opened["started_at_ms"],
        "series": contents.series,
        "reel": contents.reel,
        "begins_ms": opened.get("begins_ms", 0),
        "begins_bytes": opened.get("begins_bytes", 0),
        "next": contents.next,
        "bytes": spool.media_bytes,
        "gaps_total": len(contents.gaps),
        **more,
    }


def final(spool: RecordingSpool, state: State, detail: str = "") -> dict[str, Any]:
    """The event of a sealed or failed reel."""
    contents = spool.contents
    sealed = contents.sealed or {}
    opened = contents.opened
    chain = spool.chain
    if contents.sealed is not None:  # versions may have been begun since
        chain = through((spool.folder / MANIFEST).read_bytes(), contents.sealed["n"])[1]
    return event_of(
        spool,
        state,
        duration_ms=sealed.get("duration_ms", 0),
        sha256=sealed.get("sha256"),
        size=sealed.get("size"),
        path=sealed.get("key"),
        manifest=manifest_key(opened["lesson"], opened["recording"]) if sealed else None,
        chain=chain,
        sealed_at_ms=sealed.get("sealed_at_ms"),
        retain_until_ms=opened["retain_until_ms"],
        gaps=contents.gaps[:MAX_GAPS_TOLD],
        detail=detail,
    )


def failure(recording: str, lesson: str, detail: str, series: str = "") -> dict[str, Any]:
    """The event of a recording that cannot even be looked into."""
    return {
        "recording": recording,
        "series": series or recording,
        "lesson": lesson,
        "state": State.FAILED.value,
        "detail": detail,
        "gaps": [],
        **dict.fromkeys(("sha256", "size", "path", "manifest", "sealed_at_ms")),
    }


def manifest_key(lesson: str, recording: str) -> str:
    """Where a recording's manifest lies in the store."""
    return f"{lesson}/{recording}.manifest.jsonl"
