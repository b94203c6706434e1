"""A lesson from the first frame to the sealed file, through the real socket and the real process."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from recorder import manifest

from .measure import assert_decodes, beeps_ms, boxes, duration_s, flashes_ms, pictures, probe, streams
from .media import START_MS, audio, in_order, video, without
from .process import recorder


class TestSealing:
    async def test_h264_and_opus_become_a_fast_start_mp4_with_aac(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(7), audio(7)))
            path = process.object(event["path"])
            assert event["state"] == "sealed"
            assert boxes(path) == ["ftyp", "moov", "mdat"]
            assert streams(path) == [("video", "h264"), ("audio", "aac")]
            sound = probe(path)["streams"][1]
            assert (sound["profile"], sound["sample_rate"], sound["channels"]) == ("LC", "48000", 2)
            assert duration_s(path) == pytest.approx(7, abs=0.1)
            assert event["duration_ms"] == pytest.approx(7000, abs=100)
            assert len(pictures(path)) == 7 * 25
            assert_decodes(path)

    async def test_hash_and_size_are_the_files(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(3), audio(3)))
            data = process.object(event["path"]).read_bytes()
            assert event["sha256"] == hashlib.sha256(data).hexdigest()
            assert event["size"] == len(data)

    async def test_the_stored_file_is_read_only_and_private(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(3), audio(3)))
            assert process.object(event["path"]).stat().st_mode & 0o777 == 0o400

    async def test_media_bytes_are_the_publishers(self, tmp_path: Path) -> None:
        fed = video(3)
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", fed)
            stored = process.object(event["path"]).read_bytes()
            slices = [nal for frame in fed for nal in frame.data.split(b"\0\0\1")[-1:]]
            assert all(nal in stored for nal in slices)

    async def test_every_fragment_is_proven_by_the_manifest(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(7), audio(7)))
            data = process.object(event["path"]).read_bytes()
            text = process.object(event["manifest"]).read_bytes()
        records, chain, good = manifest.read(text)
        assert good == len(text)
        assert chain.hex() == event["chain"]
        sealed = records[-1]
        assert sealed["type"] == "sealed"
        covered = 0
        for number, offset in sealed["placed"]:
            line = records[number]
            media = data[offset : offset + line["media_size"]]
            assert hashlib.sha256(media).hexdigest() == line["media_sha256"]
            covered += len(media)
        assert covered == len(data) - min(offset for _, offset in sealed["placed"])

    async def test_fragments_begin_with_keyframes_and_last_two_seconds(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(12), audio(12)))
            records, _, _ = manifest.read(process.object(event["manifest"]).read_bytes())
        lengths = [r["duration_ms"] for r in records if r["type"] == "fragment" and r["track"] == "camera"]
        # The first waits for sender reports, which never come here.
        assert lengths == [4000, 2000, 2000, 2000, 2000]
        assert all(r["independent"] for r in records if r["type"] == "fragment")

    async def test_camera_and_screen_are_two_video_tracks(self, tmp_path: Path) -> None:
        screen = video(4, track="screen", width=640, height=360, from_ms=2000, rtp_base=99, source=3)
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(7), audio(7), screen))
            path = process.object(event["path"])
            assert [s["codec_type"] for s in probe(path)["streams"]] == ["video", "audio", "video"]
            assert pictures(path, 1)[0][0] == pytest.approx(2000, abs=5)
            assert flashes_ms(path, 0)[2] == pytest.approx(flashes_ms(path, 1)[0], abs=5)
            assert_decodes(path)

    @pytest.mark.parametrize("frames", [video(3, track="screen"), audio(3), video(3)])
    async def test_any_single_track_is_a_recording(self, tmp_path: Path, frames: list) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", frames)
            assert event["state"] == "sealed"
            assert duration_s(process.object(event["path"])) == pytest.approx(3, abs=0.1)
            assert_decodes(process.object(event["path"]))

    async def test_nothing_recorded_is_a_failure_that_says_so(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (_, node):
            event = await node.record("r1", [])
            assert (event["state"], event["detail"], event["path"]) == ("failed", "no_media", None)


class TestTimes:
    async def test_sound_before_the_first_keyframe_is_kept_and_in_sync(self, tmp_path: Path) -> None:
        late = [f for f in video(8) if f.at_ms >= 1200]  # begins between keyframes: the next is at 2 s
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(late, audio(8)))
            path = process.object(event["path"])
            assert pictures(path)[0][0] == pytest.approx(2000, abs=5)
            assert beeps_ms(path)[0] < 20
            assert flashes_ms(path) == pytest.approx(beeps_ms(path)[2:], abs=40)
            assert_decodes(path)

    async def test_picture_before_sound_is_in_sync(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(6), audio(4, from_ms=1500)))
            path = process.object(event["path"])
            assert flashes_ms(path)[2:] == pytest.approx(beeps_ms(path), abs=40)

    async def test_sender_reports_put_lips_and_voice_together(self, tmp_path: Path) -> None:
        # The picture arrives 300 ms after the voice; the publisher's clock is an hour off.
        camera, voice = video(9, late_ms=300), audio(9)
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            frames = in_order(camera, voice)
            await node.feed("r1", frames[:60])
            node.report("r1", camera[3], 3_600_000)
            node.report("r1", voice[10], 3_600_000)
            await node.feed("r1", frames[60:])
            node.client.close_recording("r1")
            event = await node.event("r1", "sealed")
            path = process.object(event["path"])
            apart = [f - b for f, b in zip(flashes_ms(path), beeps_ms(path), strict=True)]
            assert max(map(abs, apart)) <= 80
            assert_decodes(path)

    async def test_late_sender_reports_correct_what_follows(self, tmp_path: Path) -> None:
        camera, voice = video(12, late_ms=300), audio(12)
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            frames = in_order(camera, voice)
            await node.feed("r1", [f for f in frames if f.at_ms < 6000])
            node.report("r1", camera[149])
            node.report("r1", voice[299])
            await node.feed("r1", [f for f in frames if f.at_ms >= 6000])
            node.client.close_recording("r1")
            path = process.object((await node.event("r1", "sealed"))["path"])
            apart = [f - b for f, b in zip(flashes_ms(path), beeps_ms(path), strict=True)]
            assert max(map(abs, apart[7:])) <= 80

    async def test_variable_frame_rate_keeps_each_frames_time(self, tmp_path: Path) -> None:
        # 25 a second, a still of 1.96 s, then 10 a second: as a shared screen does.
        fed = [f for f in video(6) if f.at_ms <= 2000] + video(2, fps=10, from_ms=4000)
        times = [f.at_ms for f in fed]
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", fed)
            path = process.object(event["path"])
            assert [round(at) for at, _ in pictures(path)] == pytest.approx(times, abs=1)

    async def test_a_new_picture_size_is_a_new_sample_description(self, tmp_path: Path) -> None:
        small = video(4, width=160, height=120, from_ms=4000)
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(4), small, audio(8)))
            path = process.object(event["path"])
            assert path.read_bytes().count(b"avcC") == 2
            sizes = {(frame.width, frame.height) for _, frame in pictures(path)}
            assert sizes == {(320, 240), (160, 120)}
            assert len(pictures(path)) == 200
            assert_decodes(path)


class TestLosses:
    async def test_a_loss_freezes_up_to_the_next_keyframe_and_is_noted(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(list(without(video(9), 4480, 4560)), audio(9)))
            path = process.object(event["path"])
            assert event["gaps"] == [{"track": "camera", "from_ms": 4480, "to_ms": 6000, "reason": "lost"}]
            assert flashes_ms(path)[-3:] == pytest.approx(beeps_ms(path)[-3:], abs=40)
            assert_decodes(path)

    async def test_lost_sound_becomes_silence_of_the_same_length(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(9), list(without(audio(9), 3500, 3900))))
            path = process.object(event["path"])
            assert event["gaps"] == [{"track": "audio", "from_ms": 3500, "to_ms": 3900, "reason": "lost"}]
            assert duration_s(path) == pytest.approx(9, abs=0.1)
            assert flashes_ms(path) == pytest.approx(beeps_ms(path), abs=40)

    async def test_a_publisher_who_comes_back_goes_on_on_the_wall_clock(self, tmp_path: Path) -> None:
        # Another SSRC, other timestamp bases, 2.4 s away.
        again = {"from_ms": 6400, "source": 9}
        first = in_order(video(4), audio(4))
        second = in_order(video(4, rtp_base=0xFFFFF000, **again), audio(4, rtp_base=0xFFFFFF00, **again))
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", first + second)
            path = process.object(event["path"])
            assert duration_s(path) == pytest.approx(10.4, abs=0.1)
            assert {(g["track"], g["reason"]) for g in event["gaps"]} == {
                ("camera", "source_changed"),
                ("audio", "source_changed"),
            }
            for gap in event["gaps"]:
                assert (gap["from_ms"], gap["to_ms"]) == pytest.approx((4000, 6400), abs=30)
            assert flashes_ms(path) == pytest.approx(beeps_ms(path), abs=60)
            assert flashes_ms(path)[-1] == pytest.approx(10_000, abs=60)
            assert_decodes(path)

    async def test_a_jump_of_timestamps_alone_is_a_new_run(self, tmp_path: Path) -> None:
        second = [
            replace(f, rtp_timestamp=(f.rtp_timestamp + 77_777_777) & 0xFFFFFFFF) for f in video(8)[100:]
        ]
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(8)[:100] + second, audio(8)))
            path = process.object(event["path"])
            assert duration_s(path) == pytest.approx(8, abs=0.1)
            assert flashes_ms(path) == pytest.approx(beeps_ms(path), abs=60)


class TestVp8:
    async def test_a_vp8_lesson_is_sealed_as_h264_and_kept_as_it_was(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(5, codec="vp8"), audio(5)))
            path = process.object(event["path"])
            assert streams(path) == [("video", "h264"), ("audio", "aac")]
            assert flashes_ms(path) == pytest.approx(beeps_ms(path), abs=40)
            assert_decodes(path)
            original = process.object("L1/r1.camera.vp8.mkv")
            assert streams(original) == [("video", "vp8")]
            assert_decodes(original)
            records, _, _ = manifest.read(process.object(event["manifest"]).read_bytes())
            noted = next(r for r in records if r["type"] == "original")
            assert noted["sha256"] == hashlib.sha256(original.read_bytes()).hexdigest()

    async def test_progress_of_the_transcode_is_told(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (_, node):
            await node.record("r1", video(8, codec="vp8"))
            assert [e["progress"] for e in node.events if e["state"] == "sealing"][-1] > 0

    async def test_a_publisher_may_come_back_with_the_other_codec(self, tmp_path: Path) -> None:
        back = video(4, codec="vp8", from_ms=4000, width=160, height=120, source=9, rtp_base=5)
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(4), back, audio(8)))
            path = process.object(event["path"])
            assert len(pictures(path)) == 200
            assert flashes_ms(path) == pytest.approx(beeps_ms(path), abs=40)
            assert_decodes(path)

    async def test_a_new_vp8_picture_size_goes_on(self, tmp_path: Path) -> None:
        small = video(4, codec="vp8", width=161, height=121, from_ms=4000)
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", in_order(video(4, codec="vp8"), small))
            path = process.object(event["path"])
            assert {(f.width, f.height) for _, f in pictures(path)} == {(320, 240), (160, 120)}
            assert_decodes(path)


class TestEvents:
    async def test_the_final_event_comes_until_it_is_acknowledged(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            await node.record("r1", audio(2))
            assert (process.data / "spool" / "r1" / "final.json").exists()
            assert json.loads((process.data / "spool" / "r1" / "final.json").read_text())["state"] == "sealed"
            node.client.ack("r1")
            other = await node.record("r2", audio(2))
            assert other["state"] == "sealed"
            assert not (process.data / "spool" / "r1").exists()

    async def test_several_lessons_at_once_do_not_mix(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            fed = {"a": in_order(video(3), audio(3)), "b": in_order(video(5), audio(5))}
            for name, frames in fed.items():
                node.client.open(name, f"lesson-{name}", name, START_MS)
                await node.feed(name, frames)
            for name in fed:
                node.client.close_recording(name)
            for name, length in (("a", 3), ("b", 5)):
                event = await node.event(name, "sealed")
                assert event["path"] == f"lesson-{name}/{name}.mp4"
                assert duration_s(process.object(event["path"])) == pytest.approx(length, abs=0.1)
