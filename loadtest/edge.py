"""Players of LL-HLS who all come at the same moment, through an edge: what each waits for.

    python -m loadtest.edge URL [--seconds S] [--ca FILE] [--origin URL] < TOKENS       one a player and line

URL is `https://class.example/hls/LESSON`. All connections are opened first; then, at once, each player asks
for the multivariant playlist, the media playlist and the newest parts, and from then on reloads blocking and
fetches every part, as players do. A delay begins when the first of all players had what is asked for, or with
the request where that came later. `--origin` (`http://127.0.0.1:8080`) is the server itself: its counters say
what the edge asked of it. Prints one line of JSON; exit code 1 when a player got something else than 200.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import ssl
import statistics
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import uvloop

from loadtest.lines import Answer, Line, LineError

_AT_ONCE = 20  # connections being opened
_BEHIND = 4  # of the parts that are there at the beginning, a player takes the newest: its hold-back
_LISTED = re.compile(r'#EXT-X-PART:[^\n]*URI="([^"?]+)')
_HINTED = re.compile(r'#EXT-X-PRELOAD-HINT:[^\n]*URI="[^"]+/(\d+)\.(\d+)\.m4s')
_COUNTED = re.compile(r'http_requests_total\{method="GET",route="/hls/([^"]+)",status="(\d+)"\} (\S+)')
_PART, _PLAYLIST, _ACCESS = ".{part}.m4s", ".m3u8", "access"

Report = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """What all players had so far. Times by the loop's clock, seconds."""

    first_s: dict[str, float] = field(default_factory=dict)
    waits: dict[str, list[tuple[str, float, float]]] = field(
        default_factory=lambda: {"part": [], "playlist": []}
    )
    joins: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def had(self, kind: str, name: str, asked_s: float, at_s: float) -> None:
        self.first_s[name] = min(at_s, self.first_s.get(name, at_s))
        self.waits[kind].append((name, asked_s, at_s))

    def delays_ms(self, kind: str) -> list[float]:
        """Of what somebody waited for together with others."""
        return [1000 * (at_s - max(asked_s, self.first_s[name])) for name, asked_s, at_s in self.waits[kind]]


class Player:
    """One learner. `path` is `/hls/{lesson}`."""

    def __init__(self, line: Line, path: str, token: str, seen: Seen):
        self._line = line
        self._path = path
        self._token = token
        self._seen = seen
        self._parts: set[str] = set()
        self._loop = asyncio.get_running_loop()

    async def play(self, until_s: float) -> None:
        """From the multivariant playlist on."""
        began_s = self._loop.time()
        try:
            await self._get("index.m3u8", "?")
            name, separator = "video.m3u8", "?"
            while self._loop.time() < until_s:
                asked_s = self._loop.time()
                answer = await self._get(name, separator)
                if separator == "&":
                    self._seen.had("playlist", name, asked_s, answer.at_s)
                text = answer.body.decode()
                await self._fetch(text, began_s)
                hint = _HINTED.search(text)
                if hint is None:
                    raise LineError("a playlist without a hint")
                name, separator = f"video.m3u8?_HLS_msn={hint[1]}&_HLS_part={hint[2]}", "&"
        except (LineError, OSError) as error:
            self._seen.errors[str(error) or type(error).__name__] += 1
        finally:
            self._line.close()

    async def _fetch(self, playlist: str, began_s: float) -> None:
        """The parts it has not had."""
        for uri in _LISTED.findall(playlist)[-_BEHIND:]:
            if uri in self._parts:
                continue
            is_first = not self._parts
            self._parts.add(uri)
            asked_s = self._loop.time()
            answer = await self._get(uri, "?")
            self._seen.had("part", uri, asked_s, answer.at_s)
            if is_first:
                self._seen.joins.append(1000 * (answer.at_s - began_s))

    async def _get(self, name: str, separator: str) -> Answer:
        answer = await self._line.get(f"{self._path}/{name}{separator}token={self._token}")
        if answer.status != 200:
            raise LineError(f"{answer.status} for {re.sub('[0-9]+', 'N', name)}")
        return answer


async def run(options: argparse.Namespace, tokens: Sequence[str]) -> Report:
    """Play, and what came of it."""
    address = urlsplit(options.url)
    tls = ssl.create_default_context(cafile=options.ca or None) if address.scheme == "https" else None
    host, port = str(address.hostname), address.port or (443 if tls else 80)
    gate, seen = asyncio.Semaphore(_AT_ONCE), Seen()

    async def opened() -> Line:
        async with gate:
            return await Line.open(host, port, tls)

    lines = await asyncio.gather(*(opened() for _ in tokens))
    before = counted(options.origin)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    until_s = asyncio.get_running_loop().time() + options.seconds
    players = [Player(line, address.path, token, seen) for line, token in zip(lines, tokens, strict=True)]
    await asyncio.gather(*(player.play(until_s) for player in players))
    wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    after = counted(options.origin)
    return {
        "players": len(tokens),
        "seconds": round(wall_s, 1),
        "generator_cpu": round(cpu_s / wall_s, 2),
        "errors": dict(seen.errors),
        "join_ms": spread(seen.joins),
        "part_ms": spread(seen.delays_ms("part")),
        "playlist_ms": spread(seen.delays_ms("playlist")),
        "parts": {"fetched": len(seen.waits["part"]), "different": _different(seen, "part")},
        "playlists": {"fetched": len(seen.waits["playlist"]), "different": _different(seen, "playlist")},
        "origin": {kind: after[kind] - before[kind] for kind in after},
    }


def counted(origin: str) -> Counter[str]:
    """How many parts, playlists and answers of `access` the server has given so far; of `{}` nothing."""
    found: Counter[str] = Counter()
    if not origin:
        return found
    with urllib.request.urlopen(f"{origin}/metrics", timeout=10) as answer:  # noqa: S310 - the operator's own
        text = answer.read().decode()
    for route, status, number in _COUNTED.findall(text):
        for kind in (_PART, _PLAYLIST, _ACCESS):
            if route.endswith(kind):
                found[f"{kind.strip('.')} {status}"] += int(float(number))
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the longest."""
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {
        "p50": round(cuts[49], 1),
        "p95": round(cuts[94], 1),
        "p99": round(cuts[98], 1),
        "max": round(max(values), 1),
    }


def _different(seen: Seen, kind: str) -> int:
    return len({name for name, _, _ in seen.waits[kind]})


def main() -> int:
    parser = argparse.ArgumentParser(prog="loadtest.edge", description=__doc__.partition("\n")[0])
    parser.add_argument("url", metavar="URL")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S")
    parser.add_argument("--ca", default="", metavar="FILE", help="trust this certificate, and no other")
    parser.add_argument("--origin", default="", metavar="URL")
    options = parser.parse_args()
    tokens = [line.strip() for line in sys.stdin if line.strip()]
    report = uvloop.run(run(options, tokens))
    print(json.dumps(report))
    return 1 if report["errors"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
