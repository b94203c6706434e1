"""What is made of a sealed recording afterwards: chapters, thumbnails, versions in a fixed format, captions.

1. look for silences and changes of slide;  2. plan chapters, store their list;  3. render each chapter, once
for all versions;  4. have captions written, where a program for it is configured;  5. store the manifest
whole. Each step is noted in the manifest's chain when its object is
stored, so a start after a crash goes on with the next; rendering twice gives the same bytes. All of it runs
after the recording is sealed, one at a time, at the lowest priority, and cannot harm the sealed file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from recorder import captions
from recorder.chapters import GRID_MS, Bounds, Chapter, Hints, plan, webvtt
from recorder.child import StoppedError, run
from recorder.derive import Slots
from recorder.feed import Track
from recorder.objects import ObjectStore
from recorder.parts import write_part
from recorder.render import Job, Target
from recorder.spool import MANIFEST, SEALED, RecordingSpool

PROFILES = {"web": (1280, 720, 1_200_000), "archive": (1280, 720, 4_500_000)}
"""Width, height, video bit rate: above the least rates of REQ-P2, so that a measured mean is too."""
PARTS = "parts"  # chapters with the media bytes unchanged (recorder.parts)
NAMES = (*PROFILES, PARTS)
TRIES = 2
_POLL_S = 0.2
_COPY_BYTES = 1024 * 1024

_log = structlog.get_logger("recorder.versions")


@dataclass(frozen=True, slots=True)
class Policy:
    """Which of `NAMES` are made.

    `speech_model`: a path for `recorder.speech`, "" for loudness. `captions`: a program for
    `recorder.captions`, "" for none.
    """

    versions: tuple[str, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)
    speech_model: str = ""
    captions: str = ""

    @property
    def wants(self) -> bool:
        """Whether anything is made after the seal."""
        return bool(self.versions or self.captions)


def make_versions(
    spool: RecordingSpool, store: ObjectStore, policy: Policy, slots: Slots, stop: threading.Event
) -> None:
    """Do what is left to do. Raises OSError, ObjectError (try again), StoppedError."""
    contents = spool.contents
    assert contents.sealed is not None
    maker = _Maker(spool, store, stop)
    if not contents.versions_done:
        with _turn(slots.rendering, stop):
            maker.fetch_source()
            for number, chapter in enumerate(maker.chapters(policy), 1):
                maker.cut(number, chapter, policy)
                maker.render(number, chapter, policy)
            maker.captions(policy)
            spool.note("versions_done")
    maker.put_manifest()


class _Maker:
    """One recording's versions. Owned by the recording's thread."""

    def __init__(self, spool: RecordingSpool, store: ObjectStore, stop: threading.Event) -> None:
        self._spool = spool
        self._store = store
        self._stop = stop
        self._opened = spool.contents.opened
        sealed = spool.contents.sealed
        assert sealed is not None
        self._sealed = sealed
        self._source = spool.folder / SEALED
        self._tracks = _video_tracks(spool)

    def fetch_source(self) -> None:
        """The sealed file, from the store if the spool has lost it. Raises OSError, ObjectError."""
        if self._source.exists() and _sha256(self._source) == self._sealed["sha256"]:
            return
        self._source.unlink(missing_ok=True)
        with self._store.open_range(self._sealed["key"]) as stored, self._source.open("wb") as copy:
            shutil.copyfileobj(stored, copy, _COPY_BYTES)
        if _sha256(self._source) != self._sealed["sha256"]:
            raise OSError("the sealed file in the store is not the one that was sealed")

    def chapters(self, policy: Policy) -> list[Chapter]:
        """The noted chapters, or new ones."""
        known = self._spool.contents.chapters
        if known is not None:
            return [Chapter(*row) for row in known["chapters"]]
        duration_ms = max(GRID_MS, self._sealed["duration_ms"] // GRID_MS * GRID_MS)
        chapters = plan(duration_ms, self._hints(policy), policy.bounds)
        path = self._spool.folder / "chapters.part"
        path.unlink(missing_ok=True)
        path.write_text(webvtt(chapters), encoding="utf-8")
        rows = [[c.from_ms, c.to_ms, c.reason] for c in chapters]
        self._put("chapters.vtt", path, "chapters", chapters=rows)
        return chapters

    def cut(self, number: int, chapter: Chapter, policy: Policy) -> None:
        """Chapter `number` with its media as it was recorded."""
        made = [line["chapter"] for line in self._spool.contents.versions if line["version"] == PARTS]
        if PARTS not in policy.versions or number in made:
            return
        path = self._part(PARTS)
        path.unlink(missing_ok=True)
        try:
            line = write_part(self._spool, chapter, path, self._stop)
        except FileNotFoundError:
            line, reason = None, "the fragments were not kept"  # sealed when parts were not asked for
        else:
            reason = "nothing was recorded in it"
        if line is None:
            self._spool.note("version_failed", version=PARTS, chapter=number, reason=reason)
        else:
            self._put_version(PARTS, number, chapter, line)

    def render(self, number: int, chapter: Chapter, policy: Policy) -> None:
        """Make and store what chapter `number` lacks."""
        made = {(line["version"], line["chapter"]) for line in self._spool.contents.versions}
        missing = [v for v in policy.versions if v in PROFILES and (v, number) not in made]
        if not missing:
            return
        thumbnail = None
        if number not in self._spool.contents.thumbnails:
            thumbnail = self._spool.folder / "thumbnail.part"
        for attempt in range(1, TRIES + 1):
            files: dict[str, dict[str, Any]] = {}
            code = self._run(chapter, missing, thumbnail, files)
            if code == 0 and set(files) == set(missing):
                break
            _log.error("recorder.render_failed", chapter=number, code=code, attempt=attempt)
        else:
            for version in missing:
                self._spool.note("version_failed", version=version, chapter=number, reason=f"exit {code}")
            return
        if thumbnail is not None and thumbnail.exists():
            self._put(f"chapter.{number:02}.jpg", thumbnail, "thumbnail", chapter=number)
        for version, line in files.items():
            self._put_version(version, number, chapter, line)

    def captions(self, policy: Policy) -> None:
        """Have them written, once: a program that fails has failed, and the next recording asks it again."""
        if not policy.captions or self._spool.contents.captions is not None:
            return
        program = Path(policy.captions).name
        try:
            said = captions.recognised(policy.captions, self._source, self._stop)
            cues = captions.parse(said, self._sealed["duration_ms"])
        except (OSError, ValueError) as error:
            _log.error("recorder.captions_failed", program=program, reason=str(error))
            self._spool.note("captions_failed", program=program, reason=str(error))
            return
        path = self._spool.folder / "captions.part"
        path.unlink(missing_ok=True)
        path.write_text(captions.webvtt(cues), encoding="utf-8")
        self._put("captions.vtt", path, "captions", program=program, cues=len(cues))

    def put_manifest(self) -> None:
        """Store the whole manifest once more, under another name."""
        copy = self._spool.folder / "versions.part"
        copy.unlink(missing_ok=True)
        copy.write_bytes((self._spool.folder / MANIFEST).read_bytes())
        self._store.put(self._key("versions.jsonl"), copy, self._opened["retain_until_ms"])

    def _put_version(self, version: str, number: int, chapter: Chapter, line: dict[str, Any]) -> None:
        self._put(
            f"{version}.{number:02}.mp4",
            self._part(version),
            "version",
            version=version,
            chapter=number,
            from_ms=chapter.from_ms,
            to_ms=chapter.to_ms,
            source=self._sealed["key"],
            source_sha256=self._sealed["sha256"],
            **{name: line[name] for name in _TOLD},
        )

    def _run(
        self, chapter: Chapter, missing: list[str], thumbnail: Path | None, files: dict[str, dict[str, Any]]
    ) -> int:
        for path in (*map(self._part, missing), *filter(None, [thumbnail])):
            path.unlink(missing_ok=True)
        job = Job(
            source=str(self._source),
            tracks=self._tracks,
            from_ms=chapter.from_ms,
            to_ms=chapter.to_ms,
            created_ms=self._opened["started_at_ms"],
            targets=tuple(Target(v, *PROFILES[v], str(self._part(v))) for v in missing),
            parent=os.getpid(),
            thumbnail=None if thumbnail is None else str(thumbnail),
        )

        def take(line: dict[str, Any]) -> None:
            if line["type"] == "file":
                files[line["version"]] = line

        return run(["recorder.render"], job.to_json(), take, self._stop)

    def _hints(self, policy: Policy) -> Hints:
        """None when the recording is one chapter whatever they say, or when they cannot be had."""
        if self._sealed["duration_ms"] <= policy.bounds.most_ms:
            return Hints()
        job = {"source": str(self._source), "tracks": self._tracks, "model": policy.speech_model}
        lines: list[dict[str, Any]] = []
        code = run(["recorder.hints"], json.dumps(job), lines.append, self._stop, silent_s=3600.0)
        if code != 0 or len(lines) != 1:
            _log.error("recorder.hints_failed", code=code)
            return Hints()
        return Hints(tuple((a, b) for a, b in lines[0]["silences"]), tuple(lines[0]["slides"]))

    def _put(self, name: str, path: Path, kind: str, **fields: Any) -> None:
        """Store a file and note it; the note comes last."""
        size, digest = path.stat().st_size, _sha256(path)
        if fields.get("sha256", digest) != digest:
            raise OSError(f"{name} is not what its process wrote")
        key = self._key(name)
        self._store.put(key, path, self._opened["retain_until_ms"])
        self._spool.note(kind, **{**fields, "key": key, "sha256": digest, "size": size})
        path.unlink()

    def _key(self, name: str) -> str:
        return f"{self._opened['lesson']}/{self._opened['recording']}.{name}"

    def _part(self, version: str) -> Path:
        return self._spool.folder / f"{version}.part"


_TOLD = ("sha256", "head_size", "head_sha256", "duration_ms", "fragments")


def _video_tracks(spool: RecordingSpool) -> tuple[str, ...]:
    """Names of the sealed file's video tracks, in its order."""
    sealed = spool.contents.sealed
    assert sealed is not None
    placed = {n for n, _ in sealed["placed"]}
    there = {f.track for f in (*spool.contents.fragments, *spool.contents.derived) if f.n in placed}
    return tuple(name.value for name in (Track.CAMERA, Track.SCREEN) if name in there)


@contextmanager
def _turn(slot: threading.Semaphore, stop: threading.Event) -> Iterator[None]:
    """Wait for a slot, but not beyond the process's end."""
    while not slot.acquire(timeout=_POLL_S):
        if stop.is_set():
            raise StoppedError
    try:
        yield
    finally:
        slot.release()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
