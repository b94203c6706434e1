"""`python -m recorder.reverify`: reads stored objects again, hashes them and asks for their locks.

A process of its own at the lowest priority, so that gigabytes never pass through the one that forwards
lessons. Standard input: a JSON line per object, as in `Stored`. Standard output: `{"key", "verdict",
"detail", "fragments"}` each, `verdict` one of `intact`, `missing`, `altered`, `unlocked`, `unreadable` (ask
again later). `fragments` names what differs in an altered file, as far as the manifest beside it tells:
`[line, track, start_ms, duration_ms]` each.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from recorder.compare import Finding
from recorder.objects import DiskStore, ObjectError, ObjectStore
from recorder.options import add_options, store_of
from recorder.s3 import S3Store
from recorder.sandbox import confine
from recorder.verify import NotAManifestError
from recorder.verify import verify as compare

MAX_NAMED = 200  # fragments in an answer
_READ_BYTES = 1024 * 1024


class Verdict(StrEnum):
    INTACT = "intact"
    MISSING = "missing"
    ALTERED = "altered"
    UNLOCKED = "unlocked"
    UNREADABLE = "unreadable"


def verify(store: ObjectStore, wanted: Mapping[str, Any]) -> tuple[Verdict, str]:
    """Read one object; `wanted` has `key`, `version`, `sha256`, `size`, `locked`, `retain_until_ms`."""
    digest = hashlib.sha256()
    try:
        stat = store.stat(wanted["key"], wanted["version"])
        with store.open_range(wanted["key"], version=wanted["version"]) as body:
            for piece in iter(lambda: body.read(_READ_BYTES), b""):
                digest.update(piece)
    except ObjectError as error:
        return (Verdict.MISSING if error.code == "not_found" else Verdict.UNREADABLE), error.code
    except OSError as error:
        return Verdict.UNREADABLE, str(error)[:200]
    if digest.hexdigest() != wanted["sha256"]:
        return Verdict.ALTERED, f"its SHA-256 is {digest.hexdigest()}"
    if wanted["locked"] and (stat.retain_until_ms or 0) < (wanted["retain_until_ms"] or 0):
        return Verdict.UNLOCKED, "its lock is gone or ends too early"
    return Verdict.INTACT, ""


def differing(store: ObjectStore, key: str, scratch: Path) -> list[Finding]:
    """What differs in an altered file, by its manifest; none where that cannot be had."""
    home, _, name = key.rpartition("/")
    recording = name.partition(".")[0]
    manifests = (f"{recording}.versions.jsonl", f"{recording}.manifest.jsonl")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        try:
            if store.stat(key).size * 2 > shutil.disk_usage(folder).free:
                return []
            file = _fetched(store, key, Path(folder) / name)
            for other in manifests:
                try:
                    told = _fetched(store, f"{home}/{other}", Path(folder) / other)
                except ObjectError:
                    continue
                return list(compare(file, told).findings)
        except (ObjectError, OSError, NotAManifestError):
            pass
    return []


def _fetched(store: ObjectStore, key: str, path: Path) -> Path:
    with store.open_range(key) as body, path.open("wb") as copy:
        shutil.copyfileobj(body, copy, _READ_BYTES)
    return path


def main(argv: list[str] | None = None) -> int:
    """Entry point; 0 whatever was found."""
    parser = argparse.ArgumentParser(prog="python -m recorder.reverify", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with objects/")
    add_options(parser)
    given = parser.parse_args(argv)
    confine(nice=19)
    stores: dict[str, ObjectStore] = {"disk": DiskStore(given.data / "objects")}
    remote: S3Store | None = store_of(given, os.environ)
    if remote is not None:
        stores["s3"] = remote
    for line in sys.stdin:
        wanted = json.loads(line)
        store = stores.get(wanted["store"])
        verdict, detail = (Verdict.UNREADABLE, "that store is not configured")
        if store is not None:
            verdict, detail = verify(store, wanted)
        found: list[Finding] = []
        if store is not None and verdict is Verdict.ALTERED:
            found = differing(store, wanted["key"], given.data)
        rows = [(p.line, p.track, p.start_ms, p.duration_ms) for f in found if (p := f.fragment) is not None]
        answer = {
            "key": wanted["key"],
            "verdict": verdict.value,
            "detail": "; ".join([detail, *(f.detail for f in found[:3])]),
            "fragments": rows[:MAX_NAMED],
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
