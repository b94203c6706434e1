"""Many quiet viewers at once: they join by WHEP, stay, and tell when they are in.

    python -m loadtest.herd WHEP_URL < TOKENS       one token a line

Prints {"event": "joined", "viewers": N, "seconds": S} when all are in, and stays until standard input
closes or SIGTERM. The tokens come first, an empty line ends them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection

from loadtest.signalling import Signalling

_AT_ONCE = 4
_CONNECT_S = 30


class Quiet:
    """One viewer without a player: nothing is decoded."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str):
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.addTransceiver("audio", direction="recvonly")
        self._connection.addTransceiver("video", direction="recvonly")
        self.session = Signalling(http, url, token, self._connection)

    async def join(self) -> None:
        await self.session.connect()
        async with asyncio.timeout(_CONNECT_S):
            await self.session.connected.wait()


async def herd(url: str, tokens: list[str]) -> int:
    gate = asyncio.Semaphore(_AT_ONCE)
    began = time.monotonic()
    async with aiohttp.ClientSession() as http:
        viewers = [Quiet(http, url, token) for token in tokens]

        async def join(viewer: Quiet) -> None:
            async with gate:
                await viewer.join()

        await asyncio.gather(*(join(viewer) for viewer in viewers))
        seconds = round(time.monotonic() - began, 3)
        print(json.dumps({"event": "joined", "viewers": len(viewers), "seconds": seconds}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(*(viewer.session.close() for viewer in viewers))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="loadtest.herd", description=__doc__.partition("\n")[0])
    parser.add_argument("url", metavar="WHEP_URL")
    options = parser.parse_args()
    tokens = []
    for line in sys.stdin:
        if not line.strip():
            break
        tokens.append(line.strip())
    return asyncio.run(herd(options.url, tokens))


if __name__ == "__main__":
    raise SystemExit(main())
