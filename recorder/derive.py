"""VP8 parts of a finished recording: the original is stored as it is, its H.264 version is made once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from recorder.child import run
from recorder.feed import Codec
from recorder.formats import VIDEO_TIMESCALE, fragment_fields
from recorder.manifest import Fragment
from recorder.objects import ObjectStore
from recorder.spool import RecordingSpool
from recorder.transcode import NOTHING

TRIES = 2  # a hostile stream can crash the decoder; then its pictures are given up, not the lesson

_log = structlog.get_logger("recorder.derive")


@dataclass(frozen=True, slots=True)
class Slots:
    """How many recordings may be written, transcoded, written while their lesson goes on, and rendered for
    later, at once."""

    writing: threading.Semaphore
    transcoding: threading.Semaphore
    background: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))
    rendering: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))


def derive(
    spool: RecordingSpool,
    store: ObjectStore,
    good: list[Fragment],
    progress: Callable[[int], None],
    slots: Slots,
    stop: threading.Event,
) -> None:
    """Store every VP8 file of `good` fragments and append its H.264 version to the manifest.

    `progress` gets per cent. Raises OSError, ObjectError, StoppedError.
    """
    contents = spool.contents
    for file in sorted({f.file for f in good if f.codec == Codec.VP8}):
        fragments = [f for f in contents.fragments if f.file == file]
        if file not in contents.originals:
            _store_original(spool, store, file)
        if file in contents.transcoded:
            continue
        for attempt in range(1, TRIES + 1):
            target = spool.folder / f"{Path(file).stem}.h264.part"
            with slots.transcoding:
                lines, code = _transcode(spool.folder / file, target, fragments[-1].end, progress, stop)
            if code == 0:
                _append(spool, target, file, fragments[0].track, lines)
                break
            _log.error("recorder.transcode_failed", file=file, code=code, attempt=attempt)
            if code == NOTHING or attempt == TRIES:
                _give_up(spool, file, fragments)
                break


def _store_original(spool: RecordingSpool, store: ObjectStore, file: str) -> None:
    opened = spool.contents.opened
    path = spool.folder / file
    key = f"{opened['lesson']}/{opened['recording']}.{file}"
    with path.open("rb") as media:
        digest = hashlib.file_digest(media, "sha256").hexdigest()
    stat = store.put(key, path, opened["retain_until_ms"])
    spool.note("original", file=file, key=key, sha256=digest, size=stat.size)


def _transcode(
    source: Path, target: Path, end: int, progress: Callable[[int], None], stop: threading.Event
) -> tuple[list[dict[str, Any]], int]:
    """Run the transcoder; its lines and exit code."""
    lines: list[dict[str, Any]] = []

    def take(line: dict[str, Any]) -> None:
        lines.append(line)
        if line["type"] == "fragment" and end:
            progress(min(99, line["end"] * 100 // end))

    return lines, run(["recorder.transcode", str(source), str(target)], "", take, stop)


def _append(spool: RecordingSpool, part: Path, source: str, track: str, lines: list[dict[str, Any]]) -> None:
    """Take the transcoder's fragments into the spool.

    Lines cannot be taken back: what a crash or a full disk left half done stays in the manifest, the next
    try goes into another file, and only the `transcoded` line says which one counts.
    """
    tries = len({f.file for f in spool.contents.derived if f.origin == source})
    file = f"{Path(source).stem}.h264.{tries + 1}.mp4"
    config = 0
    with part.open("rb") as media:
        for line in lines:
            if line["type"] == "config":
                config = len(spool.contents.configs.get(file, [])) + 1
                spool.note(
                    "config",
                    file=file,
                    config=config,
                    codec=Codec.H264.value,
                    **{name: line[name] for name in ("width", "height", "avcc")},
                )
                continue
            media.seek(line["offset"])
            head, data = media.read(line["head_size"]), media.read(line["media_size"])
            spool.append(
                file,
                head,
                data,
                kind="derived",
                config=config,
                samples=line["samples"],
                independent=True,
                through=0,
                **fragment_fields(track, Codec.H264, line["start"], line["end"], VIDEO_TIMESCALE),
                **{"from": source},
            )
    spool.note("transcoded", file=file, **{"from": source})
    part.unlink()


def _give_up(spool: RecordingSpool, source: str, fragments: list[Fragment]) -> None:
    last = fragments[-1]
    spool.note(
        "gap",
        track=last.track,
        from_ms=fragments[0].start_ms,
        to_ms=last.start_ms + last.duration_ms,
        reason="undecodable",
    )
    spool.note("transcoded", file=None, **{"from": source})
