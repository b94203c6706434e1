"""Whatever dies, and whenever: the next start finishes the recording by itself."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import shutil
import sys
from pathlib import Path

import pytest

from recorder import manifest, spool
from recorder.feed import Frame
from recorder.journal import Journal

from .measure import assert_decodes, beeps_ms, duration_s, flashes_ms, pictures
from .media import START_MS, Fed, audio, in_order, video
from .process import REPOSITORY, Node, RecorderProcess, recorder


def stored_ms(process: RecorderProcess, recording: str, track: str = "camera") -> int:
    """What is durable of a track."""
    fragments = spool.look(process.data / "spool" / recording).fragments
    return max((f.start_ms + f.duration_ms for f in fragments if f.track == track), default=0)


async def until_stored(process: RecorderProcess, recording: str, ms: int, track: str = "camera") -> None:
    async with asyncio.timeout(30):
        while stored_ms(process, recording, track) < ms:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)


async def until_journalled(process: RecorderProcess, recording: str, arrival_ms: int) -> None:
    """Until a frame of that arrival is on the disk, in a fragment or not."""
    folder = process.data / "spool" / recording
    async with asyncio.timeout(30):
        while not any(  # noqa: ASYNC110 - another process writes it
            isinstance(message, Frame) and message.arrival_ms >= arrival_ms
            for message in Journal(folder).read()
        ):
            await asyncio.sleep(0.02)


class TestRecorderKilled:
    async def test_the_node_reconnects_and_nothing_is_missing(self, tmp_path: Path) -> None:
        frames = in_order(video(10), audio(10))
        process = RecorderProcess(tmp_path)
        await process.start()
        node = Node(process)
        await node.client.start()
        try:
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", [f for f in frames if f.at_ms < 7000])
            await until_stored(process, "r1", 4000)
            await process.kill()
            await node.feed("r1", [f for f in frames if f.at_ms >= 7000])
            await process.start()
            node.client.close_recording("r1")
            event = await node.event("r1", "sealed")
            path = process.object(event["path"])
            assert event["gaps"] == []
            assert len(pictures(path)) == 250
            assert duration_s(path) == pytest.approx(10, abs=0.1)
            assert flashes_ms(path) == pytest.approx(beeps_ms(path), abs=60)
            assert_decodes(path)
        finally:
            await node.client.close()
            await process.terminate()

    async def test_with_the_node_gone_too_the_prefix_is_sealed(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", in_order(video(9), audio(9)))
            await until_stored(process, "r1", 6000)
            await process.kill()
        async with recorder(tmp_path, "--abandon-s", "0.2") as (process, node):
            event = await node.event("r1", "sealed")
            path = process.object(event["path"])
            assert duration_s(path) >= 5.9
            assert_decodes(path)

    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    async def test_of_what_was_not_in_a_fragment_yet_nothing_is_missing(
        self, tmp_path: Path, codec: str
    ) -> None:
        """REL-G1: both are gone at once, and so is the node's memory of the last seconds."""
        frames = in_order(video(7.8, codec=codec), audio(7.8))
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", frames[:100])
            node.report("r1", frames[90])
            await node.feed("r1", frames[100:])
            await until_journalled(process, "r1", frames[-1].arrival_ms)
            await process.kill()
        assert stored_ms(process, "r1") <= 6000
        async with recorder(tmp_path, "--abandon-s", "0.2") as (process, node):
            event = await node.event("r1", "sealed")
            path = process.object(event["path"])
            assert event["gaps"] == []
            assert duration_s(path) == pytest.approx(7.8, abs=0.05)
            assert len(pictures(path)) == 195
            assert flashes_ms(path) == pytest.approx(beeps_ms(path), abs=60)
            assert_decodes(path)

    async def test_a_recorder_killed_after_the_node_was_goes_on_too(self, tmp_path: Path) -> None:
        """The second run of the node numbers its frames from 1: they are not those of the first."""
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", in_order(video(8), audio(8)))
            await until_stored(process, "r1", 6000)
            await node.client.close()
            other = Node(process)
            await other.client.start()
            again = in_order(
                video(6, from_ms=9000, source=8, rtp_base=3), audio(6, from_ms=9000, source=9, rtp_base=4)
            )
            other.client.open("r1", "L1", "A lesson", START_MS)
            await other.feed("r1", [f for f in again if f.at_ms < 13_500])
            await until_stored(process, "r1", 12_900)
            await process.kill()
            await process.start()
            await other.feed("r1", [f for f in again if f.at_ms >= 13_500])
            other.client.close_recording("r1")
            event = await other.event("r1", "sealed")
            await other.client.close()
            path = process.object(event["path"])
            assert duration_s(path) == pytest.approx(15, abs=0.1)
            assert len(pictures(path)) == 350
            assert [(g["track"], g["reason"]) for g in event["gaps"] if g["from_ms"] > 9000] == []
            assert_decodes(path)

    async def test_a_node_that_restarted_goes_on_with_the_recording(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", in_order(video(5), audio(5)))
            await until_stored(process, "r1", 4000)
            await node.client.close()
            other = Node(process)
            await other.client.start()
            again = in_order(
                video(3, from_ms=7000, source=8, rtp_base=3), audio(3, from_ms=7000, source=9, rtp_base=4)
            )
            event = await other.record("r1", again)
            await other.client.close()
            assert duration_s(process.object(event["path"])) == pytest.approx(10, abs=0.1)
            assert {g["track"] for g in event["gaps"]} == {"camera", "audio"}
            assert_decodes(process.object(event["path"]))

    @pytest.mark.parametrize("seed", range(4))
    async def test_at_random_moments_with_damaged_ends_of_files(self, tmp_path: Path, seed: int) -> None:
        rng = random.Random(seed)
        frames = in_order(video(8), audio(8))
        process = RecorderProcess(tmp_path)
        await process.start()
        node = Node(process)
        await node.client.start()
        try:
            node.client.open("r1", "L1", "A lesson", START_MS)
            at = 0
            for _ in range(3):
                count = rng.randrange(100, 200)
                await node.feed("r1", frames[at : at + count])
                at += count
                await asyncio.sleep(rng.uniform(0, 0.4))
                await process.kill()
                for file in (tmp_path / "data/spool/r1").glob("*"):
                    if rng.random() < 0.5 and file.suffix in (".mp4", ".jsonl"):
                        with file.open("ab") as torn:  # an append that was under way
                            torn.write(rng.randbytes(rng.randrange(1, 3000)))
                await process.start()
            await node.feed("r1", frames[at:])
            node.client.close_recording("r1")
            event = await node.event("r1", "sealed")
            path = process.object(event["path"])
            assert event["gaps"] == []
            assert len(pictures(path)) == 200
            assert duration_s(path) == pytest.approx(8, abs=0.15)
            assert_decodes(path)
        finally:
            await node.client.close()
            await process.terminate()


class TestSealKilled:
    async def folder_of_a_finished_lesson(
        self, tmp_path: Path, frames: list[Fed], stored: int = 4000
    ) -> Path:
        """A spool folder as a kill right after the end of the lesson leaves it."""
        (tmp_path / "made").mkdir()
        async with recorder(tmp_path / "made") as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", frames)
            await until_stored(process, "r1", stored)
            await until_stored(process, "r1", 4000, "audio")
            await process.kill()
        folder = tmp_path / "made/data/spool/r1"
        opened = spool.RecordingSpool(folder)
        opened.note("closed", reason="ended")
        return folder

    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    async def test_any_step_may_be_the_last_and_the_file_is_the_same(
        self, tmp_path: Path, codec: str
    ) -> None:
        frames = in_order(video(6, codec=codec), audio(6))
        source = await self.folder_of_a_finished_lesson(tmp_path, frames)
        hashes = set()
        rng = random.Random(codec)
        for number in range(5):
            home = tmp_path / f"run{number}"
            shutil.copytree(source, home / "data/spool/r1")
            for _ in range(2 if number else 0):
                process = RecorderProcess(home)
                await process.start()
                await asyncio.sleep(rng.uniform(0, 0.06 if codec == "h264" else 0.8))
                await process.kill()
            async with recorder(home) as (process, node):
                event = await node.event("r1", "sealed")
                hashes.add(event["sha256"])
                objects = [p.name for p in (process.data / "objects/L1").iterdir()]
                assert sum(name.endswith(".mp4") for name in objects) == 1
                records, _, good = manifest.read(process.object(event["manifest"]).read_bytes())
                assert good == process.object(event["manifest"]).stat().st_size
                assert [r["type"] for r in records].count("sealed") == 1
                assert_decodes(process.object(event["path"]))
        assert len(hashes) == 1

    @pytest.mark.parametrize("track", ["camera", "audio"])
    async def test_a_fragment_that_rotted_is_left_out_and_named(self, tmp_path: Path, track: str) -> None:
        source = await self.folder_of_a_finished_lesson(tmp_path, in_order(video(9), audio(9)), 8000)
        shutil.copytree(source, tmp_path / "data/spool/r1")
        second = [f for f in spool.look(source).fragments if f.track == track][1]
        with (tmp_path / "data/spool/r1" / second.file).open("r+b") as file:
            file.seek(second.offset + second.head_size + 40)
            file.write(b"rot")
        async with recorder(tmp_path) as (process, node):
            event = await node.event("r1", "sealed")
            damaged = [g for g in event["gaps"] if g["reason"] == "damaged"]
            assert [(g["track"], g["from_ms"]) for g in damaged] == [(track, second.start_ms)]
            path = process.object(event["path"])
            assert_decodes(path)
            seen = flashes_ms(path) + beeps_ms(path)
            assert max(beeps_ms(path)) > second.start_ms + second.duration_ms - 1000
            assert seen == pytest.approx([round(at, -3) for at in seen], abs=60)  # each second, as it was

    async def test_an_unacknowledged_event_survives(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            first = await node.record("r1", audio(2))
            await process.kill()
        async with recorder(tmp_path) as (_, node):
            assert await node.event("r1", "sealed") == first


class TestTermination:
    async def test_stores_what_is_there_and_exits_with_zero(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", in_order(video(5), audio(5)))
            await until_stored(process, "r1", 4000)
            assert await process.terminate() == 0
            assert stored_ms(process, "r1") == pytest.approx(5000, abs=50)

    async def test_seals_what_is_closed(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", in_order(video(5), audio(5)))
            node.client.close_recording("r1")
            await node.event("r1", "recording", "sealing", "sealed")
            while node.client.queued_bytes:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await node.event("r1", "sealing", "sealed")
            assert await process.terminate() == 0
            final = json.loads((process.data / "spool/r1/final.json").read_text())
            assert final["state"] == "sealed"

    async def test_leaves_a_transcode_for_the_next_start(self, tmp_path: Path) -> None:
        async with recorder(tmp_path, "--grace-s", "0.1") as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", video(20, codec="vp8", width=640, height=360))
            node.client.close_recording("r1")
            await node.event("r1", "sealing")
            assert await process.terminate() == 0
        async with recorder(tmp_path) as (process, node):
            event = await node.event("r1", "sealed")
            assert duration_s(process.object(event["path"])) == pytest.approx(20, abs=0.1)


class TestDiskFull:
    async def test_the_gap_is_noted_and_the_recording_goes_on(self, tmp_path: Path) -> None:
        frames = in_order(video(18), audio(18))
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", [f for f in frames if f.at_ms < 6000])
            await until_stored(process, "r1", 4000)
            whole = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100, whole[1]))  # no file may grow
            await node.feed("r1", [f for f in frames if 6000 <= f.at_ms < 12_000])
            await node.rounds("r1", 2)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, whole)
            await node.feed("r1", [f for f in frames if f.at_ms >= 12_000])
            node.client.close_recording("r1")
            event = await node.event("r1", "sealed")
            path = process.object(event["path"])
            disk = {g["track"]: (g["from_ms"], g["to_ms"]) for g in event["gaps"] if g["reason"] == "disk"}
            assert disk.keys() == {"camera", "audio"}
            # What came last waited for the disk; on a busy machine a fragment more was stored before.
            assert disk["camera"] in ((4000, 10_000), (6000, 10_000), (6000, 12_000))
            assert duration_s(path) == pytest.approx(18, abs=0.1)
            assert flashes_ms(path)[-4:] == pytest.approx(beeps_ms(path)[-4:], abs=60)
            assert_decodes(path)


class TestNodeGone:
    async def test_an_open_recording_is_sealed_after_a_while(self, tmp_path: Path) -> None:
        async with recorder(tmp_path, "--abandon-s", "0.3") as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", in_order(video(4), audio(4)))
            await until_stored(process, "r1", 2000)
            await node.client.close()
            watcher = Node(process)
            await watcher.client.start()
            event = await watcher.event("r1", "sealed")
            await watcher.client.close()
            records, _, _ = manifest.read(process.object(event["manifest"]).read_bytes())
            assert next(r for r in records if r["type"] == "closed")["reason"] == "abandoned"

    async def test_the_process_dies_with_its_parent(self, tmp_path: Path) -> None:
        script = (
            "import subprocess, sys, os, signal\n"
            "command = [sys.executable, '-m', 'recorder', '--socket', sys.argv[1], '--data', sys.argv[2]]\n"
            "child = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
            "child.stdout.readline()\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        socket = tmp_path / "s"
        arguments = ["-c", script, str(socket), str(tmp_path / "d")]
        parent = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=REPOSITORY)
        await parent.wait()
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_unix_connection(str(socket))
                except OSError:
                    break  # nobody listens any more
                writer.close()
                await asyncio.sleep(0.02)
