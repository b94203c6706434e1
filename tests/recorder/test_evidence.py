"""Evidence in the bucket: what is altered there is named (REL-E6), nothing goes before its date (REL-E7)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from liveserver.clock import Clock
from liveserver.core.retention import DAY_MS, Programme, Retention
from liveserver.keeper import Keeper
from liveserver.recording import Recordings
from liveserver.store import Lesson, Recording, StoredObject, open_store
from recorder import manifest, options
from recorder.lock import Proof
from recorder.s3 import S3Settings, S3Store

from .conftest import MakeBucket
from .deck import Deck
from .media import in_order, video
from .process import REPOSITORY
from .radosgw import RadosGateway

FULL = os.environ.get("RELIABILITY") == "full"
ALTERED = 100


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Archived:
    """A recording in the bucket, and where its fragments lie: line to (offset, size)."""

    row: StoredObject
    places: dict[int, tuple[int, int]]


@pytest.fixture(scope="module")
def bucket(make_bucket: MakeBucket) -> S3Settings:
    return make_bucket(prefix="evidence/")


@pytest.fixture(scope="module")
def archived(bucket: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    """A sealed lesson of more than a hundred fragments, its manifest beside it."""
    deck = Deck(tmp_path_factory.mktemp("evidence"), 3_600_000)
    small = {"width": 80, "height": 60, "fps": 5}
    screen = video(104, track="screen", rtp_base=9, source=3, **small)  # type: ignore[arg-type]
    deck.play(in_order(video(104, **small), screen))  # type: ignore[arg-type]
    deck.end()
    (event,) = deck.events
    remote = S3Store(bucket)
    assert remote.prove_lock() is Proof.PROVEN
    stats = {
        key: remote.put(key, deck.folder / "objects" / key, now_ms() + DAY_MS)
        for key in (event["path"], event["manifest"])
    }
    stat = stats[event["path"]]
    assert stat.locked
    lines, _, _ = manifest.read((deck.folder / "objects" / event["manifest"]).read_bytes())
    places = {n: (at, lines[n]["media_size"]) for n, at in lines[-1]["placed"]}
    row = StoredObject(event["path"], "r1", stat.size, event["sha256"], "s3", now_ms(), stat.version,
                       stat.retain_until_ms, locked=True)  # fmt: skip
    return Archived(row, places)


def audit(bucket: S3Settings, row: StoredObject, folder: Path) -> dict[str, Any]:
    """What the reading of stored objects, a process of its own, says of one."""
    done = subprocess.run(
        [sys.executable, "-m", "recorder.reverify", "--data", str(folder), *options.arguments(bucket)],
        input=json.dumps(asdict(row)) + "\n",
        env={**os.environ, **options.environment(bucket)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


class TestWhatIsAlteredInTheStorage:
    def test_is_named_to_the_fragment(
        self, gateway: RadosGateway, bucket: S3Settings, archived: Archived, tmp_path: Path
    ) -> None:
        assert audit(bucket, archived.row, tmp_path)["verdict"] == "intact"
        rng = random.Random(6)
        lines = sorted(rng.sample(sorted(archived.places), ALTERED))
        offsets = {n: at + rng.randrange(size) for n, (at, size) in archived.places.items()}
        # One at a time would take minutes: a few, and then a byte in each of a hundred at once.
        for altered in [[line] for line in (lines if FULL else lines[:2])] + [lines]:
            touched = [offsets[line] for line in altered]
            gateway.alter(bucket.prefix + archived.row.key, touched)
            told = audit(bucket, archived.row, tmp_path)
            gateway.alter(bucket.prefix + archived.row.key, touched)  # and back
            assert told["verdict"] == "altered"
            assert sorted(line for line, *_ in told["fragments"]) == altered
        assert audit(bucket, archived.row, tmp_path)["verdict"] == "intact"


class LateClock(Clock):
    """An application host whose clock is ten years ahead."""

    def wall_ms(self) -> int:
        return super().wall_ms() + 10 * 365 * DAY_MS


PROGRAMMES = {12: "", 36: Programme.PRESET_2023, 60: Programme.SUBSIDISED}
CONTENT = b"evidence " * 20_000


@pytest.mark.parametrize("months", PROGRAMMES)
class TestBeforeTheDate:
    @pytest.fixture
    async def kept(self, make_bucket: MakeBucket, months: int, tmp_path: Path) -> tuple[S3Settings, Any]:
        """A recording of the programme in a bucket of its own, and its row."""
        settings = make_bucket()
        until_ms = Retention().until_ms(now_ms(), frozenset(filter(None, [PROGRAMMES[months]])))
        assert until_ms > now_ms() + months * 30 * DAY_MS
        (tmp_path / "file").write_bytes(CONTENT)
        remote = S3Store(settings)
        assert await asyncio.to_thread(remote.prove_lock) is Proof.PROVEN
        stat = await asyncio.to_thread(remote.put, "L1/r1.mp4", tmp_path / "file", until_ms)
        digest = hashlib.sha256(CONTENT).hexdigest()
        return settings, StoredObject("L1/r1.mp4", "r1", stat.size, digest, "s3", now_ms(), stat.version,
                                      stat.retain_until_ms, locked=stat.locked)  # fmt: skip

    def assert_kept(self, s3: Any, settings: S3Settings, row: StoredObject) -> None:
        """The very bytes are there under their version, locked as long as before."""
        named = {"Bucket": settings.bucket, "Key": row.key, "VersionId": row.version}
        assert hashlib.sha256(s3.get_object(**named)["Body"].read()).hexdigest() == row.sha256
        lock = s3.get_object_retention(**named)["Retention"]
        assert lock["Mode"] == "COMPLIANCE"
        assert lock["RetainUntilDate"].timestamp() * 1000 >= (row.retain_until_ms or 0)

    async def test_whoever_has_the_storage_s_own_keys_destroys_nothing(
        self, kept: Any, s3: Any, gateway: RadosGateway
    ) -> None:
        settings, row = kept
        name = {"Bucket": settings.bucket, "Key": row.key}
        version = {**name, "VersionId": row.version}
        soon, far = time.time() + 60, (row.retain_until_ms or 0) / 1000
        rules = {"Rules": [{"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""},
                            "Expiration": {"Days": 1},
                            "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}]}  # fmt: skip
        attempts: dict[str, Callable[[], Any]] = {
            "delete": lambda: s3.delete_object(**version),
            "delete, governance bypassed": lambda: s3.delete_object(
                **version, BypassGovernanceRetention=True
            ),
            "delete in a list": lambda: s3.delete_objects(
                Bucket=settings.bucket,
                Delete={"Objects": [{"Key": row.key, "VersionId": row.version}]},
            ),
            "delete without a version": lambda: s3.delete_object(**name),
            "overwrite": lambda: s3.put_object(**name, Body=b"another"),
            "shorten": lambda: s3.put_object_retention(
                **version, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": soon}
            ),
            "weaken": lambda: s3.put_object_retention(
                **version,
                Retention={"Mode": "GOVERNANCE", "RetainUntilDate": far},
                BypassGovernanceRetention=True,
            ),
            "suspend versions": lambda: s3.put_bucket_versioning(
                Bucket=settings.bucket, VersioningConfiguration={"Status": "Suspended"}
            ),
            "lifecycle rule": lambda: s3.put_bucket_lifecycle_configuration(
                Bucket=settings.bucket, LifecycleConfiguration=rules
            ),
            "delete the bucket": lambda: s3.delete_bucket(Bucket=settings.bucket),
        }
        refused = set()
        for _ in range(20 if FULL else 1):
            for what, attempt in attempts.items():
                try:
                    answer = attempt()
                    if answer.get("Errors"):
                        refused.add(what)
                except ClientError:
                    refused.add(what)
                self.assert_kept(s3, settings, row)
        gateway.expire()
        self.assert_kept(s3, settings, row)
        assert refused >= {"delete", "delete in a list", "shorten", "weaken", "delete the bucket"}

    async def test_a_clock_ten_years_ahead_does_not_help(self, kept: Any, s3: Any, tmp_path: Path) -> None:
        settings, row = kept
        store = await open_store(f"sqlite:///{tmp_path / 'live.db'}")
        try:
            await store.lessons.create(Lesson("L1", "Welding", "", "ended", 1))
            await store.kept.save_objects([row])
            sealed = Recording("r1", "L1", "sealed", row.key, 1, row.sha256, row.size, 1000, 2)
            await store.recordings.save(replace(sealed, retain_until_ms=row.retain_until_ms, locked=True))
            recordings = Recordings(None, store, LateClock(), Retention())
            keeper = Keeper(store, recordings, LateClock(), tmp_path, settings, Retention())
            assert [found["id"] for found in await keeper.due(10)] == ["r1"]  # so the application believes
            answer = await keeper.delete(["r1"], "ada")
            assert answer == {"deleted": [], "refused": [{"id": "r1", "code": "locked"}]}
            self.assert_kept(s3, settings, row)
            logged = [entry for entry in await store.entries(limit=1000) if entry.type == "deletion_refused"]
            assert logged[0].data == {"by": "ada", "recordings": [{"id": "r1", "code": "locked"}]}
        finally:
            await store.close()
