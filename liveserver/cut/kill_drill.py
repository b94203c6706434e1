"""`liveserver drill kill`: synthetic viewers of a lesson of their own, cut and restored again and again.

What viewers saw is compared with what the server says of itself, printed, and kept there as evidence. The
viewers are `loadtest.drill`, a process of its own that knows only the wire.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from liveserver.core.drill import in_ms, quantiles
from liveserver.own_server import own_server, stop
from liveserver.start import StartError

TITLE = "Drill of the kill switch"
_HTTP_S = 60.0
Report = dict[str, Any]
Tell = Callable[[str], None]


class DrillError(StartError):
    """The drill could not be held; the message is one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Options:
    """`tcp` of the viewers come over TCP. Without `url` a server is started for the drill; `token` is an
    administrator's, `control_url` that of the guard's port where it is another."""

    viewers: int = 20
    rounds: int = 10
    level: str = "pause"
    tcp: int = 0
    url: str = ""
    control_url: str = ""
    token: str = ""


async def drill(options: Options, tell: Tell) -> Report:
    """Hold the drill. Raises DrillError."""
    if options.url:
        return await _hold(options.url, options.control_url or options.url, options.token, options, tell)
    try:
        async with own_server(0, tell) as own:
            admin = own.ready["tokens"]["admin"]
            return await _hold(own.ready["base_url"], own.ready["control_url"], admin, options, tell)
    except RuntimeError as error:
        raise DrillError(str(error)) from error


async def bench(viewers: int, tell: Tell) -> Report:
    """`liveserver bench kill`: the drill on a server of its own, in the form of the other measurements."""
    found = await drill(Options(viewers=viewers), tell)
    return {
        "bench": "kill",
        "viewers": viewers,
        "rounds": found["rounds"],
        "p50_ms": found["seen"]["dark"]["p50"],
        "p99_ms": found["seen"]["dark"]["p99"],
        "max_ms": found["seen"]["dark"]["max"],
        "server_p50_ms": found["server"]["dark"]["p50"],
        "server_p99_ms": found["server"]["dark"]["p99"],
        "server_max_ms": found["server"]["dark"]["max"],
        "answer_p99_ms": found["answered"]["p99"],
    }


async def _hold(base: str, control: str, token: str, options: Options, tell: Tell) -> Report:
    base, control = base.rstrip("/"), control.rstrip("/")
    headers, timeout = {"Authorization": f"Bearer {token}"}, aiohttp.ClientTimeout(total=_HTTP_S)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        api = _Api(http, f"{base}/api/v1")
        lesson = await api.post("/lessons", {"title": TITLE})
        learners = await api.post(
            f"/lessons/{lesson['id']}/tokens",
            {"role": "learner", "name": "Drill", "count": options.viewers},
        )
        plan = {
            "base_url": base,
            "control_url": control,
            "lesson": lesson["id"],
            "instructor": lesson["tokens"]["instructor"],
            "moderator": lesson["tokens"]["moderator"],
            "admin": token,
            "learners": learners["tokens"],
            "tcp": options.tcp,
            "rounds": options.rounds,
            "level": options.level,
        }
        try:
            rounds = await _rounds(plan, tell)
            seen: dict[str, list[int]] = {
                f"seen_{transport}_us": [one[f"{transport}_us"] for one in rounds]
                for transport, viewers in (("udp", options.viewers - options.tcp), ("tcp", options.tcp))
                if viewers
            }
            about = {"lesson": lesson["id"], "level": options.level, "viewers": options.viewers}
            kept = await api.post("/drills", {**about, **seen})
        finally:
            await api.post(f"/lessons/{lesson['id']}/end", {})
    byes = {"byes": min(one["byes"] for one in rounds)} if options.level == "lesson" else {}
    return {**kept, "answered": in_ms(quantiles(one["answered_us"] for one in rounds)), **byes}


async def _rounds(plan: Mapping[str, Any], tell: Tell) -> list[dict[str, Any]]:
    """What the viewers' process said of each round."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest.drill", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    rounds: list[dict[str, Any]] = []
    reason = "the viewers' process ended; what it said is above"
    try:
        process.stdin.write(json.dumps(plan).encode() + b"\n")  # tokens: not for a command line
        await process.stdin.drain()
        async for line in process.stdout:
            said = json.loads(line)
            if said["event"] == "watching":
                tell(f"{said['viewers']} viewers watch")
            elif said["event"] == "round":
                rounds.append(said)
                tell(_line(said))
            elif said["event"] == "failed":
                reason = said["reason"]
            elif said["event"] == "done":
                return rounds
    finally:
        process.stdin.close()
        await stop(process)
    raise DrillError(f"the drill failed: {reason}")


def _line(said: Mapping[str, Any]) -> str:
    seen = max(said["udp_us"] or 0, said["tcp_us"] or 0) / 1000
    return f"round {said['number']}: dark after {seen:g} ms, by the server {said['measured']['dark_ms']} ms"


class _Api:
    def __init__(self, http: aiohttp.ClientSession, base: str):
        self._http, self._base = http, base

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's JSON. Raises DrillError for anything but success."""
        try:
            async with self._http.post(f"{self._base}{path}", json=dict(body)) as answer:
                told: dict[str, Any] = await answer.json(content_type=None)
                if answer.status not in (200, 201):
                    raise DrillError(f"{path}: {answer.status} {told.get('detail', '')}")
                return told
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DrillError(f"the server does not answer: {error or type(error).__name__}") from error
