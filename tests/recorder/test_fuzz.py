"""Hostile frames and a hostile feed never end the process nor touch another lesson."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder import feed, h264, manifest, matroska
from recorder.audio import AudioTranscoder

from .measure import assert_decodes
from .media import START_MS, Fed, audio, in_order, video
from .process import recorder

CORPUS = Path(__file__).parents[2] / "../shared/data/fuzz"
FOLDERS = ("h264", "mp4", "audio")


def corpus() -> list[bytes]:
    if not CORPUS.is_dir():
        pytest.skip(f"the fuzz corpus is not at {CORPUS}")
    return [path.read_bytes() for folder in FOLDERS for path in sorted((CORPUS / folder).iterdir())]


def as_frames(payloads: list[bytes], track: str, codec: str) -> list[Fed]:
    rate = 48_000 if codec == "opus" else 90_000
    return [
        Fed(n * 40, track, codec, n * 40 * rate // 1000, rate, n % 3 == 0, START_MS + n * 40, payload)
        for n, payload in enumerate(payloads)
    ]


def mutated(frames: list[Fed], rng: random.Random) -> list[Fed]:
    """Real frames with bytes changed, cut off, doubled."""
    out = []
    for frame in frames:
        data = bytearray(frame.data)
        match rng.randrange(4):
            case 0:
                for _ in range(rng.randrange(1, 9)):
                    data[rng.randrange(len(data))] = rng.randrange(256)
            case 1:
                del data[rng.randrange(len(data)) :]
            case 2:
                data += bytes(data)
        out.append(Fed(**{**frame.arguments(), "at_ms": frame.at_ms, "data": bytes(data)}))
    return out


class TestFrames:
    async def test_the_corpus_in_every_codec_leaves_an_unrelated_lesson_whole(self, tmp_path: Path) -> None:
        payloads = corpus()
        async with recorder(tmp_path) as (process, node):
            node.client.open("good", "L1", "A lesson", START_MS)
            honest = in_order(video(5), audio(5))
            await node.feed("good", honest[:200])
            for number, (track, codec) in enumerate(
                (("camera", "h264"), ("screen", "vp8"), ("audio", "opus"))
            ):
                node.client.open(f"bad{number}", "L2", "Hostile", START_MS)
                await node.feed(f"bad{number}", as_frames(payloads, track, codec))
                node.client.close_recording(f"bad{number}")
                await node.event(f"bad{number}", "sealed", "failed")
            await node.feed("good", honest[200:])
            node.client.close_recording("good")
            event = await node.event("good", "sealed")
            assert event["gaps"] == []
            assert_decodes(process.object(event["path"]))
            assert process.running()

    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    async def test_damaged_real_frames_still_seal(self, tmp_path: Path, codec: str) -> None:
        rng = random.Random(codec)
        fed = in_order(mutated(video(8, codec=codec), rng), mutated(audio(8), rng))
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", fed)
            assert event["state"] == "sealed"
            assert process.running()

    async def test_a_parameter_set_with_each_keyframe_changed(self, tmp_path: Path) -> None:
        fed = []
        for second in range(6):
            size = 160 + 16 * second
            fed += video(1, width=size, height=96, from_ms=second * 1000)
        async with recorder(tmp_path) as (process, node):
            event = await node.record("r1", fed)
            assert_decodes(process.object(event["path"]))


class TestFeed:
    async def test_garbage_on_the_socket_ends_that_connection_only(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            for data in (b"\xff" * 64, b"\0\0\0\x08\0\x06{}{}{}", b"GET / HTTP/1.1\r\n\r\n" * 9, b"\0" * 12):
                reader, writer = await asyncio.open_unix_connection(str(process.socket))
                writer.write(data)
                async with asyncio.timeout(10):
                    await reader.read()  # what it says of its store, and then the end
                writer.close()
            event = await node.record("r1", audio(2))
            assert event["state"] == "sealed"

    @given(st.binary(max_size=400))
    def test_decoder_gives_messages_or_a_feed_error(self, data: bytes) -> None:
        try:
            feed.Decoder().feed(data)
        except feed.FeedError as error:
            assert error.code in ("bad_length", "bad_header", "bad_field", "unknown_type")

    @given(st.binary(max_size=300), st.binary(max_size=50))
    def test_header_parser_gives_a_message_or_a_feed_error(self, header: bytes, payload: bytes) -> None:
        with contextlib.suppress(feed.FeedError):
            feed.decode(header, payload)


class TestParsers:
    @given(st.binary(max_size=300))
    def test_h264(self, data: bytes) -> None:
        try:
            unit = h264.access_unit(b"\0\0\1\x67" + data)
            h264.video_config(unit.sps, (b"\x68\xce\x3c\x80",)).avcc()
        except h264.H264Error:
            pass

    @given(st.binary(max_size=30))
    def test_vp8(self, data: bytes) -> None:
        with contextlib.suppress(ValueError):
            matroska.vp8_size(data)

    @given(st.binary(max_size=300))
    def test_manifest(self, data: bytes) -> None:
        records, _, good = manifest.read(data)
        assert records == []
        assert good == 0

    def test_opus_corpus(self) -> None:
        transcoder = AudioTranscoder()
        for number, payload in enumerate(corpus()):
            with contextlib.suppress(ValueError):
                transcoder.push(payload, number * 960, number * 960)
        assert transcoder.written >= 0
