"""From a finished spool folder to a sealed recording: every step can be cut short and simply runs again.

1. check each fragment's hash (one that lost it is left out, named as a gap);  2. store VP8 originals and make
their H.264 version;  3. lay out and write the MP4;  4. put it into the store;  5. note `sealed`;  6. put the
manifest;  7. keep the final event, drop the media. The same fragments give the same bytes, so running again
after a crash between 4 and 5 meets its own object.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from recorder import mp4
from recorder.child import StoppedError
from recorder.derive import Slots, derive
from recorder.events import final, manifest_key
from recorder.feed import State
from recorder.manifest import Fragment, through
from recorder.movie import movie_tracks
from recorder.objects import ObjectStore
from recorder.spool import MANIFEST, SEALED, Reader, RecordingSpool

_COPY_BYTES = 1024 * 1024
_AHEAD = 16  # fragments written but not hashed yet
_SEALED_MANIFEST = "manifest.part"


def seal(
    spool: RecordingSpool,
    store: ObjectStore,
    now_ms: Callable[[], int],
    progress: Callable[[int], None],
    slots: Slots,
    stop: threading.Event,
) -> dict[str, Any]:
    """Do what is left to do; the final event. Raises OSError (try again), ObjectError, StoppedError."""
    contents = spool.contents
    opened = contents.opened
    if contents.sealed is None:
        good = _undamaged(spool, stop)
        derive(spool, store, good, progress, slots, stop)
        tracks = movie_tracks(spool, good)
        if not tracks:
            return final(spool, State.FAILED, detail="no_media")
        layout = mp4.lay_out(tracks, opened["started_at_ms"])
        path = spool.folder / SEALED
        with slots.writing if contents.next is None else slots.background:
            digest = write_file(spool.folder, path, layout, stop)
        key = f"{opened['lesson']}/{opened['recording']}.mp4"
        store.put(key, path, opened["retain_until_ms"])
        placed = [[c.key.n, offset] for _, c, offset in layout.placed if isinstance(c.key, Fragment)]
        spool.note(
            "sealed",
            key=key,
            sha256=digest,
            size=layout.size,
            head_size=len(layout.head),
            head_sha256=hashlib.sha256(layout.head).hexdigest(),
            duration_ms=layout.duration_ms,
            sealed_at_ms=now_ms(),
            placed=sorted(placed),
        )
    assert contents.sealed is not None
    copy = spool.folder / _SEALED_MANIFEST
    copy.unlink(missing_ok=True)
    copy.write_bytes(through((spool.folder / MANIFEST).read_bytes(), contents.sealed["n"])[0])
    store.put(manifest_key(opened["lesson"], opened["recording"]), copy, opened["retain_until_ms"])
    return final(spool, State.SEALED)


def _undamaged(spool: RecordingSpool, stop: threading.Event) -> list[Fragment]:
    """Fragments that still have their hash; others are noted as gaps."""
    good: list[Fragment] = []
    known = {(g["track"], g["from_ms"]) for g in spool.contents.gaps if g["reason"] == "damaged"}
    with Reader(spool.folder) as reader:
        for fragment in spool.contents.fragments:
            if stop.is_set():
                raise StoppedError
            data = memoryview(
                reader.read(fragment.file, fragment.offset, fragment.head_size + fragment.media_size)
            )
            head, media = data[: fragment.head_size], data[fragment.head_size :]
            hashes = (hashlib.sha256(head).hexdigest(), hashlib.sha256(media).hexdigest())
            if hashes == (fragment.head_sha256, fragment.media_sha256):
                good.append(fragment)
            elif (fragment.track, fragment.start_ms) not in known:
                spool.note(
                    "gap",
                    track=fragment.track,
                    from_ms=fragment.start_ms,
                    to_ms=fragment.start_ms + fragment.duration_ms,
                    reason="damaged",
                )
    return good


def write_file(folder: Path, path: Path, layout: mp4.Layout, stop: threading.Event) -> str:
    """Write the MP4 durably; returns its SHA-256."""
    digest = hashlib.sha256(layout.head)
    path.unlink(missing_ok=True)
    # Hashing takes as long as writing and lets other threads run: they go side by side.
    with (
        Reader(folder) as reader,
        path.open("wb", buffering=_COPY_BYTES) as target,
        ThreadPoolExecutor(1) as hasher,
    ):
        behind: deque[Future[None]] = deque()
        target.write(layout.head)
        for _, chunk, _ in layout.placed:
            if stop.is_set():
                raise StoppedError
            media = _media(reader, chunk.key)
            behind.append(hasher.submit(digest.update, media))
            target.write(media)
            if len(behind) > _AHEAD:
                behind.popleft().result()
        for update in behind:
            update.result()
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _media(reader: Reader, fragment: object) -> bytes:
    """A fragment's media bytes, or those put between fragments."""
    if isinstance(fragment, bytes):
        return fragment
    assert isinstance(fragment, Fragment)
    return reader.read(fragment.file, fragment.offset + fragment.head_size, fragment.media_size)
