"""What an edge asks of the server each second for every learner, and what an answer costs the node.

    python -m loadtest.asking URL LESSON [--seconds S] [--lines N] [--server-pid PID] < TOKENS

URL is the door (`http://127.0.0.1:8083`) or the public port. As many requests as it answers, over N kept
connections, the tokens in turn, with the fields that `deploy/nginx` sends. `--server-pid` is the server's or
any process above its node on this machine: its CPU time then is told per answer, less what it takes when
nobody asks, measured before for a quarter of S. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import uvloop

from loadtest.edge import spread
from loadtest.lines import Line
from loadtest.swarm.processes import usage

_NODE = "liveserver.node"
_FIELDS = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nLL-Edge: 1\r\n"


async def run(options: argparse.Namespace, tokens: list[str]) -> dict[str, Any]:
    """Ask, and what came of it."""
    address = urlsplit(options.url)
    host, port = str(address.hostname), address.port or 80
    lines = [await Line.open(host, port, None) for _ in range(options.lines)]
    answers: Counter[int] = Counter()
    waits_ms: list[float] = []
    turn = itertools.cycle(tokens)
    idle = await _share(options.server_pid, options.seconds / 4)
    before_s, began_s, own_s = _cpu_s(options.server_pid), time.monotonic(), time.process_time()
    end_s = asyncio.get_running_loop().time() + options.seconds
    asking = (_ask(line, options.lesson, turn, end_s, answers, waits_ms) for line in lines)
    await asyncio.gather(*asking)
    wall_s = time.monotonic() - began_s
    spent_s = _cpu_s(options.server_pid) - before_s - idle * wall_s
    for line in lines:
        line.close()
    total = answers.total()
    return {
        "answers": {str(status): number for status, number in answers.items()},
        "per_second": round(total / wall_s),
        "wait_ms": spread(waits_ms),
        "generator_cpu": round((time.process_time() - own_s) / wall_s, 2),
        "node_cpu_us_per_answer": round(1e6 * spent_s / total, 1) if options.server_pid else None,
    }


async def _ask(
    line: Line, lesson: str, turn: Iterator[str], end_s: float, answers: Counter[int], waits_ms: list[float]
) -> None:
    loop = asyncio.get_running_loop()
    while (asked_s := loop.time()) < end_s:
        answer = await line.get(f"/hls/{lesson}/access?token={next(turn)}", _FIELDS)
        answers[answer.status] += 1
        waits_ms.append(1000 * (answer.at_s - asked_s))


async def _share(pid: int, seconds: float) -> float:
    """What the node takes of a core when nobody asks."""
    before_s, began_s = _cpu_s(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (_cpu_s(pid) - before_s) / (time.monotonic() - began_s)


def _cpu_s(pid: int) -> float:
    return usage(pid).cpu_s.get(_NODE, 0.0) if pid else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="loadtest.asking", description=__doc__.partition("\n")[0])
    parser.add_argument("url", metavar="URL")
    parser.add_argument("lesson", metavar="LESSON")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S")
    parser.add_argument("--lines", type=int, default=16, metavar="N")
    parser.add_argument("--server-pid", type=int, default=0, metavar="PID")
    options = parser.parse_args()
    tokens = [line.strip() for line in sys.stdin if line.strip()]
    print(json.dumps(uvloop.run(run(options, tokens))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
