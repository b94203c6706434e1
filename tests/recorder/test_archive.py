"""From the disk into the bucket: nothing is lost by an outage, and nothing goes before its lock is read.

REL-R11 (bucket away in five ways), REL-R12 (disk nearly full), REL-R17 (killed on the way), scaled down.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import queue
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder import options
from recorder.archive import Archive, Event, Limits
from recorder.s3 import S3Settings, S3Store

from .conftest import MakeBucket
from .measure import assert_decodes, duration_s
from .media import START_MS, audio, in_order, video
from .process import Node, RecorderProcess, recorder
from .proxy import Fault, FaultProxy

PAUSES_S = (0.05, 0.2)
PART = 5 * 1024**2
UNTIL_MS = (int(time.time()) + 3600) * 1000
HELD_S = 72 if os.environ.get("RELIABILITY") == "full" else 0  # each of the five faults: six minutes in all
LIVE_BPS = 4_000_000  # the archive profile's rate: what "faster than real time" is measured against


class Watched:
    """An archive and what it told."""

    def __init__(self, data: Path, settings: S3Settings | None, limits: Limits | None = None) -> None:
        self.data = data
        data.mkdir(parents=True, exist_ok=True)
        self.events: queue.Queue[Event] = queue.Queue()
        store = None if settings is None else S3Store(settings)
        self.archive = Archive(data, store, self.events.put, limits, PAUSES_S)
        self.archive.start()

    def event(self, timeout_s: float = 40, **wanted: Any) -> Event:
        """The next event with these fields."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            if all(found.get(name) == value for name, value in wanted.items()):
                return found

    def put(self, name: str, content: bytes) -> None:
        path = self.data / f"{name}.part"
        path.write_bytes(content)
        self.archive.put(f"L1/{name}.mp4", path, UNTIL_MS)
        path.unlink()

    def gone(self, name: str) -> None:
        """Wait until the local file is removed."""
        path = self.archive.local.local_path(f"L1/{name}.mp4")
        deadline = time.monotonic() + 20
        while path.exists():
            assert time.monotonic() < deadline, "the local copy is still there"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def bucket(make_bucket: MakeBucket) -> S3Settings:
    return make_bucket(timeout_s=1.0)


@pytest.fixture
def away(bucket: S3Settings, proxy: FaultProxy, request: pytest.FixtureRequest) -> S3Settings:
    """The bucket behind the proxy, in a folder of the test's own."""
    return replace(bucket, endpoint=proxy.endpoint, prefix=f"{abs(hash(request.node.nodeid)):x}/")


@pytest.fixture
def watched(away: S3Settings, tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path / "data", away)
    yield made
    made.archive.stop(10)


def stored(settings: S3Settings, s3: Any, name: str) -> list[bytes]:
    """The bytes of every version of an object."""
    key = f"{settings.prefix}L1/{name}.mp4"
    found = s3.list_object_versions(Bucket=settings.bucket, Prefix=key).get("Versions", [])
    named = [{"Bucket": settings.bucket, "Key": key, "VersionId": version["VersionId"]} for version in found]
    return [s3.get_object(**one)["Body"].read() for one in named]


class TestTheLocalCopy:
    def test_goes_when_bytes_and_lock_were_read_back_and_the_node_knows(
        self, watched: Watched, away: S3Settings, s3: Any
    ) -> None:
        content = os.urandom(PART + 9)
        watched.put("r1", content)
        told = watched.event(state="archived", recording="r1")
        assert told["lesson"] == "L1"
        (told_of,) = told["objects"]
        assert told_of["sha256"] == hashlib.sha256(content).hexdigest()
        assert (told_of["store"], told_of["locked"]) == ("s3", True)
        assert told_of["retain_until_ms"] >= UNTIL_MS
        assert watched.archive.stat("L1/r1.mp4").size == len(content)  # not acknowledged: still here
        watched.archive.acknowledged("r1")
        watched.gone("r1")
        assert stored(away, s3, "r1") == [content]
        assert watched.archive.untold() == []

    def test_stays_where_the_bucket_enforces_no_lock_and_that_is_said(
        self, make_bucket: MakeBucket, tmp_path: Path
    ) -> None:
        watched = Watched(tmp_path / "data", make_bucket(locks=False))
        try:
            alarm = watched.event(state="archive", lock="not_enforced")
            assert "lock_not_enforced" in alarm["alarms"]
            watched.put("r1", b"kept twice")
            (told_of,) = watched.event(state="archived")["objects"]
            assert not told_of["locked"]
            watched.archive.acknowledged("r1")
            watched.event(state="archive", unlocked_objects=1)
            assert watched.archive.stat("L1/r1.mp4").size == 10
        finally:
            watched.archive.stop(10)

    def test_is_the_only_one_without_a_bucket(self, tmp_path: Path) -> None:
        watched = Watched(tmp_path / "data", None)
        try:
            watched.put("r1", b"on the disk")
            (told_of,) = watched.event(state="archived")["objects"]
            assert (told_of["store"], told_of["locked"], told_of["version"]) == ("disk", False, None)
            watched.archive.acknowledged("r1")
            assert watched.archive.untold() == []
            assert watched.archive.stat("L1/r1.mp4").size == 11
        finally:
            watched.archive.stop(10)

    def test_waits_for_the_rest_of_its_recording(self, watched: Watched) -> None:
        spool = watched.data / "spool" / "r1"
        spool.mkdir(parents=True)
        watched.put("r1", b"an original, and the recording is not sealed yet")
        watched.event(state="archive", waiting_objects=0)
        assert watched.archive.untold() == []
        watched.archive.release("r1")
        assert [event["recording"] for event in watched.archive.untold()] == ["r1"]
        watched.archive.acknowledged("r1")
        watched.put("r1.web", b"a version, made from the file that is still on the disk")
        watched.event(state="archived", recording="r1")
        assert watched.archive.stat("L1/r1.mp4").size
        spool.rmdir()
        watched.archive.acknowledged("r1")
        watched.gone("r1")
        watched.gone("r1.web")


class TestABucketThatIsAway:
    def test_costs_no_byte_and_is_made_up_for_faster_than_real_time(
        self, watched: Watched, away: S3Settings, proxy: FaultProxy, s3: Any
    ) -> None:
        watched.event(state="archive", lock="proven")
        contents = {f"r{n}": os.urandom(2 * PART + n) for n in range(5)}
        faults = (
            Fault.REFUSE,
            Fault.BLACK_HOLE,
            Fault.UNAVAILABLE,
            Fault.RESET_IN_BODY,
            Fault.WRONG_ETAG,
        )
        for (name, content), fault in zip(contents.items(), faults, strict=True):
            before = proxy.counts.by_fault.get(fault, 0)
            proxy.set(fault)
            watched.put(name, content)
            proxy.wait_for(fault, before + 2)
            time.sleep(HELD_S)
            assert watched.archive.stat(f"L1/{name}.mp4").size == len(content)
        assert watched.event(state="archive", waiting_objects=5)["alarms"] == ["away"]
        tries = proxy.counts.connections
        proxy.set(Fault.NONE)
        began_s = time.monotonic()
        for name in contents:
            watched.event(state="archived", recording=name)
        drained_bps = sum(map(len, contents.values())) * 8 / (time.monotonic() - began_s)
        print(f"drained at {drained_bps / 1e6:.0f} Mbit/s after {tries} connections in the outage")
        assert drained_bps >= 3 * LIVE_BPS
        assert tries < 200 + HELD_S * 5 * 50  # with pauses of 0.2 s; they are of up to a minute outside tests
        for name, content in contents.items():
            assert stored(away, s3, name) == [content]
            watched.archive.acknowledged(name)
            watched.gone(name)
        assert watched.event(state="archive", waiting_objects=0, failing="")["alarms"] == []

    def test_is_retried_by_the_next_start_from_the_part_where_it_was(
        self, watched: Watched, away: S3Settings, proxy: FaultProxy, s3: Any
    ) -> None:
        watched.event(state="archive", lock="proven")
        content = os.urandom(4 * PART)
        proxy.after_bytes = 3 * PART  # some parts get through
        proxy.set(Fault.RESET_IN_BODY)
        watched.put("r1", content)
        proxy.wait_for(Fault.RESET_IN_BODY, 3)
        watched.archive.stop(10)
        proxy.set(Fault.NONE)
        again = Watched(watched.data, away)
        try:
            (told_of,) = again.event(state="archived")["objects"]
            assert told_of["locked"]
            assert stored(away, s3, "r1") == [content]
        finally:
            again.archive.stop(10)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 50 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


# The requests that take an object of two parts into the bucket, in their order.
STEPS = {
    "look for it": rb"GET \S+[?&]versions",
    "begin": rb"POST \S+[?&]uploads",
    "first part": rb"PUT \S+[?&]partNumber=1",
    "second part": rb"PUT \S+[?&]partNumber=2",
    "complete": rb"POST \S+[?&]uploadId=",
    "read back": rb"GET \S+R1\.mp4\?versionId=",
    "lock": rb"PUT \S+R1\.mp4\?retention",
    "read the lock": rb"GET \S+R1\.mp4\?retention",
}


class TestKilledAtEachStep:
    @pytest.mark.parametrize("step", STEPS)
    async def test_publishes_one_object(
        self,
        step: str,
        away: S3Settings,
        proxy: FaultProxy,
        s3: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in options.environment(away).items():
            monkeypatch.setenv(name, value)
        content = os.urandom(PART + 1000)
        data = tmp_path / "data"
        (data / "spool").mkdir(parents=True)
        (data / "part").write_bytes(content)
        Archive(data, None, lambda event: None).put("L1/R1.mp4", data / "part", UNTIL_MS)
        proxy.pattern, proxy.fault = STEPS[step], Fault.HOLD
        process = RecorderProcess(tmp_path, *options.arguments(away))
        await process.start()
        await asyncio.to_thread(proxy.wait_for, Fault.HOLD)
        await process.kill()
        assert process.object("L1/R1.mp4").read_bytes() == content
        proxy.set(Fault.NONE)
        again = Watched(data, away)  # the next start, in this process to save time
        try:
            (told_of,) = (await asyncio.to_thread(again.event, state="archived"))["objects"]
        finally:
            again.archive.stop(10)
        await process.terminate()
        assert told_of["locked"]
        assert stored(away, s3, "R1") == [content]
        left = s3.list_multipart_uploads(Bucket=away.bucket, Prefix=away.prefix)
        assert left.get("Uploads", []) == []


class TestAFullDisk:
    async def test_is_told_at_once_and_costs_only_what_came_meanwhile(
        self, small_disk: Path, tmp_path: Path
    ) -> None:
        frames = in_order(video(18), audio(18))
        async with recorder(small_disk, "--free-bytes", "5000000") as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", [frame for frame in frames if frame.at_ms < 6000])
            await node.rounds("r1", 2)
            filler = small_disk / "filler"
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free)
            await status(node, "disk_low", timeout_s=5)
            await node.feed("r1", [frame for frame in frames if 6000 <= frame.at_ms < 12_000])
            await node.rounds("r1", 2)
            filler.unlink()
            await node.feed("r1", [frame for frame in frames if frame.at_ms >= 12_000])
            node.client.close_recording("r1")
            event = await node.event("r1", "sealed")
            path = process.object(event["path"])
            assert {gap["reason"] for gap in event["gaps"]} <= {"disk"}
            lost_ms = max(gap["to_ms"] for gap in event["gaps"]) - min(
                gap["from_ms"] for gap in event["gaps"]
            )
            assert lost_ms <= 8_000
            assert duration_s(path) == pytest.approx(18, abs=0.1)
            assert_decodes(path)
            assert node.client.dropped_frames == 0  # the class never waited


async def status(node: Node, alarm: str, timeout_s: float) -> None:
    """Until the recorder tells of this alarm."""
    async with asyncio.timeout(timeout_s):
        while not any(  # noqa: ASYNC110 - the client has no such event
            event["state"] == "archive" and alarm in event["alarms"] for event in node.events
        ):
            await asyncio.sleep(0.02)


class TestAlarms:
    def test_come_before_the_disk_is_full(self, tmp_path: Path) -> None:
        watched = Watched(tmp_path / "data", None, Limits(free_bytes=1 << 62))
        try:
            assert watched.event(state="archive", timeout_s=5)["alarms"] == ["disk_low"]
        finally:
            watched.archive.stop(10)

    def test_say_how_much_waits(self, away: S3Settings, proxy: FaultProxy, tmp_path: Path) -> None:
        proxy.fault = Fault.REFUSE
        watched = Watched(tmp_path / "data", away, Limits(backlog_bytes=99))
        try:
            watched.put("r1", bytes(100))
            said = watched.event(state="archive", waiting_bytes=100)
            assert set(said["alarms"]) == {"away", "backlog"}
        finally:
            watched.archive.stop(10)


class TestTheRecorderProcess:
    async def test_killed_on_the_way_publishes_one_object_and_says_where_it_is(
        self, away: S3Settings, proxy: FaultProxy, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RECORDER_S3_ACCESS_KEY", away.access_key)
        monkeypatch.setenv("RECORDER_S3_SECRET_KEY", away.secret_key)
        options = ["--s3-bucket", away.bucket, "--s3-endpoint", away.endpoint, "--s3-prefix", away.prefix]
        proxy.fault = Fault.UNAVAILABLE
        async with recorder(tmp_path, *options) as (process, node):
            sealed = await node.record("R1", audio(2))
            assert sealed["state"] == "sealed"  # the bucket's trouble is not the lesson's
            node.client.ack("R1")
            proxy.wait_for(Fault.UNAVAILABLE, 2)
            await process.kill()
            proxy.set(Fault.NONE)
            await process.start()
            archived = await node.event("R1", "archived")
            by_key = {told_of["key"]: told_of for told_of in archived["objects"]}
            assert by_key.keys() == {sealed["path"], sealed["manifest"]}
            assert by_key[sealed["path"]]["sha256"] == sealed["sha256"]
        found = s3.list_object_versions(Bucket=away.bucket, Prefix=away.prefix + "L1/")["Versions"]
        assert {(v["Key"], v["VersionId"]) for v in found} == {
            (away.prefix + key, told_of["version"]) for key, told_of in by_key.items()
        }
