"""A rehearsal on one machine: starts a server, publishes, runs Locust, writes the report.

    python -m loadtest.rehearsal [--scale 0.05] [--report FILE]

The defaults fit two cores, server and learners together. Exit codes: 0 every service level held, 1 not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from loadtest.classroom import Classroom, own_classroom

_LOCUSTFILE = Path(__file__).parents[1] / "locustfile.py"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="loadtest.rehearsal", description=__doc__.partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--scale", type=float, default=0.05, help="of 10,000 learners")
    parser.add_argument("--hls-share", type=float, default=0.06, help="of the learners play LL-HLS")
    parser.add_argument("--webrtc-share", type=float, default=0.04, help="of the learners join by WHEP")
    parser.add_argument("--pace", type=float, default=1.0, help="of the stages' length")
    parser.add_argument("--report", default="rehearsal.html", metavar="FILE")
    return parser.parse_args(arguments)


def run(given: argparse.Namespace, room: Classroom) -> int:
    command = [
        sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--only-summary",
        "--loglevel", "WARNING", "--host", room.host, "--lesson", room.lesson,
        "--scale", str(given.scale), "--hls-share", str(given.hls_share),
        "--webrtc-share", str(given.webrtc_share), "--pace", str(given.pace),
        "--server-pid", str(room.server_pid or 0), "--report", given.report,
    ]  # fmt: skip
    environment = {**os.environ, "REHEARSAL_ADMIN_TOKEN": room.admin}
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603 - ours


def main() -> int:
    given = parse()
    # All learners come from one address here, as they do from behind one proxy.
    settings = {"LIVESERVER_HTTP_UNFINISHED_PER_ADDRESS": "10000"}
    with own_classroom("--publish", settings=settings) as room:
        code = run(given, room)
    print(f"Report: {given.report}")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
