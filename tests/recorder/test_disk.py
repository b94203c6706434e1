"""The recorder's disk is full, read-only, slow (REL-G8, REL-R12, REL-R14).

Lessons here run in real time: how long a disk may fail is measured in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from recorder import manifest
from recorder.verify import verify

from .disks import on_a_device, remount, small
from .measure import assert_decodes, duration_s
from .media import START_MS, Fed, audio, in_order, video
from .process import REPOSITORY, Node, RecorderProcess, recorder

FULL = os.environ.get("RELIABILITY") == "full"
HELD_S = 60.0 if FULL else 4.0
BEFORE_S, AFTER_S = 4.0, 4.0
RESUMED_S = 5.0
TOLD_S = 5.0


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """To the last byte, although others write too."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1024**2, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    yield
    filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    remount(folder, "ro")
    yield
    remount(folder, "rw")


def lesson(seconds: float) -> list[Fed]:
    return in_order(video(seconds, width=160, height=120), audio(seconds))


async def live(node: Node, frames: Sequence[Fed], from_s: float, to_s: float) -> None:
    """Feed this part of the lesson, each frame when it is due."""
    began = time.monotonic() - from_s
    for frame in frames:
        if from_s * 1000 <= frame.at_ms < to_s * 1000:
            await asyncio.sleep(max(0.0, frame.at_ms / 1000 - (time.monotonic() - began)))
            assert node.client.frame("r1", **frame.arguments())  # type: ignore[arg-type]


def alarms(node: Node) -> set[str]:
    told = [set(event["alarms"]) for event in node.events if event["state"] == "archive"]
    return told[-1] if told else set()


async def until(found: Callable[[], bool], timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while not found():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)


async def sealed(node: Node, timeout_s: float = 60) -> list[dict[str, Any]]:
    """The final events of all reels, in their order."""

    def finals() -> dict[int, dict[str, Any]]:
        return {e["reel"]: e for e in node.events if e["state"] == "sealed"}

    def whole() -> bool:
        found = finals()
        return bool(found) and len(found) == max(found) and found[max(found)]["next"] is None

    await until(whole, timeout_s)
    return [event for _, event in sorted(finals().items())]


@pytest.mark.parametrize("fails", [full, read_only])
class TestADiskThatTakesNothing:
    @pytest.mark.parametrize("spared", [False, True], ids=["alone", "with a spare"])
    async def test_is_told_and_costs_little_more_than_it_lasts(
        self, tmp_path: Path, fails: Callable[[Path], Any], spared: bool
    ) -> None:
        whole_s = BEFORE_S + HELD_S + AFTER_S
        frames = lesson(whole_s)
        options = ["--spare", str(tmp_path / "spare")] if spared else []
        with small(tmp_path / "disk", "20m") as disk:
            async with recorder(disk, "--free-bytes", "1", *options) as (process, node):
                node.client.open("r1", "L1", "A lesson", START_MS)
                await live(node, frames, 0, 0.5)
                for track in ("camera", "audio"):  # so that fragments are stored from the second on
                    node.report("r1", next(frame for frame in frames if frame.track == track))
                await live(node, frames, 0.5, BEFORE_S)
                with fails(disk / "data" if fails is full else disk):
                    failing = asyncio.create_task(until(lambda: "disk_failing" in alarms(node), TOLD_S))
                    await live(node, frames, BEFORE_S, BEFORE_S + HELD_S)
                    await failing
                await live(node, frames, BEFORE_S + HELD_S, whole_s)
                node.client.close_recording("r1")
                events = await sealed(node)
                await until(lambda: "disk_failing" not in alarms(node), TOLD_S)
                assert len(events) == (2 if spared else 1)
                self.check(process, events, whole_s, 0 if spared else HELD_S)
                assert node.client.dropped_frames == 0  # the class never waited

    def check(
        self, process: RecorderProcess, events: list[dict[str, Any]], whole_s: float, held_s: float
    ) -> None:
        """The length is true, all plays and is proven, and what is missing is said."""
        assert sum(event["duration_ms"] for event in events) == pytest.approx(whole_s * 1000, abs=100)
        gaps = [(g["track"], g["from_ms"] + e["begins_ms"], g["to_ms"] + e["begins_ms"], g["reason"])
                for e in events for g in e["gaps"]]  # fmt: skip
        assert {reason for *_, reason in gaps} <= {"disk", "no_keyframe"}
        missing_ms = max(end for _, _, end, _ in gaps) - min(start for _, start, _, _ in gaps)
        assert missing_ms <= (held_s + RESUMED_S) * 1000
        before = None
        for event in events:
            path, told = process.object(event["path"]), process.object(event["manifest"])
            assert_decodes(path)
            assert duration_s(path) == pytest.approx(event["duration_ms"] / 1000, abs=0.05)
            assert verify(path, told, "", before).findings == ()
            before = told

    async def test_when_the_lesson_begins_it_is_recorded_as_soon_as_it_can_be(
        self, tmp_path: Path, fails: Callable[[Path], Any]
    ) -> None:
        frames = lesson(8)
        with small(tmp_path / "disk") as disk:
            async with recorder(disk, "--free-bytes", "1") as (process, node):
                with fails(disk / "data" if fails is full else disk):
                    node.client.open("r1", "L1", "A lesson", START_MS)
                    failing = asyncio.create_task(until(lambda: "disk_failing" in alarms(node), TOLD_S))
                    await live(node, frames, 0, 2)
                    await failing
                await live(node, frames, 2, 8)
                node.client.close_recording("r1")
                (event,) = await sealed(node)
                assert event["duration_ms"] >= 2000
                assert_decodes(process.object(event["path"]))


class TestASlowDisk:
    async def test_costs_the_class_nothing_and_the_recording_nothing(self, tmp_path: Path) -> None:
        """20 kB/s for what sends more than twice that: the recorder reads on, and makes up for it."""
        seconds = 60 if FULL else 6
        frames = lesson(seconds + 4)
        with on_a_device(tmp_path / "disk") as disk:
            async with recorder(disk.folder) as (process, node):
                node.client.open("r1", "L1", "A lesson", START_MS)
                await live(node, frames, 0, 2)
                waiting = 0
                with disk.slow(process.pid, 8_000):
                    feeding = asyncio.create_task(live(node, frames, 2, seconds + 2))
                    while not feeding.done():
                        waiting = max(waiting, node.client.queued_bytes)
                        await asyncio.sleep(0.01)
                    await feeding
                await live(node, frames, seconds + 2, seconds + 4)
                node.client.close_recording("r1")
                (event,) = await sealed(node)
                assert event["gaps"] == []
                assert duration_s(process.object(event["path"])) == pytest.approx(seconds + 4, abs=0.1)
                assert (node.client.dropped_frames, event.get("dropped", 0)) == (0, 0)
                assert waiting < 50_000  # a frame or two on their way: the node never holds any back


def child_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


class TestTheEventLoop:
    async def test_never_waits_for_the_disk_and_each_second_is_made_durable(self, tmp_path: Path) -> None:
        """By strace: fdatasync and fsync are called by recordings' threads alone, at least once a second."""
        if shutil.which("strace") is None:
            pytest.skip("strace is not installed (tests/install-debian.sh)")
        calls = tmp_path / "calls"
        command = ["strace", "-f", "-qq", "--seccomp-bpf", "-ttt", "-e", "trace=fsync,fdatasync", "-o"]
        command += [str(calls), sys.executable, "-m", "recorder", "--socket", str(tmp_path / "recorder.sock")]
        traced = await asyncio.create_subprocess_exec(
            *command, "--data", str(tmp_path / "data"), stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY
        )
        assert traced.stdout is not None
        if not await traced.stdout.readline():
            pytest.skip("strace may not trace here")
        process = RecorderProcess(tmp_path)
        node = Node(process)
        await node.client.start()
        frames = lesson(5)
        node.client.open("r1", "L1", "A lesson", START_MS)
        began = time.time()
        await live(node, frames, 0, 5)
        lasted = time.time() - began
        node.client.close_recording("r1")
        (event,) = await sealed(node)
        await node.client.close()
        loop = child_of(traced.pid)
        os.kill(loop, 15)
        await traced.wait()
        made = [re.match(r"(\d+) +([\d.]+) (\w+)\(", line) for line in calls.read_text().splitlines()]
        found = [(int(m[1]), float(m[2])) for m in made if m is not None]
        live_calls = [(thread, at) for thread, at in found if began <= at <= began + lasted]
        assert not [at for thread, at in live_calls if thread == loop]
        each_second = {int(at - began) for _, at in live_calls}
        assert each_second >= set(range(1, int(lasted)))
        assert manifest.read(process.object(event["manifest"]).read_bytes())[0]
