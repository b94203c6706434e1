"""Many learners on WebSockets, and nothing but that: what a class of thousands costs the control plane.

    python -m loadtest.sockets [--sockets N] [--seconds S] [--storm M] [--json]
                               [--host URL --lesson ID --admin TOKEN [--server-pid PID]]

Without `--host` it starts a server of its own. All join, do nothing but heartbeats for S seconds, are told
chat lines and one challenge, and then M of them are cut off at once and come back with full jitter between
0.5 and 8 s. Arrival is the kernel's time (SO_TIMESTAMPNS), so that a generator which is busy reading does not
look like a slow server; both have to be on one machine for it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence

import uvloop

from loadtest.classroom import Classroom, own_classroom
from loadtest.crowd import Crowd
from loadtest.hearing import Report, quantiles
from loadtest.meter import Meter
from loadtest.swarm.__main__ import room_for
from loadtest.swarm.publishing import publishing

HEARTBEAT_S = 15.0
_TALKERS, _LONG_LINES, _LONG, _STALL_S = 20, 160, "请大家看第三页的图" * 50, 7.0


def _tell(text: str) -> None:
    print(f"loadtest.sockets: {text}", file=sys.stderr, flush=True)


async def run(given: argparse.Namespace, room: Classroom) -> Report:
    meter = Meter(room.server_pid)
    _tell(f"{given.sockets} learners join {room.lesson} at {room.host}")
    tokens = await asyncio.to_thread(room.learners, given.sockets)
    crowd = Crowd(room, tokens)
    empty, memory = await meter.over(2.0), meter.rss()
    cpu_s, began_s = meter.cpu_s(), time.monotonic()
    await crowd.join(range(given.sockets))
    joined_s = time.monotonic() - began_s
    spent_ms = (meter.cpu_s() - cpu_s) * 1000
    report: Report = {
        "sockets": given.sockets,
        "joined": len(crowd.here),
        "failed": dict(crowd.failed),
        "joins_per_s": round(given.sockets / joined_s, 1),
        "cpu_ms_per_join": round(spent_ms / given.sockets, 3),
    }
    if not crowd.here:
        return report
    _tell(f"{len(crowd.here)} are there, idle for {given.seconds:g} s")
    beating = asyncio.create_task(crowd.beat(given.heartbeat))
    try:
        await asyncio.sleep(2.0)
        report["kib_per_socket"] = round((meter.rss() - memory) / 1024 / given.sockets, 1)
        report["core_share_empty"] = round(empty, 4)
        report["core_share_idle"] = round(await meter.over(given.seconds), 4)
        report["heartbeat"] = quantiles(crowd.heartbeats_ns)
        _tell(f"{given.lines} lines of chat")
        report["chat"] = await _chats(crowd, meter, given.lines)
        if "instructor" in room.tokens:
            _tell("one challenge to all")
            whip = f"{room.host}/whip/{room.lesson}"
            async with publishing(whip, room.tokens["instructor"], equal=False):
                await asyncio.sleep(5.0)  # each learner's own checks are planned in the first seconds
                report["challenge"] = await crowd.hear(
                    b'"type":"challenge"', lambda: asyncio.to_thread(room.challenge)
                )
        if given.slow:
            _tell(f"{given.slow} read no more while the others talk")
            report["slow_readers"] = await _slow(crowd, meter, given.slow)
        if given.storm:
            _tell(f"{given.storm} lose their connections at once")
            report["storm"] = await _storm(crowd, meter, given.storm)
        report["gone"] = dict(crowd.gone)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
    return report


async def _chats(crowd: Crowd, meter: Meter, lines: int) -> list[Report]:
    speaker = next(iter(crowd.here.values()))
    found = []
    for number in range(lines):
        text = f"第 {number} 题选哪个"
        before = meter.cpu_s()
        line = await crowd.hear(text.encode(), lambda text=text: speaker.say({"type": "chat", "text": text}))
        await asyncio.sleep(0.5)
        found.append(line | {"server_cpu_ms": round((meter.cpu_s() - before) * 1000)})
    return found


async def _slow(crowd: Crowd, meter: Meter, count: int) -> Report:
    """REL-L4: the others lose nothing, and whoever read nothing for 5 s is closed with 4408."""
    slow = list(crowd.here)[-count:]
    readers = [crowd.here.pop(number) for number in slow]
    for reader in readers:
        reader.read(False)
    memory, talkers = meter.rss(), list(crowd.here.values())[:_TALKERS]
    told: list[Report] = []
    for number in range(_LONG_LINES):
        text, speaker = f"{number} {_LONG}", talkers[number % _TALKERS]
        line = await crowd.hear(
            text[:12].encode(), lambda s=speaker, text=text: s.say({"type": "chat", "text": text})
        )
        told.append(line)
    grown = meter.rss() - memory
    await asyncio.sleep(_STALL_S)
    closed: Counter[str] = Counter()
    for reader in readers:
        reader.gone = lambda one: closed.update([str(one.closed or "without a word")])
        reader.read(True)
    await asyncio.sleep(3.0)
    return {
        "slow": count,
        "closed": dict(closed),
        "lines": _LONG_LINES,
        "told_of_lines": sum(line["told"] for line in told),
        "p99_ms_worst_line": max(line.get("p99_ms", 0.0) for line in told),
        "kib_per_slow_socket": round(grown / 1024 / count, 1),
    }


async def _storm(crowd: Crowd, meter: Meter, count: int) -> Report:
    before, failed = meter.cpu_s(), sum(crowd.failed.values())
    seconds = await crowd.come_back(count)
    return {
        "lost_at_once": count,
        "back": len(crowd.here),
        "seconds": round(seconds, 2),
        "failed": sum(crowd.failed.values()) - failed,
        "server_cpu_ms_each": round((meter.cpu_s() - before) * 1000 / count, 3),
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="loadtest.sockets", description=__doc__.partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--sockets", type=int, default=1000, metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="idle")
    parser.add_argument("--heartbeat", type=float, default=HEARTBEAT_S, metavar="S", help="0: none")
    parser.add_argument("--tls", action="store_true", help="the server of its own has an ECDSA certificate")
    parser.add_argument("--lines", type=int, default=3, help="of chat")
    parser.add_argument("--storm", type=int, default=0, metavar="M", help="lose their connections at once")
    parser.add_argument("--slow", type=int, default=0, metavar="K", help="stop reading while others talk")
    parser.add_argument("--host", help="a server that runs: its base URL")
    parser.add_argument("--lesson", metavar="ID")
    parser.add_argument("--admin", metavar="TOKEN")
    parser.add_argument("--server-pid", type=int, metavar="PID", help="on this machine, to measure it")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    given = parser.parse_args(arguments)
    if given.sockets < 1 or given.storm > given.sockets:
        parser.error("at least one socket, and no more in the storm than there are")
    if given.host is not None and (given.lesson is None or given.admin is None):
        parser.error("--host needs --lesson and --admin")
    return given


def main() -> int:
    given = parse()
    if wrong := room_for(given.sockets):
        print(f"loadtest.sockets: {wrong}", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        if given.host is None:
            room = stack.enter_context(own_classroom(tls=given.tls))
        else:
            room = Classroom(given.host.rstrip("/"), given.lesson, given.admin, given.server_pid)
        report = uvloop.run(run(given, room))
    print(json.dumps(report) if given.json else json.dumps(report, indent=2))
    return 0 if report["joined"] == given.sockets and not report["gone"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
