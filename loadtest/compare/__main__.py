"""CPU time for each forwarded packet and viewer: this server, Pion and Janus in one run.

    python -m loadtest.compare [--viewers 100] [--seconds 10] [--only ours,python,pion,pion-none,janus]
                               [--equal-packets] [--rounds 1] [--json]

Each gets the same source and the same swarm, one after the other, in turns when there are several rounds; the
floor is the least that C needs for it here. Exit codes: 0, 1 when one of those asked for was not measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from loadtest.compare import targets
from loadtest.compare.targets import MissingError, Target

Report = dict[str, Any]
Start = Callable[[Path, int], AbstractContextManager[Target]]

SERVERS: Mapping[str, Start] = {
    "ours": partial(targets.ours, fanout="native"),
    "python": partial(targets.ours, fanout="python"),
    "pion": partial(targets.pion, interceptors="default"),
    "pion-none": partial(targets.pion, interceptors="none"),
    "janus": targets.janus,
}
MEANING = {
    "ours": "liveserver, native fan-out",
    "python": "liveserver, the reference in Python",
    "pion": "Pion, default interceptors",
    "pion-none": "Pion, no interceptors",
    "janus": "Janus, streaming plugin",
}
_COLUMNS = ("us_per_packet", "to_floor", "viewers_per_core", "kib_per_viewer", "lost", "picture_ms_p99")


def measure(name: str, given: argparse.Namespace) -> Report:
    """One server, once. MissingError when it is not there."""
    with (
        tempfile.TemporaryDirectory(prefix="compare-") as folder,
        SERVERS[name](Path(folder), given.viewers) as target,
    ):
        report = _swarm(target, given)
    steady = report.get("measured")
    if steady is None:
        raise MissingError(f"nobody joined: {report['failed']}")
    return _figures(report, steady, target.counted)


def _swarm(target: Target, given: argparse.Namespace) -> Report:
    command = [sys.executable, "-m", "loadtest.swarm", *target.options, "--json"]
    command += ["--viewers", str(given.viewers), "--seconds", str(given.seconds), "--rate", str(given.rate)]
    command += ["--server-pid", str(target.pid)]
    command += ["--tokens", "-"] if target.tokens else []
    command += ["--equal-packets"] if given.equal_packets else []
    ran = subprocess.run(  # noqa: S603 - our own module
        command, input="\n".join(target.tokens), stdout=subprocess.PIPE, text=True, check=False
    )
    if not ran.stdout:
        raise MissingError(f"the swarm ended with {ran.returncode} and no report")
    report: Report = json.loads(ran.stdout)
    return report


def _figures(report: Report, steady: Report, counted: str | None) -> Report:
    of = steady["server_us_per_packet_of"]
    us_per_packet = of[counted] if counted else steady["server_us_per_packet"]
    per_viewer_s = us_per_packet / 1e6 * steady["packets"] / steady["seconds"] / max(1, steady["viewers"])
    return {
        "us_per_packet": us_per_packet,
        "viewers_per_core": int(1 / per_viewer_s) if per_viewer_s else None,
        "kib_per_viewer": steady["server_kib_per_viewer"],
        "joined": report["joined"],
        "packets": steady["packets"],
        "lost": steady["lost"] + steady["audio_lost"],
        "mbit_s_per_viewer": steady["mbit_s_per_viewer"],
        "picture_ms_p99": (steady["picture_ms"] or {}).get("p99"),
        "profile": next(iter(report["profiles"]), None),
        "us_per_packet_of": of,
    }


def compare(given: argparse.Namespace, tell: Callable[[str], None]) -> Report:
    rounds: dict[str, list[Report]] = {name: [] for name in given.only}
    missing: dict[str, str] = {}
    floors = []
    for number in range(given.rounds):
        tell(f"round {number + 1} of {given.rounds}: the floor")
        floors.append(targets.floor(given.viewers, given.seconds))
        for name in given.only:
            if name in missing:
                continue
            tell(f"round {number + 1} of {given.rounds}: {MEANING[name]}")
            try:
                rounds[name].append(measure(name, given))
            except MissingError as error:
                missing[name] = str(error)
    least = statistics.median(float(str(one["floor_us_per_packet"])) for one in floors)
    return {
        "compare": "fan-out",
        "viewers": given.viewers,
        "seconds": given.seconds,
        "packets": "equal" if given.equal_packets else "as libwebrtc splits",
        "floor_us_per_packet": round(least, 3),
        "servers": {name: _median(found, least) for name, found in rounds.items() if found},
        "missing": missing,
    }


def _median(found: Sequence[Report], least: float) -> Report:
    """Of the round whose cost is in the middle, with the costs of all."""
    ordered = sorted(found, key=lambda one: float(one["us_per_packet"]))
    middle = ordered[len(ordered) // 2]
    return {
        **middle,
        "to_floor": round(middle["us_per_packet"] / least, 2),
        "us_per_packet_rounds": [one["us_per_packet"] for one in found],
    }


def table(report: Report) -> str:
    lines = [["server", *_COLUMNS], ["floor in C", str(report["floor_us_per_packet"]), "1.0", *"----"]]
    for name, figures in report["servers"].items():
        lines.append([MEANING[name], *(str(figures[column]) for column in _COLUMNS)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rows += [f"{MEANING[name]}: {why}" for name, why in report["missing"].items()]
    return "\n".join(row.rstrip() for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="loadtest.compare", description=__doc__.partition("\n")[0])
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=50.0, help="joins a second")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--equal-packets", action="store_true", help="as the floor's are")
    parser.add_argument("--only", default=",".join(SERVERS), help=f"of {','.join(SERVERS)}")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    given.only = given.only.split(",")
    if unknown := set(given.only) - set(SERVERS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    report = compare(given, lambda text: print(text, file=sys.stderr))
    print(json.dumps(report) if given.json else table(report))
    return 1 if report["missing"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
