"""REL-G12: lips and voice stay together, and the file is as long as the lesson, whatever the network did."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from recorder import spool
from recorder.feed import Codec, Frame, Track
from recorder.fmp4 import Part
from recorder.packager import Packager

from .deck import Deck
from .measure import assert_decodes, beeps_ms, boxes, duration_s, flashes_ms, pictures, probe
from .media import START_MS, Fed, audio, in_order, video
from .process import recorder

SYNC_MS = 80
OPENED = {
    "format": 2,
    "recording": "r1",
    "lesson": "L1",
    "title": "",
    "started_at_ms": START_MS,
    "feed": "f",
    "retain_until_ms": None,
}


def apart_ms(path: Path) -> list[float]:
    """How far each flash that was seen is from its beep; a flash lost with a freeze does not count."""
    beeps = beeps_ms(path)
    return [min((abs(flash - beep) for beep in beeps), default=1e9) for flash in flashes_ms(path)]


def p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def lossy(frames: list[Fed], rng: random.Random, rate: float) -> list[Fed]:
    """Frames the repairs did not save; arrivals jitter by up to 60 ms without overtaking."""
    out: list[Fed] = []
    lost, before = 0, 0
    for frame in frames:
        if rng.random() < rate and not frame.keyframe:
            lost += 1
            continue
        before = max(before, frame.arrival_ms + rng.randrange(60))
        out.append(replace(frame, lost_before=lost, arrival_ms=before))
        lost = 0
    return out


class TestLossAndDropout:
    def test_ten_per_cent_loss_and_a_publisher_who_drops_out(self, tmp_path: Path) -> None:
        # 39 s, away from 10 to 30 s and back with other SSRCs and clock bases; the camera is 150 ms late.
        rng = random.Random(12)
        away = {"from_ms": 30_000}
        camera = [
            *video(10, late_ms=150, bitrate=200_000),
            *video(9, late_ms=150, rtp_base=5, source=11, bitrate=200_000, **away),
        ]
        voice = [*audio(10), *audio(9, rtp_base=0xFFFFFF00, source=12, **away)]
        # A picture of ten packets, of which NACK and RTX save most: one frame in two hundred is lost.
        frames = in_order(
            lossy(camera, rng, 0.005),
            [replace(f, keyframe=True) for f in lossy([replace(f, keyframe=False) for f in voice], rng, 0.1)],
        )
        deck = Deck(tmp_path, 3_600_000)
        told: dict[tuple[str, int], int] = {}
        for frame in frames:
            deck.play([frame])
            key = (frame.track, frame.source)
            if frame.at_ms - told.get(key, -9999) >= 2500:  # as browsers send reports
                told[key] = frame.at_ms
                deck.report(frame, 3_600_000)
        (path,) = deck.end()
        assert duration_s(path) == pytest.approx(39, abs=0.1)
        assert p95(apart_ms(path)) <= SYNC_MS
        reasons = {(g["track"], g["reason"]) for g in deck.events[0]["gaps"]}
        assert ("camera", "source_changed") in reasons
        assert ("audio", "source_changed") in reasons
        assert ("audio", "lost") in reasons
        assert_decodes(path)


class TestEnds:
    async def test_a_voice_that_ends_early_is_silence_to_the_end(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(8), audio(4)))
            path = process.object(event["path"])
            assert [(g["track"], g["reason"]) for g in event["gaps"]] == [("audio", "no_media")]
            assert event["gaps"][0]["from_ms"] == pytest.approx(4000, abs=50)
            assert lengths_s(path) == pytest.approx([8, 8], abs=0.05)
            assert_decodes(path)

    async def test_a_camera_that_ends_early_stands_still_to_the_end(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(4), audio(8)))
            path = process.object(event["path"])
            assert [(g["track"], g["reason"]) for g in event["gaps"]] == [("camera", "no_media")]
            assert event["gaps"][0]["to_ms"] == pytest.approx(8000, abs=50)
            assert lengths_s(path) == pytest.approx([8, 8], abs=0.05)
            assert len(pictures(path)) == 100
            assert_decodes(path)


def lengths_s(path: Path) -> list[float]:
    return [float(s["duration"]) for s in probe(path)["streams"]]


class TestParts:
    def test_every_durable_fragment_is_told_and_plays_after_its_init(self, tmp_path: Path) -> None:
        parts: list[Part] = []
        folder = spool.RecordingSpool(tmp_path / "r1", parts.append)
        folder.note("opened", **OPENED)
        packager = Packager(folder)
        numbers: dict[str, int] = {}
        for frame in in_order(video(9), audio(9)):
            numbers[frame.track] = numbers.get(frame.track, 0) + 1
            packager.push(received(numbers[frame.track], frame), frame.arrival_ms)
        packager.finish()
        told = [(p.number, p.track, p.start_ms, p.duration_ms) for p in parts]
        noted = [(f.n, f.track, f.start_ms, f.duration_ms) for f in folder.contents.fragments]
        assert told == noted
        assert all(part.independent for part in parts)
        second = [p for p in parts if p.track == "camera"][1]
        (tmp_path / "part.mp4").write_bytes(second.init + second.data)
        assert boxes(tmp_path / "part.mp4") == ["ftyp", "moov", "moof", "mdat"]
        assert len(pictures(tmp_path / "part.mp4")) == second.duration_ms // 40


def received(number: int, fed: Fed) -> Frame:
    """A frame as the recorder has it from the feed."""
    fields = {**fed.arguments(), "track": Track(fed.track), "codec": Codec(fed.codec)}
    return Frame(recording="r1", n=number, **fields)
