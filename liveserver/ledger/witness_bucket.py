"""A witness that only remembers: a bucket with object lock holds heads and leaf hashes (REL-G41).

    ledger/<log, 16 digits>/heads/000000000600.json     {"head", "keys"}: the head and what its keys are
    ledger/<log, 16 digits>/tile/0/x001/234             256 leaf hashes, 8,192 bytes, as C2SP's tlog-tiles
    ledger/<log, 16 digits>/tile/0/x001/235.p/88        the last, partial one: 88 leaf hashes

The names say which entries they are of, so a log with other entries wants other bytes under a name that is
taken: that is refused. Whoever puts a newer version over an object hides the first and cannot take it away;
what is read for comparison is the version that was put first.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from liveserver.clock import Clock
from liveserver.core.bundle.outside import object_bytes, object_key
from liveserver.core.heads import Head
from liveserver.core.merkle import HASH_BYTES
from liveserver.ledger.witness import WitnessAwayError, WitnessRefusesError
from liveserver.store import Store
from recorder.lock import Proof
from recorder.objects import ObjectError, ObjectStat
from recorder.s3 import S3Settings, S3Store

TILE = 256
"""Leaf hashes of one object."""


def tile_path(number: int, width: int = TILE) -> str:
    """Where the tile of leaves `number` x 256 … lies: `tile/0/x001/234`, a partial one with `.p/<width>`."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join(["tile/0", *(f"x{group}" for group in groups[:-1]), groups[-1]])
    return path if width == TILE else f"{path}.p/{width}"


class BucketWitness:
    """Fits `witness.Witness`. `folder` is where objects are written on their way."""

    name = "bucket"

    def __init__(self, settings: S3Settings, clock: Clock, kept_ms: int, folder: Path):
        self._settings = settings
        self._clock = clock
        self._kept_ms = kept_ms
        self._folder = folder
        self._bucket: S3Store | None = None
        self._tiles = 0  # whole tiles that are there, as far as this process has seen

    async def see(self, head: Head, seen: int, store: Store) -> Mapping[str, Any]:
        """Put what grew since, then the head. The answer says where it lies and how long it is locked."""
        until_ms = self._clock.wall_ms() + self._kept_ms
        bucket = await asyncio.to_thread(self._opened)
        first = max(seen // TILE, self._tiles)
        for number in range(first, -(-head.size // TILE)):
            start, end = number * TILE, min((number + 1) * TILE, head.size)
            leaves = b"".join(await store.leaves(start, end))
            await self._put(bucket, log_folder(head.log) + tile_path(number, end - start), leaves, until_ms)
            self._tiles = number + (end - start == TILE)
        keys = [key.document() for key in await store.heads.keys()]
        content = object_bytes(head.document(), keys)
        stat = await self._put(bucket, object_key(head.log, head.size), content, until_ms)
        return {
            "bucket": self._settings.bucket,
            "key": self._settings.prefix + stat.key,
            "version": stat.version,
            "retain_until_ms": stat.retain_until_ms,
            "locked": stat.locked,
            # The store's own, or of what was read back (recorder.s3): what an evidence bundle can compare.
            "sha256": sha256(content).hexdigest(),
        }

    async def close(self) -> None:
        """Nothing is kept open."""

    def _opened(self) -> S3Store:
        """The bucket, its locks tried once. Raises WitnessAwayError."""
        if self._bucket is None:
            bucket = S3Store(self._settings)
            if self._settings.lock:
                try:
                    bucket.prove_lock()
                except OSError as error:
                    raise WitnessAwayError(str(error)) from error
            self._bucket = bucket
        return self._bucket

    @property
    def weakness(self) -> str:
        """What the trial of the bucket's locks found wrong (`recorder.lock`)."""
        bucket = self._bucket
        if bucket is None or bucket.proof is Proof.PROVEN:
            return ""
        return f"the bucket's locks do not hold: {bucket.proof_detail or 'they were not tried'}"

    async def _put(self, bucket: S3Store, key: str, content: bytes, until_ms: int) -> ObjectStat:

        def put() -> ObjectStat:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, prefix="put-") as file:
                file.write(content)
                file.flush()
                stat = bucket.put(key, Path(file.name), until_ms)
            # Somebody may have put ours over another: what lies below is what the witness knows.
            if bucket.first_version(key) != stat.version:
                raise ObjectError("exists", key)
            return stat

        try:
            return await asyncio.to_thread(put)
        except ObjectError as error:
            if error.code == "exists":
                raise WitnessRefusesError(f"the bucket holds something else at {key}") from error
            raise WitnessAwayError(error.code) from error
        except OSError as error:
            raise WitnessAwayError(str(error)) from error


class BucketMemory:
    """What the bucket remembers of a log, for comparison. Blocking; raises ObjectError, OSError."""

    def __init__(self, bucket: S3Store, log: str):
        self._bucket = bucket
        self._folder = log_folder(log)

    def heads(self) -> list[dict[str, Any]]:
        """Every head with its keys, `{"head", "keys"}`, oldest first: the first version of each object."""
        found: list[dict[str, Any]] = []
        after = ""
        while keys := self._bucket.keys(f"{self._folder}heads/", after):
            found += [json.loads(self._read(key)) for key in keys]
            after = keys[-1]
        return found

    def leaves(self, number: int, width: int = TILE) -> list[bytes]:
        """The leaf hashes of a tile. Raises ObjectError `not_found`."""
        content = self._read(f"{self._folder}{tile_path(number, width)}")
        return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]

    def _read(self, key: str) -> bytes:
        with self._bucket.open_range(key, 0, self._bucket.first_version(key)) as body:
            return body.read()


def log_folder(log: str) -> str:
    """The folder of one log in a bucket that several may share."""
    return f"ledger/{log[:16]}/"
