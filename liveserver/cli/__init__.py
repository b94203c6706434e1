"""The command line. Exit codes: 0 ok, 1 failed with one sentence on standard error, 2 misuse.

Each command's module is imported when it is asked for: all of them together are the whole server.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from liveserver import __version__
from liveserver.config.checks import ConfigError
from liveserver.start import ExplainedError, StartError

Command = Callable[[argparse.Namespace], int]

_VERSION = "--version"
COMMANDS: Mapping[str, str] = {
    "serve": "server",
    "demo": "server",
    "check-config": "server",
    "bench": "bench",
    "hours": "hours",
    "recording": "recordings",
    "verify": "recordings",
    "retention": "retention",
    "revoke": "access",
    "passkey-code": "access",
    "ledger": "ledger",
    "inspect": "inspection",
    "drill": "drill",
    "screen": "screen",
}
"""Command → the module here that adds it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Misuse ends in `SystemExit(2)`, as argparse has it."""
    words = sys.argv[1:] if arguments is None else arguments
    given = _parser(words[0] if words else "").parse_args(words)
    command: Command = given.command
    try:
        return command(given)
    except ExplainedError:
        return 1
    except (ConfigError, StartError) as error:
        print(f"liveserver: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser(first: str) -> argparse.ArgumentParser:
    """That of the command `first`; of all where it names none."""
    parser = argparse.ArgumentParser(
        prog="liveserver", description="Self-hosted live classroom server.", allow_abbrev=False
    )
    parser.add_argument(_VERSION, action="version", version=f"liveserver {__version__}")
    if first == _VERSION:
        return parser
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    modules = [COMMANDS[first]] if first in COMMANDS else dict.fromkeys(COMMANDS.values())
    for module in modules:
        import_module(f"{__name__}.{module}").add_commands(commands)
    return parser
