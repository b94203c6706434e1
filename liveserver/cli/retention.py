"""`liveserver retention`: what may be deleted, and deleting it, through the running server.

The server is asked, and not its database, because it alone writes the ledger. The command signs itself an
administrator's token with the key in the data folder, so it has to run where that folder can be read.
Exit codes: 0 done; 1 the server is not there or refused something; 2 misuse.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any

from liveserver import config
from liveserver.cli.rest import RefusedError, Server
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.config.checks import ConfigError
from liveserver.core.permissions import Role
from liveserver.http.api.storage import MAX_DELETED
from liveserver.tokens import ALL_LESSONS, Tokens

MISUSE = 2
_TOKEN_S = 600
_TIMEOUT_S = 600.0  # a hundred objects in a slow bucket


def add_commands(commands: Any) -> None:
    """Put it under `commands`, argparse's subparsers."""
    parser = commands.add_parser(
        "retention",
        help="list recordings whose date has come, and delete them",
        description=_retention.__doc__,
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; see liveserver.example.toml")
    parser.add_argument("--url", help="the running server (default: as configured in [http])")
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificates to trust instead of the system's"
    )
    parser.add_argument("--limit", type=_count, default=MAX_DELETED, metavar="N", help="at most so many")
    parser.add_argument("--recording", action="append", metavar="ID", help="only this one; may be repeated")
    parser.add_argument("--delete", action="store_true", help="delete what is listed; needs --yes as well")
    parser.add_argument("--yes", action="store_true", help="yes, delete: it cannot be undone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(command=_retention)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("a number from 1 to 1000 is expected")
    return int(text)


def _retention(given: argparse.Namespace) -> int:
    """List recordings whose retention date has come and that no legal hold keeps. With --delete --yes they
    are deleted from the archive for good, each with a certificate in the ledger. Nothing is deleted before
    its date: the server, and the bucket's lock, refuse it."""
    if given.delete and not given.yes:
        print("liveserver: --delete cannot be undone; add --yes to confirm", file=sys.stderr)
        return MISUSE
    if given.yes and not given.delete:
        print("liveserver: --yes confirms --delete, which is not given", file=sys.stderr)
        return MISUSE
    loaded = config.load(given.config, os.environ)
    try:
        server = own_server(loaded, given, "retention")
        due = server.json("GET", f"/retention/due?limit={given.limit}")["items"]
        if given.recording:
            due = [item for item in due if item["id"] in given.recording]
        done = {"due": due, **(_delete(server, given.recording or [i["id"] for i in due], given) or {})}
    except (RefusedError, OSError) as error:
        print(f"liveserver: {error}", file=sys.stderr)
        return 1
    _print(done, as_json=given.json)
    return 1 if done.get("refused") else 0


def _delete(server: Server, wanted: list[str], given: argparse.Namespace) -> dict[str, Any] | None:
    if not given.delete:
        return None
    deleted: list[str] = []
    refused: list[dict[str, str]] = []
    for first in range(0, len(wanted), MAX_DELETED):
        body = {"recordings": wanted[first : first + MAX_DELETED]}
        answer = server.json("POST", "/retention/deletions", body)
        deleted += answer["deleted"]
        refused += answer["refused"]
    return {"deleted": deleted, "refused": refused}


def _print(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        lines = [json.dumps(done)]
    else:
        lines = [
            f"{item['id']}  until {item['retain_until'][:10]}  {item['months']} months  {item['size']} bytes"
            for item in done["due"]
        ]
        lines += [f"deleted {name}" for name in done.get("deleted", ())]
        lines += [f"refused {item['id']}: {item['code']}" for item in done.get("refused", ())]
        if "deleted" not in done:
            lines.append(f"{len(done['due'])} may be deleted: liveserver retention --delete --yes")
    print("\n".join(lines))


def own_server(loaded: Config, given: argparse.Namespace, command: str) -> Server:
    """The running server, asked as an administrator by `command`, of which `given` has url and ca.

    Raises RefusedError, ConfigError, OSError.
    """
    scheme = "https" if loaded.tls else "http"
    host = "127.0.0.1" if loaded.http.host in ("0.0.0.0", "::") else loaded.http.host  # noqa: S104
    host = f"[{host}]" if ":" in host else host
    if not loaded.key_file.is_file():
        raise RefusedError("no_key", f"there is no server's key in {loaded.data_dir}")
    try:
        tokens = Tokens.load_or_create(loaded.key_file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot use {loaded.key_file}: {type(error).__name__}") from error
    token = tokens.issue(
        person=f"command-{getpass.getuser()}"[:60],
        name=f"liveserver {command}",
        role=Role.ADMIN,
        lesson=ALL_LESSONS,
        now_s=Clock().wall_s(),
        ttl_s=_TOKEN_S,
    )
    address = given.url or loaded.http.base_url or f"{scheme}://{host}:{loaded.http.port}"
    return Server(address, token, ca=given.ca, timeout_s=_TIMEOUT_S)
