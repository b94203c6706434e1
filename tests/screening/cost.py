"""What deciding costs: `python -m tests.screening.cost` prints one JSON line. Not a test: machines differ.

CPU of the main loop's thread per chat line, without and with a verdict, and per finding of a picture; then
real time from a finding that must go to the guard's cut, over a node with its guard.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from liveserver.core.events.cut import Level
from tests.rooms.node import chat, claims
from tests.screening.test_screening import ADVERT, ScreenedNode, seen

LINES = 1_000
FINDINGS = 10_000
CUTS = 100


async def per_line(node: ScreenedNode, text: Callable[[int], str]) -> tuple[float, float]:
    """Milliseconds of the loop's thread for a verdict, and for a whole line to three people."""
    lesson, _, _ = await node.live(mute_after=0)
    learner, _ = await node.join(lesson, claims())
    room = node.rooms.registry.rooms[lesson]
    began = time.thread_time()
    for number in range(LINES):
        room.judge(text(number))
    judged = time.thread_time()
    for start in range(0, LINES, 100):
        said = (learner.receive(chat(text(number))) for number in range(start, start + 100))
        await asyncio.gather(*said)
    return (judged - began) / LINES * 1e3, (time.thread_time() - judged) / LINES * 1e3


async def until_dark(node: ScreenedNode) -> list[float]:
    """Milliseconds from a finding to the guard's cut."""
    took = []
    for _ in range(CUTS):
        lesson = await node.lesson()
        began = time.perf_counter()
        node.screening.found(lesson, seen(node))
        while Level.PICTURE not in node.guard.kill_of(lesson).cuts:  # noqa: ASYNC110 - seen at once
            await asyncio.sleep(0)
        took.append((time.perf_counter() - began) * 1e3)
    return sorted(took)


async def measure() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        node = ScreenedNode(Path(folder))
        await node.start()
        plain = await per_line(node, lambda number: f"老师, 第 {number} 题的电压怎么算?")
        held = await per_line(node, lambda number: f"{ADVERT} 第 {number} 次")
        lesson, _, _ = await node.live()
        finding = seen(node, 0.1)
        began = time.thread_time()
        for _ in range(FINDINGS):
            node.screening.found(lesson, finding)
        finding_us = (time.thread_time() - began) / FINDINGS * 1e6
        took = await until_dark(node)
        await node.stop()
    return {
        "plain_verdict_ms": round(plain[0], 3),
        "plain_line_ms": round(plain[1], 3),
        "held_verdict_ms": round(held[0], 3),
        "held_line_ms": round(held[1], 3),
        "harmless_finding_us": round(finding_us, 2),
        "finding_to_cut_p50_ms": round(statistics.median(took), 2),
        "finding_to_cut_p99_ms": round(took[int(len(took) * 0.99)], 2),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure())))
