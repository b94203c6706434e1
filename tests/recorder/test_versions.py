"""What is made of a sealed recording: chapters, thumbnails, and versions that fit REQ-P1 to P10."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from recorder import manifest
from recorder.chapters import Bounds, Chapter, Hints, plan, webvtt
from recorder.derive import Slots
from recorder.objects import DiskStore
from recorder.spool import SEALED, RecordingSpool
from recorder.versions import Policy, make_versions

from .measure import assert_decodes, beeps_ms, boxes, duration_s, flashes_ms, pictures, probe
from .media import START_MS, Fed, audio, in_order, video
from .process import Node, RecorderProcess, recorder

OPTIONS = ("--versions", "web,archive", "--chapter-s", "2:5")
LEAST_BPS = {"web": 1_000_000, "archive": 4_000_000}


def lesson(seconds: float = 8) -> list[Fed]:
    """A camera of 4:3, and a screen of 16:9 from half of it on."""
    half = round(seconds / 2)
    screen = video(half, track="screen", width=640, height=360, fps=5, from_ms=half * 1000, source=3)
    return in_order(video(seconds), audio(seconds), screen)


async def until(found: Callable[[], bool], pause_s: float = 0.05) -> None:
    async with asyncio.timeout(60):
        while not found():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(pause_s)


def of_lesson(process: RecorderProcess, name: str = "r1") -> dict[str, bytes]:
    folder = process.data / "objects/L1"
    return {p.name: p.read_bytes() for p in folder.glob(f"{name}.*") if p.suffix != ".retain"}


async def made(process: RecorderProcess, node: Node, frames: list[Fed]) -> list[dict[str, Any]]:
    """Record, acknowledge, wait for the versions; the lines of the whole manifest."""
    await node.record("r1", frames)
    node.client.ack("r1")
    await until(lambda: not (process.data / "spool/r1").exists())
    data = process.object("L1/r1.versions.jsonl").read_bytes()
    lines, _, good = manifest.read(data)
    assert good == len(data)
    return lines


def brightness(path: Path, at_ms: int, x: float, y: float) -> int:
    """Of a point of the picture that stands at `at_ms`; `x` and `y` are parts of its width and height."""
    frame = next(f for at, f in reversed(pictures(path)) if at <= at_ms)
    plane = frame.planes[0]
    return bytes(plane)[plane.line_size * int(frame.height * y) + int(frame.width * x)]


@dataclass(frozen=True)
class Made:
    """A recording's objects in a folder, and the lines of its whole manifest."""

    folder: Path
    lines: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    def path(self, key: str) -> Path:
        return self.folder / key


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Eight seconds in two chapters and two versions, made once: nothing here changes it."""
    home = tmp_path_factory.mktemp("versions")

    async def record() -> list[dict[str, Any]]:
        async with recorder(home, *OPTIONS) as (process, node):
            return await made(process, node, lesson())

    return Made(home / "data/objects", asyncio.run(record()))


class TestFormat:
    def test_every_chapter_of_every_version_fits_the_profile(self, whole: Made) -> None:
        versions = whole.of("version")
        names = [(v["version"], v["chapter"]) for v in versions]
        assert names == [("web", 1), ("archive", 1), ("web", 2), ("archive", 2)]
        for line in versions:
            path = whole.path(line["key"])
            picture, sound = probe(path)["streams"]
            assert boxes(path) == ["ftyp", "moov", "mdat"]
            assert (picture["codec_name"], picture["width"], picture["height"]) == ("h264", 1280, 720)
            assert (picture["r_frame_rate"], picture["avg_frame_rate"]) == ("25/1", "25/1")
            assert int(picture["bit_rate"]) >= LEAST_BPS[line["version"]]
            assert (sound["codec_name"], sound["profile"]) == ("aac", "LC")
            assert (sound["sample_rate"], sound["channels"]) == ("48000", 2)

    def test_the_lessons_time_is_kept(self, whole: Made) -> None:
        for line in whole.of("version"):
            path, length_s = whole.path(line["key"]), (line["to_ms"] - line["from_ms"]) / 1000
            assert duration_s(path) == pytest.approx(length_s, abs=0.05)
            assert len(pictures(path)) == length_s * 25
            beeps = [at for at in beeps_ms(path) if at < length_s * 1000]  # AAC ends on whole packets
            assert flashes_ms(path) == pytest.approx(beeps, abs=40)
            assert_decodes(path)

    def test_the_camera_is_set_into_the_screen(self, whole: Made) -> None:
        alone, inset = (whole.path(v["key"]) for v in whole.of("version") if v["version"] == "web")
        # Alone the camera of 4:3 fills the height, with bars of black left and right.
        assert brightness(alone, 1040, 0.5, 0.02) > 200
        assert brightness(alone, 1040, 0.05, 0.5) < 30
        # A screen of 16:9 fills everything; its flash lasts one of its pictures, 200 ms, the camera's 100.
        assert brightness(inset, 2160, 0.02, 0.02) > 200
        assert brightness(inset, 2160, 0.9, 0.85) < 30

    async def test_a_lesson_without_pictures_is_black_and_heard(self, tmp_path: Path) -> None:
        async with recorder(tmp_path, "--versions", "web") as (process, node):
            (line,) = [v for v in await made(process, node, audio(3)) if v["type"] == "version"]
            path = process.object(line["key"])
            assert len(pictures(path)) == 75
            assert [round(at, -2) for at in beeps_ms(path)] == [0, 1000, 2000]
            assert int(probe(path)["streams"][0]["bit_rate"]) >= 1_000_000

    async def test_a_lesson_without_sound_is_silent(self, tmp_path: Path) -> None:
        async with recorder(tmp_path, "--versions", "web") as (process, node):
            (line,) = [v for v in await made(process, node, video(3)) if v["type"] == "version"]
            path = process.object(line["key"])
            assert [s["codec_type"] for s in probe(path)["streams"]] == ["video", "audio"]
            assert beeps_ms(path) == []


class TestManifest:
    def test_names_each_object_its_source_and_the_bytes_of_each_fragment(self, whole: Made) -> None:
        (sealed,) = whole.of("sealed")
        made_later = whole.lines[sealed["n"] + 1 :]
        assert made_later[0]["type"] == "chapters"
        assert made_later[-1]["type"] == "versions_done"
        for line in made_later[:-1]:
            data = whole.path(line["key"]).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (line["size"], line["sha256"])
        for line in whole.of("version"):
            data = whole.path(line["key"]).read_bytes()
            assert (line["source"], line["source_sha256"]) == (sealed["key"], sealed["sha256"])
            at = line["head_size"]
            for offset, size, digest, *_ in line["fragments"]:
                assert offset == at
                assert hashlib.sha256(data[offset : offset + size]).hexdigest() == digest
                at += size
            assert at == line["size"]

    def test_begins_with_the_bytes_of_the_sealed_one(self, whole: Made) -> None:
        later = whole.path("L1/r1.versions.jsonl").read_bytes()
        assert later.startswith(whole.path("L1/r1.manifest.jsonl").read_bytes())

    def test_thumbnails_and_chapter_list(self, whole: Made) -> None:
        for line in whole.of("thumbnail"):
            (picture,) = probe(whole.path(line["key"]))["streams"]
            assert (picture["codec_name"], picture["width"], picture["height"]) == ("mjpeg", 320, 180)
        assert (
            whole.path("L1/r1.chapters.vtt").read_text().startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:00:04")
        )
        (track,) = probe(whole.path("L1/r1.chapters.vtt"))["streams"]
        assert track["codec_name"] == "webvtt"


class TestParts:
    async def test_chapters_of_the_recorded_media_are_cut_to_the_millisecond(self, tmp_path: Path) -> None:
        async with recorder(tmp_path, "--versions", "parts", "--chapter-s", "2:4") as (process, node):
            lines = await made(process, node, lesson(10))
            recorded = {line["media_sha256"] for line in lines if line["type"] == "fragment"}
            parts = [line for line in lines if line["type"] == "version"]
            assert [(v["from_ms"], v["to_ms"]) for v in parts] == [(0, 3320), (3320, 6640), (6640, 10_000)]
            for line in parts:
                path, length_ms = process.object(line["key"]), line["to_ms"] - line["from_ms"]
                assert {digest for _, _, digest, *_ in line["fragments"]} <= recorded
                assert boxes(path) == ["ftyp", "moov", "mdat"]
                assert duration_s(path) == pytest.approx(length_ms / 1000, abs=0.05)
                first = -(-line["from_ms"] // 1000) * 1000
                seconds = [at - line["from_ms"] for at in range(first, line["to_ms"], 1000)]
                # A player shows nothing before 0; ffmpeg gives the pictures up to the keyframe all the same.
                assert [at for at in flashes_ms(path) if at >= 0] == pytest.approx(seconds, abs=5)
                beeps = [at for at in beeps_ms(path) if at < length_ms]
                assert beeps == pytest.approx(seconds, abs=40)
                assert_decodes(path)
            tracks = [[s["codec_type"] for s in probe(process.object(v["key"]))["streams"]] for v in parts]
            assert tracks == [["video", "audio"], ["video", "audio", "video"], ["video", "audio", "video"]]
            assert flashes_ms(process.object(parts[2]["key"]), 1)[-1] == pytest.approx(9000 - 6640, abs=5)


class TestSealing:
    async def test_waits_for_no_version(self, tmp_path: Path) -> None:
        async with recorder(tmp_path, *OPTIONS) as (process, node):
            await node.record("r1", lesson(4))
            assert not process.object("L1/r1.versions.jsonl").exists()


class TestUnreadable:
    def test_what_cannot_be_rendered_is_noted_and_ends(self, tmp_path: Path) -> None:
        spool = RecordingSpool(tmp_path / "r1")
        opened = {"recording": "r1", "lesson": "L1", "title": "", "started_at_ms": 5, "feed": "f"}
        spool.note("opened", format=2, retain_until_ms=None, **opened)
        (spool.folder / SEALED).write_bytes(b"no media at all")
        digest = hashlib.sha256(b"no media at all").hexdigest()
        spool.note("sealed", key="L1/r1.mp4", sha256=digest, size=15, duration_ms=1000, placed=[])
        slots = Slots(threading.Semaphore(), threading.Semaphore())
        store = DiskStore(tmp_path / "objects")
        make_versions(spool, store, Policy(("web",)), slots, threading.Event())
        lines, _, _ = manifest.read((tmp_path / "objects/L1/r1.versions.jsonl").read_bytes())
        assert [line["type"] for line in lines[2:]] == ["chapters", "version_failed", "versions_done"]
        assert (lines[3]["version"], lines[3]["chapter"]) == ("web", 1)


def noted(kind: str, count: int = 1) -> Callable[[Path], bool]:
    def is_noted(data: Path) -> bool:
        path = data / "spool/r1/manifest.jsonl"
        text = path.read_bytes() if path.exists() else b""
        return text.count(b'"type":"%s"' % kind.encode()) >= count

    return is_noted


def there(name: str) -> Callable[[Path], bool]:
    return lambda data: (data / name).exists()


STEPS = [
    noted("closed"),
    there("spool/r1/sealed.part"),
    there("objects/L1/r1.mp4"),
    noted("sealed"),
    there("objects/L1/r1.manifest.jsonl"),
    there("spool/r1/final.json"),
    noted("chapters"),
    there("objects/L1/r1.chapter.01.jpg"),
    there("objects/L1/r1.web.01.mp4"),
    noted("version", 1),
    noted("version", 2),
    noted("versions_done"),
    there("objects/L1/r1.versions.jsonl"),
]


class TestKilled:
    """REL-R17."""

    async def test_after_every_step_the_same_objects_come_out(self, tmp_path: Path) -> None:
        options = ("--versions", "web", "--chapter-s", "0.5:1")
        frames = lesson(2)
        (tmp_path / "plain").mkdir()
        async with recorder(tmp_path / "plain", *options) as (process, node):
            await made(process, node, frames)
            whole = of_lesson(process)
        process = RecorderProcess(tmp_path, *options)
        await process.start()
        node = Node(process)
        await node.client.start()
        try:
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", frames)
            node.client.close_recording("r1")
            for step in STEPS:
                await until(lambda step=step: step(process.data), 0.001)
                await process.kill()
                await process.start()
            await node.event("r1", "sealed")
            node.client.ack("r1")
            await until(lambda: not (process.data / "spool/r1").exists())
            again = of_lesson(process)
        finally:
            await node.client.close()
            await process.terminate()
        assert again.keys() == whole.keys()
        media = [name for name in whole if name.endswith((".mp4", ".jpg", ".vtt"))]
        assert [name for name in media if again[name] != whole[name]] == []
        lines, _, good = manifest.read(again["r1.versions.jsonl"])
        assert good == len(again["r1.versions.jsonl"])
        kinds = [line["type"] for line in lines]
        once = ("sealed", "chapters", "versions_done")
        assert [kinds.count(kind) for kind in once] == [1, 1, 1]
        assert kinds.count("version") == sum(".web." in name for name in whole)


class TestChapters:
    @pytest.mark.parametrize("minutes", [1, 15, 16, 29, 31, 45, 90, 181])
    def test_cover_everything_in_5_to_15_minutes(self, minutes: int) -> None:
        hints = Hints(tuple((at, at + 1500) for at in range(0, minutes * 60_000, 97_000)))
        chapters = plan(minutes * 60_000, hints)
        assert chapters[0].from_ms == 0
        assert chapters[-1].to_ms == minutes * 60_000
        assert all(a.to_ms == b.from_ms for a, b in pairwise(chapters))
        if minutes > 15:
            assert all(300_000 <= c.to_ms - c.from_ms <= 900_000 for c in chapters)

    def test_are_cut_where_a_slide_changes_in_a_silence_first(self) -> None:
        hints = Hints(silences=((599_000, 601_000), (700_000, 702_000)), slides=(500_000, 701_000))
        assert plan(1_200_000, hints)[1] == Chapter(701_000 // 40 * 40, 1_200_000, "slide_in_silence")

    def test_are_a_webvtt_list(self) -> None:
        text = webvtt(plan(20 * 60_000, Hints(), Bounds()))
        assert "2\n00:10:00.000 --> 00:20:00.000\n2 · 00:10:00" in text
