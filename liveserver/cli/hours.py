"""`liveserver hours`: lesson hours from facts in a file, without a server.

Exit codes: 0 reckoned, 1 the file does not hold facts, 2 there is no such file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from liveserver.core import facts
from liveserver.core.errors import PeerError
from liveserver.core.hours import credit

MAX_BYTES = 64 * 1024 * 1024
MISUSE = 2
_STDIN = "-"


def add_commands(commands: Any) -> None:
    """Put it under `commands`, argparse's subparsers."""
    parser = commands.add_parser(
        "hours",
        help="reckon lesson hours from facts",
        description=_hours.__doc__,
        allow_abbrev=False,
    )
    parser.add_argument("facts", metavar="FACTS.json", help="- reads standard input")
    parser.set_defaults(command=_hours)


def _hours(given: argparse.Namespace) -> int:
    """Print as one JSON line what one person's lesson is worth: credited seconds, lesson hours, the status,
    each span that does not count with reason and clause, and seconds by day in China."""
    try:
        text = _read(given.facts)
    except OSError as error:
        return _fail(f"cannot read {given.facts}: {(error.strerror or str(error)).lower()}", MISUSE)
    try:
        if len(text) > MAX_BYTES:
            raise PeerError("bad_facts", f"$: more than {MAX_BYTES} bytes")
        hours = credit(facts.read(text))
    except PeerError as error:
        return _fail(f"{given.facts}: {error.detail}", 1)
    sys.stdout.write(json.dumps(facts.answer(hours), ensure_ascii=False) + "\n")
    return 0


def _read(name: str) -> bytes:
    """At most a byte more than is allowed."""
    if name == _STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _fail(words: str, code: int) -> int:
    sys.stderr.write(f"liveserver: {words}\n")
    return code
