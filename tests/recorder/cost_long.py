"""How long sealing takes when a long lesson ends: `python -m tests.recorder.cost_long [HOURS]`, a JSON line.

The lesson is that of `cost.py`, 1 Mbit/s, packed as fast as the recorder takes it into reels of an hour; its
end is timed on the node's side. Then two lessons that end at the worst moment: with a full reel of 750 MiB,
and right after a reel has ended, while that one is still sealed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recorder.reels import Bounds
from recorder.video_track import LONGEST_FRAGMENT_MS

from .cost import SECONDS, busy_video, cpu_s, later, peak_rss_mb
from .media import START_MS, Fed, audio, in_order
from .process import Node, RecorderProcess, recorder


async def ended(node: Node, name: str) -> tuple[float, dict[str, Any]]:
    """From the lesson's end to its last reel's seal, in s, and that event."""
    began = time.monotonic()
    node.client.close_recording(name)
    async with asyncio.timeout(300):
        while True:
            finals = [e for e in node.events if e.get("series") == name and e["state"] == "sealed"]
            last = next((e for e in finals if e["next"] is None), None)
            if last is not None:
                return round(time.monotonic() - began, 2), last
            await asyncio.sleep(0.01)


async def lesson(node: Node, name: str, frames: Sequence[Fed], until: Any) -> int:
    """Feed copies of `frames` until `until` says so; how many."""
    node.client.open(name, "L1", "t", START_MS)
    copies = 0
    while not until(copies):
        await node.feed(name, (later(frame, copies * SECONDS * 1000) for frame in frames))
        copies += 1
        if copies % 4 == 0:  # what the recorder takes in without a word: 16 MB
            await rest(node, name, copies * SECONDS * 1000)
    return copies


async def rest(node: Node, name: str, fed_ms: int) -> None:
    """Let the recorder's thread catch up."""
    async with asyncio.timeout(300):
        while True:
            reel = reel_of(node, name)
            if reel["begins_ms"] + reel["duration_ms"] >= fed_ms - 2 * LONGEST_FRAGMENT_MS:
                return
            await asyncio.sleep(0.02)


def reel_of(node: Node, name: str) -> dict[str, Any]:
    """What was last told of the lesson's newest reel."""
    told = (e for e in reversed(node.events) if e.get("series") == name and e["state"] == "recording")
    return next(told, {"bytes": 0, "reel": 1, "begins_ms": 0, "duration_ms": 0})


async def main(hours: float) -> None:
    frames = in_order(busy_video(), audio(SECONDS))
    told: dict[str, Any] = {"hours": hours}
    with tempfile.TemporaryDirectory() as folder:
        async with recorder(Path(folder), "--log-level", "error") as (process, node):
            copies = round(hours * 3600 / SECONDS)
            before, began = cpu_s(process), time.monotonic()
            await lesson(node, "long", frames, lambda done: done >= copies)
            seal_s, last = await ended(node, "long")
            reels = {e["reel"]: e for e in node.events if e["state"] == "sealed"}
            told |= {
                "reels": last["reel"],
                "largest_mb": round(max(e["size"] for e in reels.values()) / 1e6),
                "gaps": sum(e["gaps_total"] for e in reels.values()),
                "error_ms": last["begins_ms"] + last["duration_ms"] - copies * SECONDS * 1000,
                "seal_s": seal_s,
                "wall_s": round(time.monotonic() - began),
                "cpu_percent_of_real_time": round((cpu_s(process) - before) / hours / 36, 2),
                "peak_rss_mb": peak_rss_mb(process),
            }
            print(json.dumps(told), file=sys.stderr)
            await worst(process, node, frames, told)
    print(json.dumps(told))


async def worst(process: RecorderProcess, node: Node, frames: Sequence[Fed], told: dict[str, Any]) -> None:
    full = Bounds().media_bytes * 0.99
    await lesson(node, "full", frames, lambda n: n and reel_of(node, "full")["bytes"] > full)
    told["full_reel_seal_s"], event = await ended(node, "full")
    told["full_reel_mb"] = round(event["size"] / 1e6)
    await lesson(node, "after", frames, lambda n: n and reel_of(node, "after")["reel"] > 1)
    told["right_after_a_reel_seal_s"], _ = await ended(node, "after")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 8.0))
