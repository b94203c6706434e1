"""`liveserver serve`, `demo` and `check-config`."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from typing import Any

from liveserver import config, demo, log, weights
from liveserver.bucket import bucket_of
from liveserver.cli.arguments import count, port
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.config.units import LogLevel
from liveserver.http import links
from liveserver.start import Ready
from liveserver.supervisor import Supervisor, supervise
from liveserver.tokens import Tokens


def add_commands(commands: Any) -> None:
    """Put them under `commands`, argparse's subparsers."""
    served = commands.add_parser(
        "serve", help="run the server", description=_serve.__doc__, allow_abbrev=False
    )
    _add_server_options(served)
    served.add_argument("--tls-cert", metavar="FILE", help="certificate chain (PEM)")
    served.add_argument("--tls-key", metavar="FILE", help="private key (PEM)")
    served.add_argument(
        "--setup-link",
        action="store_true",
        help="print a new one-time set-up link although the store is not empty",
    )
    served.set_defaults(command=_serve)

    shown = commands.add_parser(
        "demo",
        help="run the server with a new lesson and print its links",
        description=_demo.__doc__,
        allow_abbrev=False,
    )
    _add_server_options(shown)
    shown.add_argument("--json", action="store_true", help="print the links as one JSON line")
    shown.add_argument("--learners", type=count, default=0, metavar="N", help="print N more learners' links")
    shown.add_argument("--publish", action="store_true", help="broadcast a test pattern to the lesson")
    shown.add_argument(
        "--lan", action="store_true", help="listen on all addresses, with a certificate of its own"
    )
    shown.set_defaults(command=_demo)

    checked = commands.add_parser(
        "check-config",
        help="check the configuration and show what it changes",
        description=_check.__doc__,
        allow_abbrev=False,
    )
    checked.add_argument("--config", type=Path, metavar="FILE", help="TOML file; see liveserver.example.toml")
    checked.set_defaults(command=_check)


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; see liveserver.example.toml")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=port, help="TCP port, 0 for any free one (default 8080)")


def _load(given: argparse.Namespace, *, quiet: bool = False) -> Config:
    """The configuration of a server command. `quiet` logs warnings only, unless a level was asked for."""
    options = {
        "http.host": "host",
        "http.port": "port",
        "http.tls_cert": "tls_cert",
        "http.tls_key": "tls_key",
    }
    flags = {key: getattr(given, name, None) for key, name in options.items()}
    set_flags = {key: value for key, value in flags.items() if value is not None}
    environment = dict(os.environ)
    if quiet and given.config is None and config.ENV_FILE not in environment:
        environment.setdefault(config.env_name("log_level"), LogLevel.WARNING)
    return config.load(given.config, environment, set_flags)


def _serve(given: argparse.Namespace) -> int:
    """Run the server until SIGTERM: node and recorder as processes of their own, restarted when they end.
    On an empty store it prints a one-time link that makes the first administrator."""
    loaded = _load(given)
    log.set_up(loaded.log_level, "supervisor")

    async def ready(supervisor: Supervisor, found: Ready) -> None:
        if found.empty or given.setup_link:
            within = loaded.tokens.setup_link
            print(f"Make an administrator within {within}, once: {_setup_url(loaded, found)}", flush=True)
        print(f"liveserver is ready at {found.base_url}", flush=True)

    asyncio.run(supervise(loaded, lambda text: None, ready))
    return 0


def _setup_url(loaded: Config, found: Ready) -> str:
    tokens = Tokens.load_or_create(loaded.key_file)
    return links.setup(found.base_url, tokens, Clock().wall_s(), int(loaded.tokens.setup_link.s))


def _demo(given: argparse.Namespace) -> int:
    """Run the server with embedded defaults and a new lesson, and print links to its pages. Keys, earlier
    lessons and recordings stay in LIVESERVER_DATA_DIR (./data)."""
    loaded = _load(given, quiet=True)
    log.set_up(loaded.log_level, "supervisor")
    asyncio.run(demo.demo(loaded, demo.Options(given.json, given.learners, given.publish, given.lan)))
    return 0


# What is not shown; an address of a store may hold a password.
_SECRET = (
    "store_url",
    "bus.url",
    "witness.s3_access_key",
    "witness.s3_secret_key",
    "rtc.turn_secret",
    "objects.s3_access_key",
    "objects.s3_secret_key",
    "oidc.client_secret",
)


def _check(given: argparse.Namespace) -> int:
    """Read the configuration as a start would, file and environment, and print each key that differs from its
    default, and which models are there; what is wrong is named, with exit code 1."""
    read = config.load(given.config, os.environ)
    bucket_of(read.objects)  # a secret's file that cannot be read is named here as well
    loaded = config.flatten(read)
    defaults = config.flatten(Config())
    for key, value in loaded.items():
        if value != defaults[key]:
            print(f"{key} = {'(set)' if key in _SECRET else value}")
    for line in weights.told(read):
        print(line)
    print("The configuration is valid.")
    return 0
