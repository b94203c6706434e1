"""A long recording goes on from reel to reel: nothing is lost in between, and the proof is unbroken."""

from __future__ import annotations

import array
import asyncio
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from liveserver.cli import main
from recorder import manifest
from recorder.spool import RecordingSpool
from recorder.verify import verify

from .deck import Deck
from .measure import assert_decodes, beeps_ms, duration_s, flashes_ms, pictures, samples
from .media import START_MS, Fed, audio, in_order, video
from .process import Node, RecorderProcess, recorder


@pytest.fixture
def deck(tmp_path: Path) -> Callable[[int], Deck]:
    return lambda reel_ms: Deck(tmp_path, reel_ms)


def on_one_line(deck: Deck, files: list[Path], times: Callable[[Path], list[float]]) -> list[float]:
    """Times of all reels, counted from the first one's beginning."""
    return [at + begins for begins, path in zip(deck.begins_ms(), files, strict=True) for at in times(path)]


class TestNothingIsLost:
    def test_every_picture_and_every_sound_is_in_one_of_them(self, deck) -> None:
        played = deck(3000).play(in_order(video(15), audio(15)))
        files = played.end()
        assert len(files) == 3
        assert sum(len(pictures(path)) for path in files) == 15 * 25
        for path in files:
            assert_decodes(path)
        seconds = [1000.0 * n for n in range(15)]
        assert on_one_line(played, files, flashes_ms) == pytest.approx(seconds, abs=1)
        assert on_one_line(played, files, beeps_ms) == pytest.approx(seconds, abs=10)

    def test_their_lengths_add_up_to_the_truth(self, deck) -> None:
        played = deck(3000).play(in_order(video(15), audio(15)))
        files = played.end()
        lengths = [event["duration_ms"] for event in played.events]
        assert played.begins_ms() == [0, lengths[0], lengths[0] + lengths[1]]
        assert sum(lengths) == pytest.approx(15_000, abs=25)
        assert sum(map(duration_s, files)) == pytest.approx(15, abs=0.025)
        assert [event["next"] for event in played.events] == ["r1-2", "r1-3", None]

    def test_sound_goes_on_without_a_click(self, deck) -> None:
        """A steady tone: where one reel ends and the next begins it is as smooth as within one."""
        played = deck(3000).play(in_order(video(9), tone(9)))
        files = played.end()
        whole = array.array("h")
        for path, event in zip(files, played.events, strict=True):
            heard = samples(path)
            assert len(heard) == pytest.approx(event["duration_ms"] * 48, abs=1100)
            whole += heard[: event["duration_ms"] * 48]
        steps = [abs(after - before) for before, after in pairwise(whole)]
        usual = max(steps[4800:48_000])
        seam = played.begins_ms()[1] * 48
        assert max(steps[seam - 4800 : seam + 4800]) <= usual * 1.5

    def test_a_screen_between_two_keyframes_is_led_in(self, deck) -> None:
        screen = video(12, track="screen", width=160, height=120, rtp_base=99, source=3, late_ms=7)
        camera = video(11, from_ms=1000)  # keyframes at odd seconds
        played = deck(3000).play(in_order(camera, screen, audio(12)))
        files = played.end()
        assert len(files) >= 2
        for path, begins in zip(files[1:], played.begins_ms()[1:], strict=True):
            assert begins % 2000 == 1000  # where the camera's keyframe is
            shown = pictures(path, 1)
            early = [at for at, _ in shown if at < 2]
            assert len(early) > 20  # from the screen's keyframe on, at once
            assert shown[len(early)][0] == pytest.approx(7, abs=3)
            assert_decodes(path)

    def test_without_keyframes_it_parts_between_two_after_a_while(self, deck) -> None:
        """A source that sends keyframes every 20 s, as OBS may."""
        fed = video(24, fps=10)
        rare = encoded_rarely(24)
        assert len([f for f in rare if f.keyframe]) == 2 < len([f for f in fed if f.keyframe])
        played = deck(3000).play(in_order(rare, audio(24)))
        files = played.end()
        assert len(files) >= 2
        assert sum(event["duration_ms"] for event in played.events) == pytest.approx(24_000, abs=100)
        for path in files:
            assert_decodes(path)
            assert pictures(path)[0][0] < 1

    def test_sound_alone_goes_on_too(self, deck) -> None:
        played = deck(3000).play(audio(32))
        files = played.end()
        assert len(files) == 3
        assert on_one_line(played, files, beeps_ms) == pytest.approx([1000.0 * n for n in range(32)], abs=10)

    def test_vp8_goes_on_in_another_matroska_file(self, deck) -> None:
        small = {"codec": "vp8", "width": 80, "height": 60}
        camera = video(7, **small)  # type: ignore[arg-type]
        screen = video(7, track="screen", from_ms=1000, rtp_base=9, source=3, **small)  # type: ignore[arg-type]
        played = deck(3000).play(in_order(camera, screen, audio(7)))
        files = played.end()
        assert len(files) == 2
        for path in files:
            assert_decodes(path)
        seen = on_one_line(played, files, flashes_ms)
        assert sorted({round(at, -3) for at in seen}) == [1000.0 * n for n in range(7)]
        assert seen == pytest.approx([round(at, -3) for at in seen], abs=20)

    def test_what_is_still_missing_when_a_reel_begins_is_a_gap_in_both(self, deck) -> None:
        camera = [f for f in video(14) if not 5000 <= f.at_ms < 12_000]
        played = deck(3000).play(in_order(camera, audio(14)))
        played.end()
        spans = [
            (g["from_ms"] + begins, g["to_ms"] + begins)
            for begins, event in zip(played.begins_ms(), played.events, strict=True)
            for g in event["gaps"]
            if g["track"] == "camera"
        ]
        assert min(a for a, _ in spans) == pytest.approx(5000, abs=1100)
        assert max(b for _, b in spans) == pytest.approx(12_000, abs=50)


def tone(seconds: float) -> list[Fed]:
    """A steady 440 Hz in Opus."""
    import av

    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format, context.bit_rate = 48_000, "stereo", "s16", 96_000
    fed: list[Fed] = []
    for block in range(round(seconds * 50)):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=960)
        frame.sample_rate, frame.pts = 48_000, block * 960
        values = array.array("h")
        for n in range(block * 960, block * 960 + 960):
            values.extend([int(8000 * math.sin(2 * math.pi * 440 * n / 48_000))] * 2)
        frame.planes[0].update(values.tobytes())
        for packet in context.encode(frame):
            at = len(fed) * 20
            fed.append(Fed(at, "audio", "opus", at * 48, 48_000, True, START_MS + at, bytes(packet), 0, 2))
    return fed


def encoded_rarely(seconds: int) -> list[Fed]:
    """Ten pictures a second, a keyframe every 20 s."""
    from fractions import Fraction

    import av

    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 160, 120, "yuv420p"
    context.time_base, context.framerate, context.gop_size = Fraction(1, 10), Fraction(10), 200
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0"}
    fed = []
    for n in range(seconds * 10):
        frame = av.VideoFrame(160, 120, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes((n % 200,)) * plane.buffer_size)
        frame.pts, at = n, n * 100
        for packet in context.encode(frame):
            key = packet.is_keyframe
            fed.append(Fed(at, "camera", "h264", at * 90, 90_000, key, START_MS + at, bytes(packet), 0, 1))
    return fed


class TestTheProof:
    def test_each_goes_on_from_the_chain_of_the_one_before(self, deck) -> None:
        played = deck(3000).play(in_order(video(15), audio(15)))
        played.end()
        chains: dict[str, list[str]] = {}
        for event in played.events:
            data = (played.folder / "objects" / event["manifest"]).read_bytes()
            records, _, good = manifest.read(data)
            assert good == len(data)
            name = records[0]["recording"]
            chains[name] = [manifest.through(data, n)[1] for n in range(len(records))]
            continues = next((r for r in records if r["type"] == "continues"), None)
            if event["reel"] > 1:
                assert continues is not None
                assert chains[continues["recording"]][continues["line"]] == continues["from_chain"]
            closed = next(r for r in records if r["type"] == "closed")
            assert closed.get("next") == event["next"]
        assert list(chains) == ["r1", "r1-2", "r1-3"]


class TestACrashInBetween:
    @pytest.mark.parametrize("step", range(6))
    async def test_leaves_every_picture_in_one_of_the_reels(
        self, tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Cut short after each line that `go_on` writes: the next start has what is on the disk then."""
        frames = in_order(video(9), audio(9))
        made = Deck(tmp_path / "data", 3000)
        (tmp_path / "data" / "outbox").mkdir()
        notes = 0

        class CutError(Exception):
            pass

        def note(self: RecordingSpool, kind: str, **fields: Any) -> None:
            nonlocal notes
            if self.folder.name != "r1" or kind == "closed":
                if notes == step:
                    raise CutError
                notes += 1
            original(self, kind, **fields)

        original = RecordingSpool.note
        monkeypatch.setattr(RecordingSpool, "note", note)
        parted_at = 0
        try:
            for number, frame in enumerate(frames):
                parted_at = number
                made.play([frame])
        except CutError:
            pass
        monkeypatch.undo()
        fed = frames[: parted_at + 1]
        async with recorder(tmp_path, "--abandon-s", "0.1") as (process, node):
            last = await self.last(node)
            files = {e["reel"]: e for e in node.events if e["state"] == "sealed"}
            paths = [process.object(files[n]["path"]) for n in sorted(files)]
            assert sum(len(pictures(path)) for path in paths) == sum(f.track == "camera" for f in fed)
            manifests = [process.object(files[n]["manifest"]) for n in sorted(files)]
            for number, path in enumerate(paths):
                before = manifests[number - 1] if number else None
                assert verify(path, manifests[number], "", before).findings == ()
            length_ms = last["begins_ms"] + last["duration_ms"]
            assert length_ms == pytest.approx(max(f.at_ms for f in fed) + 40, abs=50)
            for path in paths:
                assert_decodes(path)

    async def last(self, node: Node) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                sealed = {e["reel"]: e for e in node.events if e["state"] == "sealed"}
                if sealed and sealed[max(sealed)]["next"] is None and len(sealed) == max(sealed):
                    return sealed[max(sealed)]
                await asyncio.sleep(0.05)


class TestTheRecorder:
    async def test_seals_each_while_the_next_one_runs(self, tmp_path: Path) -> None:
        frames = in_order(video(14), audio(14))
        async with recorder(tmp_path, "--reel-s", "4") as (process, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", [f for f in frames if f.at_ms < 5000])
            await node.event("r1", "recording")
            await node.feed("r1", [f for f in frames if 5000 <= f.at_ms < 7000])
            first = await node.event("r1", "sealed")
            assert (first["next"], first["reel"]) == ("r1-2", 1)
            node.client.ack("r1", series="")  # the lesson's recording goes on
            going_on = await node.event("r1-2", "recording")
            assert going_on["begins_ms"] == first["duration_ms"]
            await process.kill()
            await process.start()
            await node.feed("r1", [f for f in frames if f.at_ms >= 7000])
            node.client.close_recording("r1")
            second = await node.event("r1-2", "sealed")
            assert second["next"] is None
            assert second["gaps"] == []
            assert first["duration_ms"] + second["duration_ms"] == pytest.approx(14_000, abs=50)
            files = [process.object(event["path"]) for event in (first, second)]
            assert sum(len(pictures(path)) for path in files) == 350
            for path in files:
                assert_decodes(path)

    async def test_is_told_the_end_of_a_recording_that_was_asked_for_again(self, tmp_path: Path) -> None:
        frames = in_order(video(8), audio(8))
        async with recorder(tmp_path, "--reel-s", "2") as (_, node):
            node.client.open("r1", "L1", "A lesson", START_MS)
            await node.feed("r1", [f for f in frames if f.at_ms < 5000])
            await node.event("r1", "recording")
            await node.feed("r1", [f for f in frames if f.at_ms >= 5000])
            await node.event("r1", "sealed")
            node.client.close_recording("r1")
            last = await node.event("r1-2", "sealed")
            again = Node(RecorderProcess(tmp_path))
            await again.client.start()
            again.client.open("r1", "L1", "A lesson", START_MS)
            assert await again.event("r1-2", "sealed") == last
            await again.client.close()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Deck:
    played = Deck(tmp_path_factory.mktemp("reels"), 3000).play(in_order(video(11), audio(11)))
    played.end()
    return played


class TestVerification:
    def found(self, sealed: Deck, number: int, previous: Path | None) -> list[str]:
        event = sealed.events[number]
        objects = sealed.folder / "objects"
        verdict = verify(objects / event["path"], objects / event["manifest"], "", previous)
        assert verdict.intact == (not verdict.findings)
        return [finding.detail for finding in verdict.findings]

    def manifest_of(self, sealed: Deck, number: int) -> Path:
        return sealed.folder / "objects" / sealed.events[number]["manifest"]

    def test_the_join_is_proven_by_both_manifests(self, sealed: Deck, capsys: Any) -> None:
        assert self.found(sealed, 0, None) == []
        assert self.found(sealed, 1, self.manifest_of(sealed, 0)) == []
        file = sealed.folder / "objects" / sealed.events[1]["path"]
        options = ["--manifest", str(self.manifest_of(sealed, 1))]
        assert main(["verify", str(file), *options]) == 0
        assert "goes on from r1 (to prove that" in capsys.readouterr().out
        assert main(["verify", str(file), *options, "--previous", str(self.manifest_of(sealed, 0))]) == 0
        assert "goes on from r1 (proven)" in capsys.readouterr().out

    def test_another_manifest_before_it_is_named(self, sealed: Deck, tmp_path: Path) -> None:
        assert "not from r1-2" in self.found(sealed, 1, self.manifest_of(sealed, 1))[0]
        assert "first part" in self.found(sealed, 0, self.manifest_of(sealed, 1))[0]
        lines, _, _ = manifest.read(self.manifest_of(sealed, 0).read_bytes())
        lines[0]["title"] = "Another lesson"
        forged, last = b"", manifest.CHAIN_START
        for line in lines:
            text, last = manifest.link(last, line)
            forged += text
        (tmp_path / "forged.jsonl").write_bytes(forged)
        assert "another chain" in self.found(sealed, 1, tmp_path / "forged.jsonl")[0]
        (tmp_path / "cut.jsonl").write_bytes(forged[:600])
        assert "ends, before" in self.found(sealed, 1, tmp_path / "cut.jsonl")[0]
