"""Publishes a test picture and a tone to a lesson by WHIP until SIGTERM.

    python -m loadtest.publisher WHIP_URL TOKEN [--codec h264|vp8] [--seconds N] [--size 1280x720]

Prints one JSON line per event: "publishing", "sent", "lost", "refused", "replaced", "ended", "stopped"; with
--progress also "progress" once a second. A lost connection is made again after a random pause; a refusal that
will not change ends it with exit code 1. The picture is encoded once, here, with a keyframe every 2 s; a
request for more of them is not heeded.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import time
from collections import deque

import aiohttp
import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender

from loadtest.pattern import CHUNK_SAMPLES, SAMPLE_RATE, Picture, Tone, video_encoder
from loadtest.signalling import TIMEOUT, Refusal, Signalling

RETRY_FIRST_S, RETRY_MOST_S = 0.5, 8.0
CONNECT_TIMEOUT_S = 15


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class PictureTrack(MediaStreamTrack):
    """Encoded pictures, one every 1/fps s of real time; late ones are left out, not sent in a burst."""

    kind = "video"

    def __init__(self, codec: str, width: int, height: int, fps: int, bitrate_bps: int):
        super().__init__()
        self._picture = Picture(width, height)
        self._encoder = video_encoder(codec, width, height, fps, bitrate_bps)
        self._fps = fps
        self._started_s: float | None = None
        self._number = -1
        self._ready: deque[av.Packet[av.VideoStream]] = deque()
        self.sent = 0

    async def recv(self) -> av.Packet[av.VideoStream]:
        while not self._ready:
            now_s = time.monotonic()
            self._started_s = self._started_s if self._started_s is not None else now_s
            self._number = max(self._number + 1, int((now_s - self._started_s) * self._fps))
            await asyncio.sleep(max(0.0, self._started_s + self._number / self._fps - now_s))
            self._ready.extend(await asyncio.to_thread(self._encode, self._number * 90_000 // self._fps))
        self.sent += 1
        return self._ready.popleft()

    def _encode(self, pts: int) -> list[av.Packet[av.VideoStream]]:
        return self._encoder.encode(self._picture.draw(time.time_ns() // 1_000_000, pts))


class ToneTrack(MediaStreamTrack):
    """A steady tone, 20 ms at a time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._tone = Tone()
        self._started_s: float | None = None
        self._number = -1

    async def recv(self) -> av.AudioFrame:
        now_s = time.monotonic()
        self._started_s = self._started_s if self._started_s is not None else now_s
        self._number += 1
        await asyncio.sleep(max(0.0, self._started_s + self._number * CHUNK_SAMPLES / SAMPLE_RATE - now_s))
        return self._tone.chunk(self._number)


class Publisher:
    def __init__(
        self,
        url: str,
        token: str,
        *,
        codec: str,
        size: tuple[int, int],
        fps: int,
        bitrate_bps: int,
        progress: bool = False,
    ):
        self._url, self._token, self._progress = url, token, progress
        self._codec, self._size, self._fps, self._bitrate_bps = codec, size, fps, bitrate_bps
        self.stop = asyncio.Event()

    async def run(self) -> int:
        """Publish until told to stop; the exit code."""
        attempt = 0
        async with aiohttp.ClientSession() as http:
            while not self.stop.is_set():
                started_s = time.monotonic()
                try:
                    farewell = await self._publish_once(http)
                except Refusal as refusal:
                    if refusal.ended:
                        say("ended")
                        return 0
                    say("refused", status=refusal.status, detail=str(refusal))
                    if refusal.final:
                        return 1
                except (aiohttp.ClientError, TimeoutError) as error:
                    say("lost", detail=f"{type(error).__name__}: {error}")
                else:
                    say(farewell)
                    if farewell != "lost":
                        return 0
                attempt = 0 if time.monotonic() - started_s > CONNECT_TIMEOUT_S else attempt + 1
                await self._pause(random.uniform(0, min(RETRY_MOST_S, RETRY_FIRST_S * 2**attempt)))
        return 0

    async def _publish_once(self, http: aiohttp.ClientSession) -> str:
        """One session to its end: "stopped", "lost", "replaced" or "ended"."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        session = Signalling(http, self._url, self._token, connection)
        picture = PictureTrack(self._codec, *self._size, self._fps, self._bitrate_bps)
        connection.addTransceiver(ToneTrack(), direction="sendonly")
        transceiver = connection.addTransceiver(picture, direction="sendonly")
        mime = {"h264": "video/H264", "vp8": "video/VP8"}[self._codec]
        codecs = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([c for c in codecs if c.mimeType in (mime, "video/rtx")])
        try:
            await session.connect()
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._first(session.connected, session.gone, self.stop)
            if session.connected.is_set():
                say("publishing", codec=self._codec, size="{}x{}".format(*self._size), fps=self._fps)
            await self._while_on_air(session, picture)
        finally:
            await session.close()
            say("sent", frames=picture.sent)
        if self.stop.is_set():
            return "stopped"
        return await self._why_dismissed(http) if session.dismissed else "lost"

    async def _why_dismissed(self, http: aiohttp.ClientSession) -> str:
        """A publisher is told nothing but the end of its session: the lesson's state says the rest."""
        address, _, lesson = self._url.rpartition("/whip/")
        headers = {"Authorization": f"Bearer {self._token}"}
        async with http.get(f"{address}/api/v1/lessons/{lesson}", headers=headers, timeout=TIMEOUT) as reply:
            found = await reply.json() if reply.status == 200 else {}
        if found.get("state") == "ended":
            return "ended"
        # Somebody else publishes now; coming back would only push him out in turn.
        return "replaced" if found.get("publishing") else "lost"

    async def _while_on_air(self, session: Signalling, picture: PictureTrack) -> None:
        while not (self.stop.is_set() or session.gone.is_set()):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._first(self.stop, session.gone), 1)
            if self._progress:
                say("progress", frames=picture.sent)

    async def _first(self, *events: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)


async def main() -> int:
    parser = argparse.ArgumentParser(prog="loadtest.publisher", description=__doc__.partition("\n")[0])
    parser.add_argument("url", metavar="WHIP_URL")
    parser.add_argument("token", metavar="TOKEN")
    parser.add_argument("--codec", choices=["h264", "vp8"], default="h264")
    parser.add_argument("--seconds", type=float, help="stop by itself after so long")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--bitrate", type=int, default=1_000_000, help="bits per second")
    parser.add_argument(
        "--progress", action="store_true", help="say every second how many pictures were sent"
    )
    options = parser.parse_args()
    width, _, height = options.size.partition("x")
    publisher = Publisher(
        options.url,
        options.token,
        codec=options.codec,
        size=(int(width), int(height)),
        fps=options.fps,
        bitrate_bps=options.bitrate,
        progress=options.progress,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, publisher.stop.set)
    if options.seconds:
        loop.call_later(options.seconds, publisher.stop.set)
    return await publisher.run()


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
