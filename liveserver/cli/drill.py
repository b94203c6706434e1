"""`liveserver drill kill`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liveserver.cli.arguments import count
from liveserver.core.events.cut import Level
from liveserver.cut import kill_drill
from liveserver.cut.kill_drill import DrillError, Options

TOKEN_ENV = "LIVESERVER_ADMIN_TOKEN"  # noqa: S105 - where it is, not what it is
_LEVELS = (Level.PICTURE, Level.PAUSE, Level.LESSON)


def add_commands(commands: Any) -> None:
    """Put it under `commands`, argparse's subparsers."""
    drills = commands.add_parser("drill", help="try out what must work in an emergency, and keep the proof")
    kinds = drills.add_subparsers(title="drills", metavar="DRILL", required=True)
    kill = kinds.add_parser("kill", help="cut a lesson with synthetic viewers", description=_kill.__doc__)
    kill.add_argument("--viewers", type=count, default=20, metavar="N")
    kill.add_argument("--tcp", type=count, default=0, metavar="N", help="so many of them over TCP")
    kill.add_argument("--rounds", type=count, default=10, metavar="N")
    kill.add_argument("--level", choices=[str(level) for level in _LEVELS], default="pause",
                      help="lesson sends everybody away each time, the others do not")  # fmt: skip
    kill.add_argument("--url", default="", help="of a running server (default: one started for the drill)")
    kill.add_argument("--control-url", default="", metavar="URL", help="its control port, if that is another")
    kill.add_argument("--token-file", type=Path, metavar="FILE",
                      help=f"an administrator's token; - is standard input (or {TOKEN_ENV})")  # fmt: skip
    kill.add_argument("--json", action="store_true", help="print one JSON line")
    kill.set_defaults(command=_kill)


def _kill(given: argparse.Namespace) -> int:
    """Cut and restore a lesson of its own, with a synthetic publisher and viewers, and print how long it took
    until the last packet: at the viewers, counted from before the request, and by the server itself. The
    result is a fact in the server's ledger and in `GET /api/v1/drills`."""
    options = Options(
        viewers=max(1, given.viewers),
        rounds=max(1, given.rounds),
        level=given.level,
        tcp=min(given.tcp, max(1, given.viewers)),
        url=given.url,
        control_url=given.control_url,
        token=_token(given) if given.url else "",
    )

    def tell(text: str) -> None:
        if not given.json:
            sys.stderr.write(text + "\n")

    found = asyncio.run(kill_drill.drill(options, tell))
    shown = json.dumps(found, ensure_ascii=False) if given.json else _table(found)
    sys.stdout.write(shown + "\n")
    return 0


def _token(given: argparse.Namespace) -> str:
    if given.token_file is None:
        token = os.environ.get(TOKEN_ENV, "")
    elif str(given.token_file) == "-":
        token = sys.stdin.readline()
    else:
        try:
            token = given.token_file.read_text(encoding="utf-8")
        except OSError as error:
            raise DrillError(f"cannot read {given.token_file}: {error.strerror}") from error
    if not token.strip():
        raise DrillError(f"--url needs an administrator's token: --token-file, or {TOKEN_ENV}")
    return token.strip()


def _table(found: Mapping[str, Any]) -> str:
    rows = [f"{found['viewers']} viewers, {found['rounds']} rounds, level {found['level']}; milliseconds",
            f"{'':<34}{'p50':>10}{'p99':>10}{'max':>10}"]  # fmt: skip
    named = [("request to its answer", found["answered"])]
    named += [(f"request to {name}, at the viewers", values) for name, values in found["seen"].items()]
    named += [(f"{name}, by the server", values) for name, values in found["server"].items()]
    for name, values in named:
        if values is not None:
            rows.append(f"{name:<34}" + "".join(f"{values[q]:>10.3f}" for q in ("p50", "p99", "max")))
    return "\n".join([*rows, f"kept as drill {found['id']}"])
