"""Light clients that all join at once (loadtest.rush): each is let in, and told so on its channel; what is
said to all of them reaches all (loadtest.channels, FIG-P7)."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.drivers.server import Lesson, Server

LEARNERS = 40


async def test_a_class_that_comes_at_once_is_let_in(network: str, server: Server, lesson: Lesson):
    tokens = server.more_tokens(lesson, LEARNERS)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest.rush", server.whep_url(lesson), "--at-once", "20",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write("\n".join([*tokens, "", ""]).encode())
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        told = json.loads(line)
        assert (told["event"], told["viewers"]) == ("joined", LEARNERS)
    finally:
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_each_channel_hears_what_is_said_to_all(network: str):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest.channels", "--channels", str(LEARNERS), "--lines", "2",
        "--seconds", "0.1", "--json", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 90)
    report = json.loads(out)
    assert [line["told"] for line in report["chat"]] == [LEARNERS, LEARNERS]
    assert report["challenge"]["told"] == LEARNERS
