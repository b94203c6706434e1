"""Many learners on WebSockets, and nothing but that: what a class of thousands costs the control plane.

    python -m loadtest.sockets [--sockets N] [--seconds S] [--storm M] [--json]
                               [--host URL --lesson ID --admin TOKEN [--server-pid PID]]

Without `--host` it starts a server of its own. All join, do nothing but heartbeats for S seconds, are told
chat lines and one challenge, and then M of them are cut off at once and come back with full jitter between
0.5 and 8 s. Arrival is the kernel's time (SO_TIMESTAMPNS), so that a generator which is busy reading does not
look like a slow server; both have to be on one machine for it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import uvloop

from loadtest import frames
from loadtest.classroom import Classroom, own_classroom
from loadtest.hearing import ARRIVE_S, Hearing, Report, quantiles, received, stamp_arrivals
from loadtest.meter import Meter
from loadtest.swarm.__main__ import room_for
from loadtest.swarm.publishing import publishing

AT_ONCE = 40
"""Connections that have not said what they want; one address may have 50 (`http.unfinished_per_address`)."""
HEARTBEAT_S = 15.0
_STEP_S = 0.05
_RECEIVED_BYTES = 16_384  # in the kernel; a learner who does not read is to be noticed
_TALKERS, _LONG_LINES, _LONG, _STALL_S = 20, 160, "请大家看第三页的图" * 50, 7.0


class Learner:
    """One connection. `told(payload, at_ns)` hears every text that comes."""

    __slots__ = (
        "_hello",
        "_in",
        "_loop",
        "_mask",
        "_out",
        "_reader",
        "_tls",
        "_told",
        "closed",
        "gone",
        "joined",
        "opened",
        "socket",
    )  # fmt: skip

    def __init__(self, told: Callable[[bytes, int], None], tls: ssl.SSLContext | None = None, host: str = ""):
        self._loop = asyncio.get_running_loop()
        self._told = told
        self._mask = random.randbytes(4)
        self._reader = frames.Reader()
        self.opened: asyncio.Future[None] | None = None
        self.joined: asyncio.Future[None] | None = None
        self.closed = 0
        self.gone: Callable[[Learner], None] = lambda learner: None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._hello = b""  # what is said as soon as it is secret
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._in, self._out, server_hostname=host) if tls is not None else None

    async def join(self, url: str, address: tuple[str, int], token: str) -> None:
        """Raises OSError, FrameError; TimeoutError when `joined` does not come."""
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stamp_arrivals(self.socket)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)
        await self._loop.sock_connect(self.socket, address)
        self.opened, self.joined = self._loop.create_future(), self._loop.create_future()
        self._loop.add_reader(self.socket.fileno(), self._readable)
        async with asyncio.timeout(ARRIVE_S):
            if self._tls is None:
                self._write(frames.request(url))
            else:
                self._hello = frames.request(url)
                with contextlib.suppress(ssl.SSLWantReadError):
                    self._tls.do_handshake()
                self._flush()
            await self.opened
            self.say({"type": "join", "token": token})
            await self.joined
        self.joined = None

    def say(self, message: dict[str, Any]) -> None:
        self.send(frames.TEXT, json.dumps(message, ensure_ascii=False).encode())

    def send(self, opcode: int, payload: bytes) -> None:
        self._write(frames.frame(payload, opcode, self._mask))

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            self._flush()
            return
        with contextlib.suppress(BlockingIOError):
            self.socket.send(data)

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if data := self._out.read():
                self.socket.send(data)

    def _decrypted(self, tls: ssl.SSLObject, data: bytes) -> bytes:
        """TLS by hand, so that the kernel's time of arrival is still to be had."""
        self._in.write(data)
        plain = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            if self._hello:
                tls.do_handshake()
                hello, self._hello = self._hello, b""
                tls.write(hello)
            while True:
                plain += tls.read(65536)
        self._flush()
        return plain

    def read(self, on: bool) -> None:
        """Whether it takes what comes."""
        if on:
            self._loop.add_reader(self.socket.fileno(), self._readable)
        else:
            self._loop.remove_reader(self.socket.fileno())

    def drop(self) -> None:
        """Gone without a word, as a phone that lost its network is."""
        if self.socket.fileno() >= 0:
            self._loop.remove_reader(self.socket.fileno())
            self.socket.close()

    def _readable(self) -> None:
        try:
            data, at_ns = received(self.socket, 65536)
        except BlockingIOError:
            return
        except OSError:
            data, at_ns = b"", 0
        if not data:
            self._end("the connection ended")
            return
        if self._tls is not None:
            data = self._decrypted(self._tls, data)
        try:
            for opcode, payload in self._reader.feed(data):
                if opcode == frames.TEXT:
                    if self.joined is not None and not self.joined.done() and b'"joined"' in payload:
                        self.joined.set_result(None)
                    self._told(payload, at_ns)
                elif opcode == frames.PING:
                    self.send(frames.PONG, payload)
                elif opcode == frames.CLOSE:
                    self.closed = frames.close_code(payload)
        except frames.FrameError as error:
            self._end(str(error))
        if self.opened is not None and self._reader.opened and not self.opened.done():
            self.opened.set_result(None)

    def _end(self, why: str) -> None:
        self.drop()
        for waited in (self.opened, self.joined):
            if waited is not None and not waited.done():
                waited.set_exception(ConnectionError(f"{why} ({self.closed or 'no code'})"))
        self.gone(self)


class Crowd:
    """All learners of one lesson, with one task for all heartbeats."""

    def __init__(self, classroom: Classroom, tokens: Sequence[str]):
        self._room = classroom
        self._tokens = tokens
        self._gate = asyncio.Semaphore(AT_ONCE)
        parts = urlsplit(classroom.socket_url)
        self._address = socket.gethostbyname(parts.hostname or ""), parts.port or 80
        self._tls = ssl.create_default_context() if parts.scheme == "wss" else None
        self._hearing = Hearing()
        self.heartbeats_ns: list[int] = []
        self.gone: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.here: dict[int, Learner] = {}

    async def join(self, numbers: Sequence[int]) -> None:
        await asyncio.gather(*(self._join(number) for number in numbers))

    async def _join(self, number: int, after_s: float = 0.0) -> None:
        await asyncio.sleep(after_s)
        async with self._gate:
            learner = Learner(self._told, self._tls, self._address[0])
            try:
                await learner.join(self._room.socket_url, self._address, self._tokens[number])
            except (OSError, frames.FrameError) as error:
                learner.drop()
                self.failed[str(error) or type(error).__name__] += 1
                return
        learner.gone = self._lost
        self.here[number] = learner

    async def come_back(self, count: int) -> float:
        """`count` of them lose their connection at once; seconds until all are back."""
        numbers = list(self.here)[:count]
        for number in numbers:
            self.here.pop(number).drop()
        began_s = time.monotonic()
        await asyncio.gather(*(self._join(number, random.uniform(0.5, 8.0)) for number in numbers))
        return time.monotonic() - began_s

    async def beat(self, every_s: float) -> None:
        """Heartbeats of all, spread evenly over their interval; 0: none."""
        if not every_s:
            return
        sequence = 0
        while True:
            numbers = list(self.here)
            steps = int(every_s / _STEP_S)
            for step in range(steps):
                for number in numbers[step::steps]:
                    learner = self.here.get(number)
                    if learner is not None:
                        # The number is the time of sending, so that the answer says how long it took.
                        sequence = time.time_ns() // 1000
                        learner.say({"type": "heartbeat", "seq": sequence})
                await asyncio.sleep(_STEP_S)

    async def hear(self, marker: bytes, cause: Callable[[], Any]) -> Report:
        """Who is told a text with `marker` in it after `cause`, and how long after."""
        return await self._hearing.hear(marker, len(self.here), cause)

    def _told(self, payload: bytes, at_ns: int) -> None:
        if not self._hearing.told(payload, at_ns) and payload.startswith(b'{"type":"heartbeat"'):
            self.heartbeats_ns.append(at_ns - json.loads(payload)["seq"] * 1000)

    def _lost(self, learner: Learner) -> None:
        self.gone[str(learner.closed)] += 1


def _tell(text: str) -> None:
    print(f"loadtest.sockets: {text}", file=sys.stderr, flush=True)


async def run(given: argparse.Namespace, room: Classroom) -> Report:
    meter = Meter(room.server_pid)
    _tell(f"{given.sockets} learners join {room.lesson} at {room.host}")
    tokens = await asyncio.to_thread(room.learners, given.sockets)
    crowd = Crowd(room, tokens)
    empty, memory = await meter.over(2.0), meter.rss()
    cpu_s, began_s = meter.cpu_s(), time.monotonic()
    await crowd.join(range(given.sockets))
    joined_s = time.monotonic() - began_s
    spent_ms = (meter.cpu_s() - cpu_s) * 1000
    report: Report = {
        "sockets": given.sockets,
        "joined": len(crowd.here),
        "failed": dict(crowd.failed),
        "joins_per_s": round(given.sockets / joined_s, 1),
        "cpu_ms_per_join": round(spent_ms / given.sockets, 3),
    }
    if not crowd.here:
        return report
    _tell(f"{len(crowd.here)} are there, idle for {given.seconds:g} s")
    beating = asyncio.create_task(crowd.beat(given.heartbeat))
    try:
        await asyncio.sleep(2.0)
        report["kib_per_socket"] = round((meter.rss() - memory) / 1024 / given.sockets, 1)
        report["core_share_empty"] = round(empty, 4)
        report["core_share_idle"] = round(await meter.over(given.seconds), 4)
        report["heartbeat"] = quantiles(crowd.heartbeats_ns)
        _tell(f"{given.lines} lines of chat")
        report["chat"] = await _chats(crowd, meter, given.lines)
        if "instructor" in room.tokens:
            _tell("one challenge to all")
            whip = f"{room.host}/whip/{room.lesson}"
            async with publishing(whip, room.tokens["instructor"], equal=False):
                await asyncio.sleep(5.0)  # each learner's own checks are planned in the first seconds
                report["challenge"] = await crowd.hear(
                    b'"type":"challenge"', lambda: asyncio.to_thread(room.challenge)
                )
        if given.slow:
            _tell(f"{given.slow} read no more while the others talk")
            report["slow_readers"] = await _slow(crowd, meter, given.slow)
        if given.storm:
            _tell(f"{given.storm} lose their connections at once")
            report["storm"] = await _storm(crowd, meter, given.storm)
        report["gone"] = dict(crowd.gone)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
    return report


async def _chats(crowd: Crowd, meter: Meter, lines: int) -> list[Report]:
    speaker = next(iter(crowd.here.values()))
    found = []
    for number in range(lines):
        text = f"第 {number} 题选哪个"
        before = meter.cpu_s()
        line = await crowd.hear(text.encode(), lambda text=text: speaker.say({"type": "chat", "text": text}))
        await asyncio.sleep(0.5)
        found.append(line | {"server_cpu_ms": round((meter.cpu_s() - before) * 1000)})
    return found


async def _slow(crowd: Crowd, meter: Meter, count: int) -> Report:
    """REL-L4: the others lose nothing, and whoever read nothing for 5 s is closed with 4408."""
    slow = list(crowd.here)[-count:]
    readers = [crowd.here.pop(number) for number in slow]
    for reader in readers:
        reader.read(False)
    memory, talkers = meter.rss(), list(crowd.here.values())[:_TALKERS]
    told: list[Report] = []
    for number in range(_LONG_LINES):
        text, speaker = f"{number} {_LONG}", talkers[number % _TALKERS]
        line = await crowd.hear(
            text[:12].encode(), lambda s=speaker, text=text: s.say({"type": "chat", "text": text})
        )
        told.append(line)
    grown = meter.rss() - memory
    await asyncio.sleep(_STALL_S)
    closed: Counter[str] = Counter()
    for reader in readers:
        reader.gone = lambda one: closed.update([str(one.closed or "without a word")])
        reader.read(True)
    await asyncio.sleep(3.0)
    return {
        "slow": count,
        "closed": dict(closed),
        "lines": _LONG_LINES,
        "told_of_lines": sum(line["told"] for line in told),
        "p99_ms_worst_line": max(line.get("p99_ms", 0.0) for line in told),
        "kib_per_slow_socket": round(grown / 1024 / count, 1),
    }


async def _storm(crowd: Crowd, meter: Meter, count: int) -> Report:
    before, failed = meter.cpu_s(), sum(crowd.failed.values())
    seconds = await crowd.come_back(count)
    return {
        "lost_at_once": count,
        "back": len(crowd.here),
        "seconds": round(seconds, 2),
        "failed": sum(crowd.failed.values()) - failed,
        "server_cpu_ms_each": round((meter.cpu_s() - before) * 1000 / count, 3),
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="loadtest.sockets", description=__doc__.partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--sockets", type=int, default=1000, metavar="N")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="idle")
    parser.add_argument("--heartbeat", type=float, default=HEARTBEAT_S, metavar="S", help="0: none")
    parser.add_argument("--tls", action="store_true", help="the server of its own has an ECDSA certificate")
    parser.add_argument("--lines", type=int, default=3, help="of chat")
    parser.add_argument("--storm", type=int, default=0, metavar="M", help="lose their connections at once")
    parser.add_argument("--slow", type=int, default=0, metavar="K", help="stop reading while others talk")
    parser.add_argument("--host", help="a server that runs: its base URL")
    parser.add_argument("--lesson", metavar="ID")
    parser.add_argument("--admin", metavar="TOKEN")
    parser.add_argument("--server-pid", type=int, metavar="PID", help="on this machine, to measure it")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    given = parser.parse_args(arguments)
    if given.sockets < 1 or given.storm > given.sockets:
        parser.error("at least one socket, and no more in the storm than there are")
    if given.host is not None and (given.lesson is None or given.admin is None):
        parser.error("--host needs --lesson and --admin")
    return given


def main() -> int:
    given = parse()
    if wrong := room_for(given.sockets):
        print(f"loadtest.sockets: {wrong}", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        if given.host is None:
            room = stack.enter_context(own_classroom(tls=given.tls))
        else:
            room = Classroom(given.host.rstrip("/"), given.lesson, given.admin, given.server_pid)
        report = uvloop.run(run(given, room))
    print(json.dumps(report) if given.json else json.dumps(report, indent=2))
    return 0 if report["joined"] == given.sockets and not report["gone"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
