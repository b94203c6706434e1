"""HTTP/1.1 over one kept connection, as little of it as a load generator needs: GET, answers whole.

An answer's length is its Content-Length, its chunks, or none (204, 304). What does not fit ends the line.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

_HEAD_MOST = 16_384
_NO_BODY = (204, 304)


class LineError(Exception):
    """The other end closed, or answered with what is no HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`at_s`: when its last byte was there, by the loop's clock. Header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes
    at_s: float


class Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, host: str):
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, address: str = "") -> Line:
        """Connect to `address` (default: `host`) in the name of `host`. Raises OSError."""
        loop = asyncio.get_running_loop()
        name = host if tls is not None else None
        _, line = await loop.create_connection(
            lambda: cls(f"{host}:{port}"), address or host, port, ssl=tls, server_hostname=name
        )
        return line

    async def get(self, target: str, fields: str = "") -> Answer:
        """`fields`: more header lines, each with its line end. Raises LineError, TimeoutError after 20 s."""
        if self._transport is None or self._transport.is_closing():
            raise LineError("closed")
        self._waiting = self._loop.create_future()
        self._transport.write(f"GET {target} HTTP/1.1\r\nHost: {self._host}\r\n{fields}\r\n".encode())
        async with asyncio.timeout(20):
            return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        try:
            found = parse(self._received)
        except (LineError, ValueError) as error:
            waiting.set_exception(LineError(str(error)))
            self.close()
            return
        if found is not None:
            status, headers, body, taken = found
            del self._received[:taken]
            waiting.set_result(Answer(status, headers, body, self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(LineError("the other end closed"))


def parse(received: bytearray) -> tuple[int, dict[str, str], bytes, int] | None:
    """Status, headers, body and length of the answer at the beginning; None while it is not whole."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > _HEAD_MOST:
            raise LineError("a header without an end")
        return None
    first, *lines = received[:end].decode("latin-1").split("\r\n")
    status = int(first.split(" ")[1])
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    begin = end + 4
    if status in _NO_BODY:
        return status, headers, b"", begin
    if headers.get("transfer-encoding") == "chunked":
        body = _chunks(received, begin)
        return None if body is None else (status, headers, *body)
    length = int(headers["content-length"])
    if len(received) < begin + length:
        return None
    return status, headers, bytes(received[begin : begin + length]), begin + length


def _chunks(received: bytearray, at: int) -> tuple[bytes, int] | None:
    parts = []
    while True:
        line = received.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(received[at:line].partition(b";")[0], 16)
        at = line + 2 + size + 2
        if len(received) < at:
            return None
        if not size:
            return b"".join(parts), at
        parts.append(bytes(received[line + 2 : line + 2 + size]))
