"""Many learners on data channels, nothing but that: what is said to all of a node's, and when they have it.

    python -m loadtest.channels [--channels N] [--seconds S] [--lines L] [--json]

On a server of its own. All join by WHEP with the `control` channel alone; then one of them says lines of
chat, and everybody is asked a question once (FIG-P7). Arrival is the kernel's time (`loadtest.hearing`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence

import aiohttp
import uvloop

from loadtest.classroom import Classroom, own_classroom
from loadtest.hearing import Hearing, Report
from loadtest.meter import Meter
from loadtest.rush import Viewer
from loadtest.swarm.__main__ import room_for
from loadtest.swarm.dtls import Identity
from loadtest.swarm.publishing import publishing

_AT_ONCE = 32
_PLANNED_S = 5.0  # each learner's own checks are planned in the first seconds of a lesson
_REST_S = 0.5


async def run(given: argparse.Namespace, room: Classroom) -> Report:
    meter, hearing = Meter(room.server_pid), Hearing()
    tokens = await asyncio.to_thread(room.learners, given.channels)
    identity, gate = Identity(), asyncio.Semaphore(_AT_ONCE)
    memory, cpu_s, began_s = meter.rss(), meter.cpu_s(), time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_AT_ONCE)) as http:
        url = f"{room.host}/whep/{room.lesson}"
        viewers = [Viewer(http, url, token, identity, media=False, told=hearing.told) for token in tokens]

        async def join(viewer: Viewer) -> None:
            async with gate:
                await viewer.join()

        await asyncio.gather(*map(join, viewers))
        report: Report = {
            "channels": len(viewers),
            "joins_per_s": round(len(viewers) / (time.monotonic() - began_s), 1),
            "cpu_ms_per_join": round((meter.cpu_s() - cpu_s) * 1000 / len(viewers), 3),
            "kib_per_channel": round((meter.rss() - memory) / 1024 / len(viewers), 1),
            "core_share_idle": round(await meter.over(given.seconds), 4),
        }
        chat = []
        for number in range(given.lines):
            line, cpu_s = f"第 {number} 题选哪个", meter.cpu_s()
            words = json.dumps({"type": "chat", "text": line}, ensure_ascii=False)
            found = await hearing.hear(line.encode(), len(viewers), lambda words=words: viewers[0].say(words))
            await asyncio.sleep(_REST_S)
            chat.append(found | {"server_cpu_ms": round((meter.cpu_s() - cpu_s) * 1000)})
        report["chat"] = chat
        async with publishing(f"{room.host}/whip/{room.lesson}", room.tokens["instructor"], equal=False):
            await asyncio.sleep(_PLANNED_S)
            report["challenge"] = await hearing.hear(
                b'"type":"challenge"', len(viewers), lambda: asyncio.to_thread(room.challenge)
            )
        for viewer in viewers:
            await viewer.leave()
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="loadtest.channels", description=__doc__.partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--channels", type=int, default=500, metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="idle")
    parser.add_argument("--lines", type=int, default=3, metavar="L", help="of chat")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    given = parser.parse_args(arguments)
    if given.channels < 1:
        parser.error("at least one channel")
    if wrong := room_for(given.channels):
        print(f"loadtest.channels: {wrong}", file=sys.stderr)
        return 2
    settings = {"LIVESERVER_ROOMS_MAX_VIEWERS": str(given.channels + 1)}
    with own_classroom(settings=settings) as room:
        report = uvloop.run(run(given, room))
    print(json.dumps(report) if given.json else json.dumps(report, indent=2))
    told = [*report["chat"], report["challenge"]]
    return 0 if all(one["told"] == given.channels for one in told) else 1


if __name__ == "__main__":
    raise SystemExit(main())
