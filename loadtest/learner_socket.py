"""One learner's WebSocket, by hand: thousands of them fit a process, and the kernel says when a text came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import ssl
from collections.abc import Callable
from typing import Any

from loadtest import frames
from loadtest.hearing import ARRIVE_S, received, stamp_arrivals

_RECEIVED_BYTES = 16_384  # in the kernel; a learner who does not read is to be noticed


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
