"""What the player needs of a recording whose objects are in the bucket alone."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liveserver.store import Lesson, Recording, StoredObject, open_store
from recorder.chapters import Chapter, webvtt
from recorder.s3 import S3Settings, S3Store
from tests.drivers.server import Server, request

from .conftest import MakeBucket

OBJECTS = {
    "mp4": b"sealed" * 1000,
    "chapters.vtt": webvtt([Chapter(0, 300_000, "start"), Chapter(300_000, 650_000, "time")]).encode(),
    "chapter.01.jpg": b"\xff\xd8 one",
    "web.01.mp4": b"web one" * 1000,
}
Start = Callable[..., Server]


@pytest.fixture(scope="module")
def bucket(make_bucket: MakeBucket) -> S3Settings:
    return make_bucket(prefix="class/")


@pytest.fixture
def playing(bucket: S3Settings, tmp_path: Path) -> Iterator[Start]:
    made: list[Server] = []

    def start(**settings: str) -> Server:
        server = Server(
            tmp_path,
            LIVESERVER_OBJECTS_S3_BUCKET=bucket.bucket,
            LIVESERVER_OBJECTS_S3_ENDPOINT=bucket.endpoint,
            LIVESERVER_OBJECTS_S3_PREFIX=bucket.prefix,
            LIVESERVER_OBJECTS_S3_ACCESS_KEY=bucket.access_key,
            LIVESERVER_OBJECTS_S3_SECRET_KEY=bucket.secret_key,
            **settings,
        )
        server.data.mkdir(parents=True)
        asyncio.run(fill(server.data, bucket))
        made.append(server.start())
        return server

    yield start
    for server in made:
        assert server.stop() == 0
        assert server.tracebacks() == []


async def fill(data: Path, bucket: S3Settings) -> None:
    store = await open_store(f"sqlite:///{data / 'liveserver.db'}")
    await store.lessons.create(Lesson("L1", "Welding", "", "ended", 1))
    remote, rows = S3Store(bucket), []
    for name, content in OBJECTS.items():
        path = data / name
        path.write_bytes(content)
        stat = await asyncio.to_thread(remote.put, f"L1/r1.{name}", path, None)
        digest = hashlib.sha256(content).hexdigest()
        rows.append(StoredObject(stat.key, "r1", stat.size, digest, "s3", 1, stat.version, None, False))
    await store.kept.save_objects(rows)
    await store.recordings.save(
        Recording("r1", "L1", "sealed", "L1/r1.mp4", 1, rows[0].sha256, rows[0].size, 650_000, 2)
    )
    await store.close()


class TestFromTheBucket:
    def test_chapters_pictures_and_versions_come_through(self, playing: Start) -> None:
        found = playing().api("GET", "/recordings/r1").json
        first, second = found["chapters"]
        assert [first["to_ms"], second["to_ms"]] == [300_000, 650_000]
        assert (second["thumbnail"], second["url"]) == (None, None)
        assert request("GET", found["chapters_url"]).body == OBJECTS["chapters.vtt"]
        picture = request("GET", first["thumbnail"])
        assert (picture.headers["Content-Type"], picture.body) == ("image/jpeg", OBJECTS["chapter.01.jpg"])
        part = request("GET", first["url"], headers={"Range": "bytes=7-13"})
        assert (part.status, part.body) == (206, b"web one")

    def test_only_media_is_played_from_where_browsers_reach_it(
        self, playing: Start, bucket: S3Settings
    ) -> None:
        """Pictures and lists of another origin would be refused by the page's own policy."""
        found = playing(LIVESERVER_OBJECTS_S3_PUBLIC_URL=bucket.endpoint).api("GET", "/recordings/r1").json
        first = found["chapters"][0]
        assert request("GET", first["url"]).body == OBJECTS["web.01.mp4"]  # by the redirection
        picture = request("GET", first["thumbnail"])
        assert (picture.status, picture.headers["Server"], picture.body) == (
            200,
            "liveserver",
            OBJECTS["chapter.01.jpg"],
        )
        assert request("GET", found["chapters_url"]).headers["Server"] == "liveserver"
