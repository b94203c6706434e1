"""`liveserver ledger verify | rotate | prepare`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from liveserver import config, keys
from liveserver.ledger.check import Report, check_ledger, memory_opener
from liveserver.store import StoreError, prepare_role
from recorder.objects import ObjectError

SHOWN = 20


def add_commands(commands: Any) -> None:
    ledger = commands.add_parser("ledger", help="check the ledger, hand it to a new key, guard its database")
    kinds = ledger.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verified = kinds.add_parser("verify", help="check every entry and head", description=_verify.__doc__)
    verified.add_argument("--config", type=Path, metavar="FILE")
    verified.add_argument("--log", metavar="HEX", help="the log's id, as you wrote it down")
    verified.add_argument("--alone", action="store_true", help="do not ask the configured bucket")
    verified.add_argument("--json", action="store_true", help="print one JSON line")
    verified.set_defaults(command=_verify)
    rotated = kinds.add_parser("rotate", help="hand the log to a new key", description=_rotate.__doc__)
    rotated.add_argument("--config", type=Path, metavar="FILE")
    rotated.set_defaults(command=_rotate)
    prepared = kinds.add_parser("prepare", help="a role that cannot change it", description=_prepare.__doc__)
    prepared.add_argument("--config", type=Path, metavar="FILE")
    prepared.add_argument("--role", required=True, metavar="NAME", help="the server's role, which exists")
    prepared.set_defaults(command=_prepare)


def _verify(given: argparse.Namespace) -> int:
    """Check every entry of the configured store against its hash, the tree, the signed heads, and what the
    configured bucket remembers, and name what does not fit. Exit code 0: nothing was altered; 1: something
    was; 2: it cannot be read."""
    loaded = config.load(given.config, os.environ)
    memory = None if given.alone else memory_opener(loaded)
    try:
        report = asyncio.run(check_ledger(loaded.store, given.log, memory))
    except (StoreError, ObjectError, OSError) as error:
        print(f"liveserver: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report.as_json()) if given.json else _words(report))
    return 0 if report.ok else 1


def _words(report: Report) -> str:
    vouched = "no witness was asked" if report.witness is None else f"a witness vouches for {report.witness}"
    lines = [f"{report.size} entries, {report.heads} signed heads; {vouched}."]
    if report.log:
        lines.append(f"The log {report.log}.")
    lines += [finding.words() for finding in report.findings[:SHOWN]]
    if len(report.findings) > SHOWN:
        lines.append(f"… and {len(report.findings) - SHOWN} more.")
    lines += [f"Warning: {weakness}." for weakness in report.weaknesses]
    lines.append("Nothing was altered." if report.ok else "The ledger does not fit: see above.")
    return "\n".join(lines)


def _rotate(given: argparse.Namespace) -> int:
    """Make the key that the log is handed to at the server's next start."""
    folder = config.load(given.config, os.environ).keys_dir
    try:
        keys.load_or_create(folder / "ledger.next.key")
    except (OSError, ValueError) as error:
        print(f"liveserver: {error}", file=sys.stderr)
        return 1
    print(f"{folder / 'ledger.next.key'} takes over at the next start.")
    return 0


def _prepare(given: argparse.Namespace) -> int:
    """On PostgreSQL, with the store's address being its owner's: bring the schema up to date and give the
    server's role what it needs, without UPDATE and DELETE on the ledger. Then let the server use it."""
    loaded = config.load(given.config, os.environ)
    try:
        asyncio.run(prepare_role(loaded.store, given.role))
    except StoreError as error:
        print(f"liveserver: {error}", file=sys.stderr)
        return 1
    print(f"The role {given.role} can read and append to the ledger and change nothing in it.")
    return 0
