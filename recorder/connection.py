"""A node's connection to the recorder: the unix socket, from whom it is, what comes in, events back."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Any, Protocol

import structlog

from recorder.feed import Decoder, Event, FeedError, Message, encode

MAX_OUT_BYTES = 4 * 1024 * 1024  # events a node does not read; it is disconnected then
_log = structlog.get_logger("recorder.server")


class Hearer(Protocol):
    """Who is told of connections. On their loop."""

    def joined(self, connection: Connection) -> None: ...

    def left(self, connection: Connection) -> None: ...

    def received(self, connection: Connection, message: Message) -> None:
        """May raise FeedError; the connection is given up then."""


class Connection(asyncio.Protocol):
    """One node's connection; reads always."""

    def __init__(self, hearer: Hearer) -> None:
        self._hearer = hearer
        self._decoder = Decoder()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if _peer_uid(transport) != os.getuid():
            _log.warning("feed.stranger")
            transport.abort()
            return
        self._hearer.joined(self)

    def data_received(self, data: bytes) -> None:
        refused = self._decoder.refused
        try:
            for message in self._decoder.feed(data):
                self._hearer.received(self, message)
            if refused == 0 and self._decoder.refusal is not None:  # the first one only: it may be a flood
                _log.error("feed.refused", error=str(self._decoder.refusal))
        except FeedError as error:
            _log.error("feed.malformed", code=error.code, detail=error.detail)
            assert self.transport is not None
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hearer.left(self)

    def send(self, event: dict[str, Any]) -> None:
        """Send an event, or give the connection up when the node does not read."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > MAX_OUT_BYTES:
            self.transport.abort()
            return
        self.transport.write(encode(Event(event)))


def _peer_uid(transport: asyncio.Transport) -> int:
    peer = transport.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)
