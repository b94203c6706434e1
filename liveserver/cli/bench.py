"""`liveserver bench`: what a packet, a join, an idle viewer, a lesson's hours and its proof cost."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from liveserver import bench, log
from liveserver.bench import evidence, hours
from liveserver.cli.arguments import count
from liveserver.config.units import LogLevel
from liveserver.cut import kill_drill


def add_commands(commands: Any) -> None:
    """Put it under `commands`, argparse's subparsers."""
    measured = commands.add_parser(
        "bench",
        help="measure what a packet, a join or an idle viewer costs, and how long a cut takes",
        description=_bench.__doc__,
    )
    measured.add_argument("what", choices=("fanout", "joins", "idle", "hours", "kill", "evidence"))
    measured.add_argument("--viewers", type=count, default=100, metavar="N")
    measured.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of fanout and idle")
    measured.add_argument("--json", action="store_true", help="print one JSON line")
    measured.set_defaults(command=_bench)


def _bench(given: argparse.Namespace) -> int:
    """Measure CPU time on this machine. `fanout` sends a 1 Mbit/s lesson to N rows of the fan-out; `joins`
    and `idle` start a server and N real WebRTC viewers; `hours` settles a lesson of N learners,
    `evidence` makes and checks its bundle. `kill`
    measures time: from the request of a cut to the last packet at any of N viewers."""

    def tell(text: str) -> None:
        if not given.json:
            print(text, file=sys.stderr)

    viewers = max(1, given.viewers)
    if given.what == "fanout":
        report = bench.fanout(viewers, given.seconds, tell)
    elif given.what == "hours":
        log.set_up(LogLevel.WARNING, "bench")
        report = hours.measure(viewers, tell)
    elif given.what == "evidence":
        log.set_up(LogLevel.WARNING, "bench")
        report = evidence.measure(viewers, tell)
    elif given.what == "joins":
        report = asyncio.run(bench.joins(viewers, tell))
    elif given.what == "kill":
        report = asyncio.run(kill_drill.bench(viewers, tell))
    else:
        report = asyncio.run(bench.idle(viewers, given.seconds, tell))
    if given.json:
        print(json.dumps(report))
    else:
        width = max(map(len, report))
        print("\n".join(f"{name:<{width}}  {value}" for name, value in report.items()))
    return 0
