"""The witness of the ledger in a bucket that keeps what it was told to keep (REL-G41, E2, E3)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from liveserver.clock import Clock
from liveserver.core import heads
from liveserver.core.bundle.check import Report
from liveserver.core.bundle.outside import NOBODY, Outside, object_key
from liveserver.core.heads import Head, LogKey
from liveserver.core.ledger import entry_leaf
from liveserver.ledger import signing
from liveserver.ledger.check import check_ledger
from liveserver.ledger.notary import Notary
from liveserver.ledger.witness_bucket import BucketMemory, BucketWitness, log_folder, tile_path
from liveserver.store import Store, open_store
from recorder.lock import Proof
from recorder.s3 import S3Settings, S3Store
from tests.contract.test_ledger import fill

from .conftest import MakeBucket
from .radosgw import RadosGateway

KEPT_MS = 400 * 86_400_000


@pytest.fixture(scope="module")
def bucket(make_bucket: MakeBucket) -> S3Settings:
    return make_bucket(prefix="house/")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'live.db'}")
    yield opened
    await opened.close()


async def notary_of(store: Store, folder: Path, bucket: S3Settings) -> Notary:
    """Not started: what it does is asked of it."""
    signer = await signing.load_signer(folder / "keys", store, 1)
    return Notary(store, Clock(), signer, 60, [BucketWitness(bucket, Clock(), KEPT_MS, folder / "out")])


async def shown(store: Store, notary: Notary, size: int) -> Head:
    """Bring the ledger to `size` entries, signed and shown to the witness."""
    await fill(store, size)
    head = await notary.seal()
    assert head is not None
    assert await notary.watches[0].show()
    return head


class TestNames:
    @pytest.mark.parametrize(
        ("number", "width", "path"),
        [
            (0, 256, "tile/0/000"),
            (999, 256, "tile/0/999"),
            (1234, 256, "tile/0/x001/234"),
            (1_234_067, 7, "tile/0/x001/x234/067.p/7"),
        ],
    )
    def test_of_tiles_are_those_of_tlog_tiles(self, number: int, width: int, path: str) -> None:
        assert tile_path(number, width) == path


class TestTheBucket:
    async def test_holds_head_and_leaves_that_fit_and_cannot_be_taken_away(
        self, store: Store, tmp_path: Path, bucket: S3Settings, s3: Any
    ) -> None:
        notary = await notary_of(store, tmp_path, bucket)
        await shown(store, notary, 100)
        head = await shown(store, notary, 600)
        opened = S3Store(bucket)
        assert opened.prove_lock() is Proof.PROVEN
        memory = BucketMemory(opened, head.log)
        remembered = memory.heads()
        assert [one["head"]["size"] for one in remembered] == [100, 600]
        keys = heads.follow(head.log, [LogKey.read(key) for key in remembered[-1]["keys"]])
        heads.check(Head.read(remembered[-1]["head"]), keys, head.log)
        leaves = memory.leaves(0) + memory.leaves(1) + memory.leaves(2, 88)
        assert leaves == await store.leaves(0, 600)
        known = await store.heads.witnessed("bucket")
        assert known is not None
        size, answer = known
        assert size == 600
        assert answer["locked"]
        with pytest.raises(Exception, match="AccessDenied"):
            s3.delete_object(Bucket=bucket.bucket, Key=answer["key"], VersionId=answer["version"])
        assert notary.watches[0].state()["alarm"] is False

    async def test_answers_with_what_a_bundle_can_compare(
        self, store: Store, tmp_path: Path, bucket: S3Settings
    ) -> None:
        head = await shown(store, await notary_of(store, tmp_path, bucket), 7)
        known = await store.heads.witnessed("bucket")
        assert known is not None
        log_keys = await store.heads.keys()
        row = {"name": "bucket", "head": head.document(), "consistency": [], "kept": known[1]}
        report = Report()
        documents = [key.document() for key in log_keys]
        outside = Outside(head, heads.follow(head.log, log_keys), documents, report, signing.verify)
        outside.check({"witnessed": [], "places": [row]}, NOBODY)
        (kept,) = report.kept
        assert kept.key == bucket.prefix + object_key(head.log, 7)
        with S3Store(bucket).open_range(object_key(head.log, 7), 0, kept.version) as body:
            assert sha256(body.read()).hexdigest() == kept.sha256

    async def test_refuses_a_ledger_that_was_rewritten_by_who_has_database_and_key(
        self, store: Store, tmp_path: Path, bucket: S3Settings
    ) -> None:
        await shown(store, await notary_of(store, tmp_path, bucket), 300)
        forged = await open_store(f"sqlite:///{tmp_path / 'forged.db'}", lambda: 5)
        try:
            notary = await notary_of(forged, tmp_path, bucket)
            await fill(forged, 301)
            await notary.seal()
            assert not await notary.watches[0].show()
            refused = notary.watches[0].state()["refused"]
            assert refused.startswith("the bucket holds something else at ledger/")
            assert refused.endswith("/tile/0/000")
            assert notary.numbers()["alarms"] == 1
            assert notary.numbers()["bucket_refused"] == 1
        finally:
            await forged.close()

    async def test_names_the_entry_that_was_put_in_its_place_later(
        self, store: Store, tmp_path: Path, bucket: S3Settings
    ) -> None:
        head = await shown(store, await notary_of(store, tmp_path, bucket), 300)
        sql = sqlite3.connect(tmp_path / "live.db", isolation_level=None)
        for (name,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            sql.execute(f"DROP TRIGGER {name}")
        columns = "entry_index, type, lesson, at_ms, recorded_at_ms, data"
        (row,) = sql.execute(f"SELECT {columns} FROM ledger WHERE entry_index = 299").fetchall()
        forged = (*row[:5], '{"person":"somebody else"}')
        update = "UPDATE ledger SET data = ?, leaf = ? WHERE entry_index = 299"
        sql.execute(update, (forged[5], entry_leaf(*forged)))
        sql.close()
        url = f"sqlite:///{tmp_path / 'live.db'}"
        report = await check_ledger(url, head.log, lambda log: BucketMemory(S3Store(bucket), log))
        assert [(one.problem, one.index) for one in report.findings] == [("rewritten", 299), ("head", 0)]
        assert len(report.weaknesses) == 12

    async def test_is_not_deceived_by_what_was_put_over_it(
        self, store: Store, tmp_path: Path, bucket: S3Settings, s3: Any
    ) -> None:
        head = await shown(store, await notary_of(store, tmp_path, bucket), 3)
        for key in (object_key(head.log, 3), log_folder(head.log) + tile_path(0, 3)):
            s3.put_object(Bucket=bucket.bucket, Key=f"{bucket.prefix}{key}", Body=b"forged")
        memory = BucketMemory(S3Store(bucket), head.log)
        assert memory.heads()[0]["head"] == head.document()
        assert memory.leaves(0, 3) == await store.leaves(0, 3)

    async def test_without_locks_is_an_alarm(
        self, store: Store, tmp_path: Path, make_bucket: MakeBucket
    ) -> None:
        notary = await notary_of(store, tmp_path, make_bucket(locks=False))
        await shown(store, notary, 3)
        state = notary.watches[0].state()
        assert state["alarm"] is True
        assert state["weakness"].startswith("the bucket's locks do not hold")

    async def test_that_was_away_is_shown_everything_later(
        self, store: Store, tmp_path: Path, bucket: S3Settings, gateway: RadosGateway
    ) -> None:
        away = S3Settings(**{**_plain(bucket), "endpoint": "http://127.0.0.1:9", "timeout_s": 1.0})
        notary = await notary_of(store, tmp_path, away)
        await fill(store, 5)
        await notary.seal()
        assert not await notary.watches[0].show()
        assert notary.watches[0].state()["reason"].startswith("the witness is away")
        back = await notary_of(store, tmp_path, bucket)
        head = await shown(store, back, 270)
        assert BucketMemory(S3Store(bucket), head.log).leaves(1, 14) == await store.leaves(256, 270)


def _plain(settings: S3Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__slots__}
