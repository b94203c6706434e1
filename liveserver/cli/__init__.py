"""The command line. Exit codes: 0 ok, 1 failed with one sentence on standard error, 2 misuse."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from liveserver import __version__, bench, config, demo, log
from liveserver.bench import evidence as bench_evidence
from liveserver.bench import hours as bench_hours
from liveserver.bucket import bucket_of
from liveserver.cli import drill as cli_drill
from liveserver.cli import hours as cli_hours
from liveserver.cli import inspection
from liveserver.cli import ledger as cli_ledger
from liveserver.cli import recordings as cli_recordings
from liveserver.cli import retention as cli_retention
from liveserver.cli import screen as cli_screen
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.config.checks import ConfigError
from liveserver.config.sections import LogLevel
from liveserver.cut import kill_drill
from liveserver.http.api import setup
from liveserver.screening import weights
from liveserver.start import ExplainedError, Ready, StartError
from liveserver.supervisor import Supervisor, supervise
from liveserver.tokens import Tokens

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Misuse ends in `SystemExit(2)`, as argparse has it."""
    given = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="liveserver", description="Self-hosted live classroom server.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"liveserver {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

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
    shown.add_argument("--learners", type=_count, default=0, metavar="N", help="print N more learners' links")
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
    measured = commands.add_parser(
        "bench",
        help="measure what a packet, a join or an idle viewer costs, and how long a cut takes",
        description=_bench.__doc__,
    )
    measured.add_argument("what", choices=("fanout", "joins", "idle", "hours", "kill", "evidence"))
    measured.add_argument("--viewers", type=_count, default=100, metavar="N")
    measured.add_argument("--seconds", type=float, default=10.0, metavar="S", help="of fanout and idle")
    measured.add_argument("--json", action="store_true", help="print one JSON line")
    measured.set_defaults(command=_bench)
    cli_hours.add_command(commands)
    cli_recordings.add_commands(commands)
    cli_retention.add_command(commands)
    cli_ledger.add_command(commands)
    inspection.add_command(commands)
    cli_drill.add_command(commands, _count)
    cli_screen.add_commands(commands)
    return parser


def _add_server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file; see liveserver.example.toml")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=_port, help="TCP port, 0 for any free one (default 8080)")


def _port(text: str) -> str:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port from 0 to 65535 is expected")
    return text


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > demo.MAX_LEARNERS:
        raise argparse.ArgumentTypeError(f"a number from 0 to {demo.MAX_LEARNERS} is expected")
    return int(text)


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
    ttl_s = int(loaded.tokens.setup_link.s)
    token = tokens.sign_link(setup.LINK_KIND, setup.SUBJECT, Clock().wall_s(), ttl_s)
    return f"{found.base_url}/admin#setup={token}"


def _demo(given: argparse.Namespace) -> int:
    """Run the server with embedded defaults and a new lesson, and print links to its pages. Keys, earlier
    lessons and recordings stay in LIVESERVER_DATA_DIR (./data)."""
    loaded = _load(given, quiet=True)
    log.set_up(loaded.log_level, "supervisor")
    asyncio.run(demo.demo(loaded, demo.Options(given.json, given.learners, given.publish, given.lan)))
    return 0


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
        report = bench_hours.measure(viewers, tell)
    elif given.what == "evidence":
        log.set_up(LogLevel.WARNING, "bench")
        report = bench_evidence.measure(viewers, tell)
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
