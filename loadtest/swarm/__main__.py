"""Many light WebRTC viewers against a server.

    python -m loadtest.swarm WHEP_URL --tokens FILE|- --viewers N --seconds S [--rate JOINS_PER_S]
                             [--loss P] [--publish TOKEN] [--json]

Exit codes: 0 all joined and stayed, 1 some did not, 2 misuse. loadtest/README.md says what is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

try:
    from loadtest import _swarm
except ImportError as error:
    sys.exit(
        "loadtest.swarm: the native half is missing "
        f"({error}). It needs a C compiler, Cython and Python's headers: python setup.py build_ext --inplace"
    )

from loadtest.swarm.crowd import Crowd, Plan, Signalling
from loadtest.swarm.dtls import Identity
from loadtest.swarm.hub import Hub
from loadtest.swarm.janus import Janus
from loadtest.swarm.publishing import PublisherError, publishing
from loadtest.swarm.report import summarise, table
from loadtest.swarm.whep import Whep

_SPARE_DESCRIPTORS = 500  # HTTP connections and what Python has open
_BAR = 30
# As OpenSSL names them, the first that both sides have is taken.
PROFILES = {"gcm": b"SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80", "cm": b"SRTP_AES128_CM_SHA1_80"}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="loadtest.swarm", description=__doc__.partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("url", metavar="WHEP_URL")
    parser.add_argument("--tokens", metavar="FILE", help="one token a line and viewer; - is standard input")
    parser.add_argument("--viewers", type=int, default=100, metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="measured, all being there")
    parser.add_argument("--rate", type=float, default=50.0, metavar="JOINS_PER_S")
    parser.add_argument("--loss", type=float, default=0.0, metavar="P", help="0 to 1, thrown away on arrival")
    parser.add_argument("--seed", type=int, default=1, help="of what is thrown away")
    parser.add_argument(
        "--settle", type=float, default=2.0, metavar="S", help="between joins and measurement"
    )
    parser.add_argument("--publish", metavar="TOKEN", help="publish a synthetic lesson meanwhile, by WHIP")
    parser.add_argument("--whip", metavar="URL", help="where to (default: the URL with whip for whep)")
    parser.add_argument("--equal-packets", action="store_true", help="of that lesson, all of one size")
    parser.add_argument("--janus", type=int, metavar="ID", help="the URL is Janus', ID its mountpoint")
    parser.add_argument(
        "--srtp", choices=tuple(PROFILES), default="gcm", help="cm: AES_CM_128_HMAC_SHA1_80 only"
    )
    parser.add_argument("--server-pid", type=int, metavar="PID", help="measure its CPU time and memory too")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    given = parser.parse_args(arguments)
    if given.viewers < 1 or given.rate <= 0 or given.seconds <= 0 or not 0 <= given.loss < 1:
        parser.error("viewers, rate and seconds are above 0, the loss is from 0 to below 1")
    return given


def tokens_of(given: argparse.Namespace) -> list[str | None]:
    """One for each viewer, or None for each. SystemExit(2) when they do not suffice."""
    if given.tokens is None:
        return [None] * given.viewers
    text = sys.stdin.read() if given.tokens == "-" else Path(given.tokens).read_text()
    tokens: list[str | None] = [line.strip() for line in text.splitlines() if line.strip()]
    if len(tokens) < given.viewers:
        print(f"loadtest.swarm: {len(tokens)} tokens for {given.viewers} viewers", file=sys.stderr)
        raise SystemExit(2)
    return tokens


def room_for(viewers: int) -> str | None:
    """Raise the limit on open files as far as it goes; what is wrong if that is not far enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = viewers + _SPARE_DESCRIPTORS
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    if hard < wanted:
        return f"{viewers} viewers need {wanted} open files, the limit is {hard} (ulimit -Hn)"
    return None


class Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next_s = 0.0

    def tell(self, phase: str, done: float, of: float, detail: str) -> None:
        if not self._shown or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + 0.1
        filled = int(_BAR * min(1.0, done / of)) if of else _BAR
        sys.stderr.write(f"\r\x1b[K{phase:<9} [{'#' * filled}{'.' * (_BAR - filled)}] {detail}")
        sys.stderr.flush()

    def end(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


async def run(given: argparse.Namespace, tokens: Sequence[str | None]) -> int:
    bar = Bar()
    plan = Plan(given.viewers, given.seconds, given.rate, given.settle, given.server_pid)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
        )
        hub = await stack.enter_async_context(Hub(given.loss, given.seed, Identity(PROFILES[given.srtp])))
        if given.publish is not None:
            whip = given.whip or given.url.replace("/whep/", "/whip/")
            await stack.enter_async_context(publishing(whip, given.publish, equal=given.equal_packets))
        crowd = Crowd(hub, _sessions(given, http, tokens), plan, bar.tell)
        await crowd.run()
        report = summarise(crowd.visits, crowd.measured, given.viewers)
        report["openssl"] = _swarm.VERSION
        report["udp_gro"] = hub.native.joins_datagrams
        report["dropped_for_python"] = hub.native.loop()["ring_full"]
        if hub.failed is not None:
            report["loop_failed"] = str(hub.failed)
    bar.end()
    print(json.dumps(report) if given.json else table(report))
    return 0 if report["joined"] == given.viewers and not report["gone"] and hub.failed is None else 1


def _sessions(
    given: argparse.Namespace, http: aiohttp.ClientSession, tokens: Sequence[str | None]
) -> Callable[[int], Signalling]:
    if given.janus is not None:
        return lambda number: Janus(http, given.url, given.janus)
    return lambda number: Whep(http, given.url, tokens[number])


def main() -> int:
    given = parse()
    tokens = tokens_of(given)
    if wrong := room_for(given.viewers):
        print(f"loadtest.swarm: {wrong}", file=sys.stderr)
        return 2
    try:
        return asyncio.run(run(given, tokens))
    except PublisherError as error:
        print(f"loadtest.swarm: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
