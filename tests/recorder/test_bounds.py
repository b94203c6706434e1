"""Nothing blocks the feed and nothing grows without end; what is left out is counted and told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from recorder.client import RecorderClient
from recorder.feed import Ack, Close, Codec, Decoder, Event, Frame, Open, Report, Track, encode
from recorder.inbox import Inbox

from .media import START_MS


def frame(n: int, size: int = 100, *, keyframe: bool = False, track: Track = Track.CAMERA) -> Frame:
    codec = Codec.OPUS if track is Track.AUDIO else Codec.H264
    return Frame("r1", n, track, codec, n * 3600, 90_000, keyframe, START_MS + n * 40, 0, bytes(size))


def send(client: RecorderClient, size: int, *, keyframe: bool = False, track: str = "camera") -> bool:
    return client.frame(
        "r1",
        track=track,
        codec="opus" if track == "audio" else "h264",
        rtp_timestamp=0,
        clock_rate=90_000,
        keyframe=keyframe,
        arrival_ms=START_MS,
        data=bytes(size),
    )


class TestWire:
    def test_every_message_survives_any_cut_of_the_stream(self) -> None:
        messages = [
            Open("r1", "L1", "数学", 5, "f", 7),
            Frame("r1", 1, Track.AUDIO, Codec.OPUS, 2**32 - 1, 48_000, True, 9, 3, b"\0data", "overload", 8),
            Frame("r1", 2, Track.SCREEN, Codec.VP8, 0, 90_000, False, 9, 0, b""),
            Report("r1", Track.CAMERA, 2**64 - 1, 5),
            Close("r1"),
            Ack("r1"),
            Event({"recording": "r1", "state": "sealed", "gaps": []}),
        ]
        stream = b"".join(map(encode, messages))
        for step in (1, 7, len(stream)):
            decoder = Decoder()
            got = [m for at in range(0, len(stream), step) for m in decoder.feed(stream[at : at + step])]
            assert got == messages

    def test_a_message_with_a_wrong_field_costs_only_itself(self) -> None:
        long_title = encode(Open("r1", "L1", "t" * 501, 5))
        decoder = Decoder()
        assert decoder.feed(long_title + encode(Close("r1"))) == [Close("r1")]
        assert (decoder.refused, decoder.refusal and decoder.refusal.code) == (1, "bad_field")


class TestClientWithoutRecorder:
    async def test_it_refuses_frames_beyond_its_bound_and_tells_how_many(self, tmp_path: Path) -> None:
        client = RecorderClient(tmp_path / "none.sock", lambda event: None, queue_bytes=10_000)
        client.open("r1", "L1", "t", 0)
        accepted = [send(client, 1000, keyframe=n == 0) for n in range(20)]
        assert accepted[:5] == [True] * 5
        assert accepted[-1] is False
        assert client.queued_bytes < 11_000
        assert client.dropped_frames == accepted.count(False)

    async def test_after_a_refusal_video_waits_for_a_keyframe_audio_does_not(self, tmp_path: Path) -> None:
        got: list[Frame] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            decoder = Decoder()
            while data := await reader.read(65536):
                got.extend(m for m in decoder.feed(data) if isinstance(m, Frame))
            writer.close()

        client = RecorderClient(tmp_path / "s.sock", lambda event: None, queue_bytes=3000)
        client.open("r1", "L1", "t", 0)
        assert send(client, 1000, keyframe=True)
        assert not send(client, 3000)
        assert not send(client, 100)
        assert send(client, 100, track="audio")
        server = await asyncio.start_unix_server(serve, tmp_path / "s.sock")
        await client.start()
        async with asyncio.timeout(10):
            while client.queued_bytes:  # noqa: ASYNC110 - the client has no such event
                await asyncio.sleep(0.01)
        assert not send(client, 100)
        assert send(client, 100, keyframe=True)
        await client.close()
        async with asyncio.timeout(10):
            while len(got) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        server.close()
        camera = [(f.n, f.lost_before, f.lost_reason) for f in got if f.track is Track.CAMERA]
        assert camera == [(1, 0, "lost"), (2, 3, "feed_overflow")]

    async def test_an_unknown_or_closed_recording_takes_no_frames(self, tmp_path: Path) -> None:
        client = RecorderClient(tmp_path / "none.sock", lambda event: None)
        assert not send(client, 10)
        client.open("r1", "L1", "t", 0)
        client.close_recording("r1")
        assert not send(client, 10, keyframe=True)

    async def test_what_the_recorder_would_refuse_is_not_sent(self, tmp_path: Path) -> None:
        client = RecorderClient(tmp_path / "none.sock", lambda event: None, queue_bytes=50_000_000)
        with pytest.raises(ValueError, match="name"):
            client.open("../r1", "L1", "t", 0)
        client.open("r1", "L1", "t" * 9000, 0)
        assert not send(client, 5_000_000, keyframe=True)


class TestClientHeals:
    async def test_it_opens_again_and_repeats_the_last_seconds(self, tmp_path: Path) -> None:
        heard: list[list[Any]] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            decoder, messages = Decoder(), []
            heard.append(messages)
            while data := await reader.read(65536):
                messages.extend(decoder.feed(data))
                if len(heard) == 1 and any(isinstance(m, Frame) for m in messages):
                    break
            writer.close()

        server = await asyncio.start_unix_server(serve, tmp_path / "s.sock")
        client = RecorderClient(tmp_path / "s.sock", lambda event: None)
        await client.start()
        client.open("r1", "L1", "t", 0)
        client.report("r1", track="camera", ntp=5, rtp_timestamp=6)
        send(client, 50, keyframe=True)
        async with asyncio.timeout(10):
            while len(heard) < 2 or not any(isinstance(m, Frame) for m in heard[1]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await client.close()
        server.close()
        assert isinstance(heard[1][0], Open)
        assert any(isinstance(m, Report) for m in heard[1])
        assert [m.n for m in heard[1] if isinstance(m, Frame)] == [1]

    async def test_a_failing_event_handler_does_not_cost_the_connection(self, tmp_path: Path) -> None:
        told: list[str] = []

        def handler(event: dict[str, Any]) -> None:
            told.append(event["recording"])
            raise RuntimeError(event["recording"])

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for name in ("a", "b"):
                writer.write(encode(Event({"recording": name, "state": "sealed"})))
            await writer.drain()

        server = await asyncio.start_unix_server(serve, tmp_path / "s.sock")
        client = RecorderClient(tmp_path / "s.sock", handler)
        await client.start()
        async with asyncio.timeout(10):
            while len(told) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await client.close()
        server.close()
        assert told == ["a", "b"]


class TestInbox:
    def test_a_full_inbox_refuses_and_the_next_frame_says_so(self) -> None:
        inbox = Inbox(limit_bytes=1000)
        assert inbox.put(frame(1, 600, keyframe=True))
        assert not inbox.put(frame(2, 600))
        assert not inbox.put(frame(3, 10))
        messages, _ = inbox.take(0)
        assert len(messages) == 1
        assert not inbox.put(frame(4, 10))
        assert inbox.put(frame(5, 10, keyframe=True))
        (message,), _ = inbox.take(0)
        assert isinstance(message, Frame)
        assert (message.n, message.lost_before, message.lost_reason) == (5, 3, "overload")
        assert inbox.dropped == 3

    def test_the_first_reason_to_end_counts(self) -> None:
        inbox = Inbox()
        inbox.end("ended")
        inbox.end("stop")
        assert inbox.take(0)[1] == "ended"
        assert not inbox.put(frame(1, keyframe=True))
