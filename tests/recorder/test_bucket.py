"""A node whose recordings go into a bucket: what it stores, shows, plays, reads again and deletes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.retention import DAY_MS, Retention
from liveserver.keeper import Keeper
from liveserver.recording import Recordings
from liveserver.rereading import Rereading
from liveserver.store import Lesson, Recording, Store, StoredObject, open_store
from recorder.client import RecorderClient
from recorder.lock import Proof
from recorder.s3 import S3Settings, S3Store
from tests.drivers.process import until
from tests.drivers.server import Server, request

from .conftest import MakeBucket
from .media import audio
from .process import RecorderProcess

CONTENT = os.urandom(700_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def bucket(make_bucket: MakeBucket) -> S3Settings:
    return make_bucket(prefix="class/")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'live.db'}")
    await opened.lessons.create(Lesson("L1", "Welding", "", "live", 1, programmes="subsidised"))
    yield opened
    await opened.close()


def keeper_of(store: Store, folder: Path, bucket: S3Settings) -> Keeper:
    recordings = Recordings(None, store, Clock(), Retention())
    return Keeper(store, recordings, Clock(), folder, bucket, Retention())


async def put(store: Store, bucket: S3Settings, folder: Path, name: str, until_ms: int) -> StoredObject:
    """A recording as it is once archived."""
    remote = S3Store(bucket)
    assert await asyncio.to_thread(remote.prove_lock) is Proof.PROVEN
    path = folder / name
    path.write_bytes(CONTENT)
    key = f"L1/{name}.mp4"
    stat = await asyncio.to_thread(remote.put, key, path, until_ms if until_ms > now_ms() else None)
    row = StoredObject(key, name, stat.size, DIGEST, "s3", now_ms(), stat.version, until_ms, stat.locked)
    await store.kept.save_objects([row])
    await store.recordings.save(
        Recording(name, "L1", "sealed", key, 1, DIGEST, stat.size, 1000, 2, until_ms, stat.locked)
    )
    return row


class TestALesson:
    async def test_is_locked_for_its_programme_before_the_disk_lets_go(
        self, store: Store, bucket: S3Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RECORDER_S3_ACCESS_KEY", bucket.access_key)
        monkeypatch.setenv("RECORDER_S3_SECRET_KEY", bucket.secret_key)
        process = RecorderProcess(
            tmp_path,
            "--s3-bucket",
            bucket.bucket,
            "--s3-endpoint",
            bucket.endpoint,
            "--s3-prefix",
            bucket.prefix,
        )
        await process.start()
        client = RecorderClient(process.socket, lambda event: recordings.heard(event))  # noqa: PLW0108 - made after it
        recordings = Recordings(client, store, Clock(), Retention())
        await client.start()
        recordings.start()
        try:
            sink = await recordings.begin("L1", "Welding")
            assert sink is not None
            for frame in audio(1):
                client.frame(sink.recording, **frame.arguments())  # type: ignore[arg-type]
            recordings.finish(sink)
            async with asyncio.timeout(60):
                while True:
                    found = await store.recordings.one(sink.recording)
                    assert found is not None
                    if found.locked and not process.object(found.path).exists():
                        break
                    await asyncio.sleep(0.05)
        finally:
            await client.close()
            await recordings.stop()
            assert await process.terminate() == 0
        assert found.programmes == "subsidised"
        assert (found.retain_until_ms or 0) >= now_ms() + 5 * 365 * DAY_MS
        kept = {row.key: row for row in await store.kept.objects(found.id)}
        assert kept[found.path].sha256 == found.sha256
        remote = S3Store(bucket)
        for row in kept.values():
            assert row.locked
            stat = await asyncio.to_thread(remote.stat, row.key, row.version)
            assert (stat.retain_until_ms or 0) >= (found.retain_until_ms or 0)
        facts = [entry for entry in await store.entries() if entry.type == "stored"]
        told = {one["key"]: one for fact in facts for one in fact.data["objects"]}  # type: ignore[union-attr]
        assert told.keys() == kept.keys()
        assert recordings.archive["lock"] == "proven"


class TestReadingAgain:
    async def test_finds_what_is_altered_or_gone_and_says_so_in_the_ledger(
        self, store: Store, bucket: S3Settings, s3: Any, tmp_path: Path
    ) -> None:
        whole = await put(store, bucket, tmp_path, "whole", now_ms() + DAY_MS)
        gone = await put(store, bucket, tmp_path, "gone", 1)
        s3.delete_object(Bucket=bucket.bucket, Key=bucket.prefix + gone.key, VersionId=gone.version)
        altered = replace(whole, key="L1/whole.mp4", sha256="0" * 64)
        await store.kept.save_objects([whole])
        rereading = Rereading(store, Clock(), tmp_path, bucket)
        assert await rereading.read_again() == 1  # two objects: one a day is a hundredth and more
        assert await rereading.read_again() == 0
        await store.kept.save_objects([altered])
        for row in (whole, gone):
            await store.kept.note_read(row.key, 1, "")
        assert await rereading.read_again() == 2  # both overdue
        verdicts = {row: (await store.kept.object(row)).verdict for row in (whole.key, gone.key)}  # type: ignore[union-attr]
        assert verdicts == {whole.key: "altered", gone.key: "missing"}
        alarms = {
            entry.data["object"]: entry.data["verdict"]
            for entry in await store.entries(limit=1000)
            if entry.type == "object_damaged"
        }
        assert alarms[whole.key] == "altered"
        assert rereading.numbers()["damaged_objects_total"] >= 2

    async def test_counts_no_outage_as_a_reading(
        self, store: Store, bucket: S3Settings, tmp_path: Path
    ) -> None:
        row = await put(store, bucket, tmp_path, "whole2", now_ms() + DAY_MS)
        away = replace(bucket, endpoint="http://127.0.0.1:1")
        await Rereading(store, Clock(), tmp_path, away).read_again()
        found = await store.kept.object(row.key)
        assert found is not None
        assert found.verified_at_ms is None


class TestDeletion:
    async def test_removes_the_version_itself_and_nothing_that_is_locked(
        self, store: Store, bucket: S3Settings, s3: Any, tmp_path: Path
    ) -> None:
        free = await put(store, bucket, tmp_path, "free", 1)
        locked = await put(store, bucket, tmp_path, "locked", now_ms() + DAY_MS)
        # Somebody who can write the database moves the date: the bucket still refuses.
        recording = await store.recordings.one("locked")
        assert recording is not None
        await store.recordings.save(replace(recording, retain_until_ms=1))
        answer = await keeper_of(store, tmp_path, bucket).delete(["free", "locked"], "ada")
        assert answer == {"deleted": ["free"], "refused": [{"id": "locked", "code": "locked"}]}
        found = s3.list_object_versions(Bucket=bucket.bucket, Prefix=bucket.prefix + "L1/")
        left = {version["VersionId"] for version in found["Versions"]}
        assert free.version not in left
        assert locked.version in left


class TestALegalHold:
    async def test_is_the_buckets_too_and_ends_when_it_is_lifted(
        self, store: Store, bucket: S3Settings, s3: Any, tmp_path: Path
    ) -> None:
        row = await put(store, bucket, tmp_path, "disputed", now_ms() + DAY_MS)
        named = {"Bucket": bucket.bucket, "Key": bucket.prefix + row.key, "VersionId": row.version}
        keeper = keeper_of(store, tmp_path, bucket)
        await keeper.hold("disputed", "ada", "a court asks")
        assert s3.get_object_legal_hold(**named)["LegalHold"]["Status"] == "ON"
        await keeper.hold("disputed", "ada", "")
        assert s3.get_object_legal_hold(**named)["LegalHold"]["Status"] == "OFF"

    async def test_that_the_bucket_did_not_take_is_said_and_holds_here(
        self, store: Store, bucket: S3Settings, tmp_path: Path
    ) -> None:
        await put(store, bucket, tmp_path, "disputed2", now_ms() + DAY_MS)
        away = keeper_of(store, tmp_path, replace(bucket, endpoint="http://127.0.0.1:1"))
        with pytest.raises(PeerError, match="ask again"):
            await away.hold("disputed2", "ada", "a court asks")
        found = await store.recordings.one("disputed2")
        assert found is not None
        assert found.hold == "a court asks"


@pytest.fixture(scope="module")
def playing(bucket: S3Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server whose one recording is in the bucket alone; made with and without a public address."""
    made: list[Server] = []

    def start(**settings: str) -> Server:
        folder = tmp_path_factory.mktemp("playing")
        server = Server(
            folder,
            LIVESERVER_OBJECTS_S3_BUCKET=bucket.bucket,
            LIVESERVER_OBJECTS_S3_ENDPOINT=bucket.endpoint,
            LIVESERVER_OBJECTS_S3_PREFIX=bucket.prefix,
            LIVESERVER_OBJECTS_S3_ACCESS_KEY=bucket.access_key,
            LIVESERVER_OBJECTS_S3_SECRET_KEY=bucket.secret_key,
            **settings,
        )
        server.data.mkdir(parents=True)

        async def fill() -> None:
            store = await open_store(f"sqlite:///{server.data / 'liveserver.db'}")
            await store.lessons.create(Lesson("L1", "Welding", "", "ended", 1))
            await put(store, bucket, folder, "played", now_ms() + DAY_MS)
            await store.close()

        asyncio.run(fill())
        made.append(server.start())
        return server

    yield start
    for server in made:
        assert server.stop() == 0
        assert server.tracebacks() == []
        assert bucket.secret_key not in server.log.read_text()


def address(server: Server) -> str:
    (item,) = server.api("GET", "/lessons/L1/recordings").json["items"]
    assert item["locked"]
    return str(item["url"])


class TestPlayback:
    def test_streams_ranges_through_unless_browsers_reach_the_bucket(self, playing: Any) -> None:
        server = playing()
        url = address(server)
        whole = request("GET", url)
        assert (whole.status, whole.body == CONTENT) == (200, True)
        part = request("GET", url, headers={"Range": "bytes=300000-300009"})
        assert (part.status, part.body) == (206, CONTENT[300_000:300_010])
        assert part.headers["Content-Range"] == f"bytes 300000-300009/{len(CONTENT)}"
        end = request("GET", url, headers={"Range": "bytes=-5"})
        assert (end.status, end.body) == (206, CONTENT[-5:])
        head = request("HEAD", url)
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(CONTENT)))
        assert request("GET", url, headers={"Range": "bytes=700000-"}).status == 416

    def test_the_servers_own_recorder_has_tried_the_locks(self, playing: Any) -> None:
        server = playing()
        found = until(
            lambda: told if (told := server.api("GET", "/storage").json)["lock"] == "proven" else None,
            "the trial's result in the API",
        )
        assert (found["store"], found["alarms"], found["unlocked_objects"]) == ("s3", [], 0)
        metrics = request("GET", f"{server.base_url}/metrics").body.decode()
        assert "liveserver_archive_lock_proven 1.0" in metrics

    def test_sends_players_to_the_bucket_where_they_reach_it(self, playing: Any, bucket: S3Settings) -> None:
        server = playing(LIVESERVER_OBJECTS_S3_PUBLIC_URL=bucket.endpoint)
        part = request("GET", address(server), headers={"Range": "bytes=10-19"})  # follows the redirect
        assert (part.status, part.body) == (206, CONTENT[10:20])
        with urllib.request.urlopen(f"{server.base_url}/learn/L1", timeout=10) as page:
            assert f"media-src 'self' blob: {bucket.endpoint};" in page.headers["Content-Security-Policy"]
