"""What signing in costs, and how long a taken-over connection goes on; the figures of docs/BENCHMARKS.md.

    python -m tests.log_in.measure sign-in     CPU of a sign-in by password, of a refusal, of a renewal
    python -m tests.log_in.measure takeover    from a learner's newer connection to the older's last packet

One JSON line each, everything on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiortc.rtcdtlstransport import RTCDtlsTransport

from liveserver.config.sections import AccountsConfig
from loadtest.viewer import Viewer
from tests.drivers.media import pattern_publisher
from tests.drivers.server import Server
from tests.log_in.door import NAME, PASSWORD, door


async def sign_in(rounds: int) -> dict[str, Any]:
    """CPU of server and client together: the client's own part is some tenths of a millisecond."""
    rule = replace(AccountsConfig(), attempts=100, address_burst=100_000)
    with tempfile.TemporaryDirectory() as folder:
        async with door(Path(folder), accounts=rule) as opened, opened.browser() as browser:
            await opened.account()

            async def cost(act: Callable[[], Any]) -> float:
                spent = []
                for _ in range(rounds):
                    before = time.process_time()
                    await act()
                    spent.append((time.process_time() - before) * 1000)
                return round(statistics.median(spent), 2)

            return {
                "rounds": rounds,
                "sign_in_cpu_ms": await cost(lambda: browser.sign_in(NAME, PASSWORD)),
                "refused_cpu_ms": await cost(lambda: browser.sign_in("nobody", "wrong-Word-7")),
                "renewed_cpu_ms": await cost(browser.refresh),
            }


def last_packets(viewer: Viewer) -> Callable[[], float]:
    """When the viewer was last sent media, by the monotonic clock; asked for afterwards."""
    last = [0.0]
    transports: set[RTCDtlsTransport] = {t.receiver.transport for t in viewer._connection.getTransceivers()}
    for transport in transports:
        original = transport._handle_rtp_data

        async def heard(data: bytes, arrival_time_ms: int, original: Any = original) -> None:
            last[0] = time.monotonic()
            await original(data, arrival_time_ms=arrival_time_ms)

        transport._handle_rtp_data = heard
    return lambda: last[0]


async def moment_of_connection(viewer: Viewer) -> float:
    """When ICE and DTLS were through, by the monotonic clock."""
    through = asyncio.Event()
    viewer._connection.on("connectionstatechange", through.set)
    while viewer._connection.connectionState != "connected":
        await through.wait()
        through.clear()
    return time.monotonic()


async def takeover(rounds: int) -> dict[str, Any]:
    """The lesson is a small test pattern; both viewers are aiortc in this process."""
    after, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder)).start()
        try:
            lesson = server.demo
            url = server.whip_url(lesson)
            with pattern_publisher(Path(folder), url, lesson.tokens["instructor"], size="320x240") as client:
                await asyncio.to_thread(client.wait, "publishing")
                for _ in range(rounds):
                    token = server.more_tokens(lesson, 1)[0]
                    async with Viewer(server.whep_url(lesson), token) as old:
                        await old.frames(5)
                        last = last_packets(old)
                        asked = time.monotonic()
                        async with Viewer(server.whep_url(lesson), token) as new:
                            connected = await moment_of_connection(new)
                            await new.frames(3)
                            await old.session.gone.wait()
                        after.append((last() - connected) * 1000)
                        whole.append((last() - asked) * 1000)
        finally:
            server.stop()
    return {"rounds": rounds, "after_connected_ms": spread(after), "after_asked_ms": spread(whole)}


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {"median": round(statistics.median(ordered), 1), "worst": round(ordered[-1], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.log_in.measure")
    parser.add_argument("what", choices=("sign-in", "takeover"))
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    measure = sign_in if options.what == "sign-in" else takeover
    print(json.dumps(asyncio.run(measure(options.rounds))))


if __name__ == "__main__":
    main()
