"""What recording costs: `python -m tests.recorder.cost` prints one JSON line. Not a test: machines differ.

A class of 640x360, 25 fps, 1 Mbit/s H.264 and 64 kbit/s Opus is fed in real time for `SECONDS`, then ten
minutes of it as fast as they are packed; CPU is the recorder process's, in per cent of one core.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import PictureType

from .measure import beeps_ms, flashes_ms
from .media import START_MS, Fed, audio, in_order, video
from .process import Node, RecorderProcess, recorder

SECONDS = 20
COPIES = 30  # of SECONDS: ten minutes


def busy_video() -> list[Fed]:
    """Moving noise that fills 1 Mbit/s."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 640, 360, "yuv420p"
    context.time_base, context.framerate, context.bit_rate = Fraction(1, 90_000), Fraction(25), 1_000_000
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "forced-idr": "1"}
    context.options |= {"maxrate": "1M", "minrate": "1M", "bufsize": "500k"}
    noise = random.Random(1).randbytes(640 * 360)
    fed = []
    for n in range(SECONDS * 25):
        frame = av.VideoFrame(640, 360, "yuv420p")
        shift = n * 640 % 200_000
        for number, plane in enumerate(frame.planes):
            plane.update(noise[shift:] + noise[:shift] if number == 0 else bytes((128,)) * plane.buffer_size)
        frame.pts, frame.time_base = n * 3600, Fraction(1, 90_000)
        frame.pict_type = PictureType.I if n % 50 == 0 else PictureType.NONE
        for packet in context.encode(frame):
            key = packet.is_keyframe
            fed.append(Fed(n * 40, "camera", "h264", n * 3600, 90_000, key, START_MS + n * 40, bytes(packet)))
    return fed


def cpu_s(process: RecorderProcess) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_rss_mb(process: RecorderProcess) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)


def later(frame: Fed, ms: int) -> Fed:
    rtp = (frame.rtp_timestamp + ms * frame.clock_rate // 1000) & 0xFFFFFFFF
    return replace(frame, at_ms=frame.at_ms + ms, rtp_timestamp=rtp, arrival_ms=frame.arrival_ms + ms)


async def sealed_s(node: Node, name: str) -> float:
    began = time.monotonic()
    node.client.close_recording(name)
    await node.event(name, "sealed")
    return round(time.monotonic() - began, 3)


async def main() -> None:
    frames = in_order(busy_video(), audio(SECONDS))
    told: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with recorder(Path(folder)) as (process, node):
            node.client.open("live", "L1", "t", START_MS)
            before, began = cpu_s(process), time.monotonic()
            for frame in frames:
                await asyncio.sleep(max(0, (frame.arrival_ms - START_MS) / 1000 - (time.monotonic() - began)))
                node.client.frame("live", **frame.arguments())  # type: ignore[arg-type]
            told["live_cpu_percent"] = round((cpu_s(process) - before) / SECONDS * 100, 2)
            told["live_seal_s"] = await sealed_s(node, "live")

            node.client.open("long", "L1", "t", START_MS)
            before = cpu_s(process)
            for copy in range(COPIES):
                await node.feed("long", (later(frame, copy * SECONDS * 1000) for frame in frames))
                await node.rounds("long", 1)
            told["packing_cpu_percent"] = round((cpu_s(process) - before) / (SECONDS * COPIES) * 100, 2)
            told["ten_minutes_seal_s"] = await sealed_s(node, "long")

            camera, voice = video(20, late_ms=300), audio(20)
            node.client.open("sync", "L1", "t", START_MS)
            both = in_order(camera, voice)
            await node.feed("sync", both[:60])
            node.report("sync", camera[3], 3_600_000)
            node.report("sync", voice[10], 3_600_000)
            await node.feed("sync", both[60:])
            await sealed_s(node, "sync")
            path = process.object("L1/sync.mp4")
            apart = [abs(f - b) for f, b in zip(flashes_ms(path), beeps_ms(path), strict=True)]
            told["sync_worst_ms"] = round(max(apart), 1)

            node.client.open("vp8", "L1", "t", START_MS)
            await node.feed("vp8", video(60, codec="vp8", width=640, height=360, bitrate=1_000_000))
            told["vp8_minute_seal_s"] = await sealed_s(node, "vp8")
            told["peak_rss_mb"] = peak_rss_mb(process)
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main())
