"""`liveserver revoke` and `liveserver passkey-code`: who comes in, through the running server.

Exit codes: 0 done; 1 the server is not there or refused it; 2 misuse.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from liveserver import config
from liveserver.cli.rest import RefusedError
from liveserver.cli.retention import own_server
from liveserver.core.sign_in import folded_name


def add_commands(commands: Any) -> None:
    """Put it under `commands`, argparse's subparsers."""
    parser = commands.add_parser(
        "revoke",
        help="take back what somebody was issued to come in by",
        description=_revoke.__doc__,
        allow_abbrev=False,
    )
    _add_server(parser)
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--person", metavar="ID", help="everything this person was issued so far")
    whose.add_argument("--token", metavar="TOKEN", help="this token alone: itself, or its id (jti)")
    parser.set_defaults(command=_revoke)
    parser = commands.add_parser(
        "passkey-code",
        help="give somebody the code for a first passkey",
        description=_passkey_code.__doc__,
        allow_abbrev=False,
    )
    _add_server(parser)
    parser.add_argument("name", metavar="NAME", help="the account's sign-in name")
    parser.set_defaults(command=_passkey_code)


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; see liveserver.example.toml")
    parser.add_argument("--url", help="the running server (default: as configured in [http])")
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificates to trust instead of the system's"
    )


def _revoke(given: argparse.Namespace) -> int:
    """Void what a person was issued so far (links with tokens, and whatever a sign-in brought), or one token.
    It holds at once, on every node and after a restart: sockets, WebRTC sessions and LL-HLS end. Whoever has
    an account may sign in again."""
    asked = {"person": given.person} if given.person else {"token": given.token}
    try:
        server = own_server(config.load(given.config, os.environ), given, "revoke")
        server.json("POST", "/revocations", asked)
    except (RefusedError, OSError) as error:
        print(f"liveserver: {error}", file=sys.stderr)
        return 1
    return 0


def _passkey_code(given: argparse.Namespace) -> int:
    """Print the code by which the owner of an account registers a first passkey, where its role takes one; it
    is good for an hour and once. For the administrator whom nobody else can give one."""
    try:
        server = own_server(config.load(given.config, os.environ), given, "passkey-code")
        accounts, name = server.items("/accounts"), _folded(given.name)
        person = next((one["person"] for one in accounts if one["sign_in_name"] == name), None)
        if person is None:
            raise RefusedError("no_account", "nobody signs in by that name")
        print(server.json("POST", f"/accounts/{quote(person, safe='')}/passkey-code")["code"])
    except (RefusedError, OSError) as error:
        print(f"liveserver: {error}", file=sys.stderr)
        return 1
    return 0


def _folded(name: str) -> str:
    try:
        return folded_name(name)
    except ValueError:
        return ""
