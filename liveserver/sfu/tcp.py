"""ICE-TCP, the passive side (RFC 6544, framing of RFC 4571): for networks that let no UDP through.

A connection becomes a *stream* of the fan-out, which writes to it without asking anybody here; what arrives
goes through the front like a datagram. One that has not sent a valid check after a while, sends what is no
packet, or whose peer is gone is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable

from liveserver.sfu.front import Address, Event, Front

MAX_PACKET = 1500
MAX_CONNECTIONS = 4096
MAX_FROM_ONE_ADDRESS = (
    64  # a school behind one address falls back to TURN or HLS sooner than it starves others
)
STRANGER_S = 10.0  # for the first valid check, and for what outlives its peer
_READ = 64 * 1024
_ACCEPTED_AT_ONCE = 32
_ACCEPT_AGAIN_S = 1.0
_SEND_BUFFER = 64 * 1024  # more would only be late
_NOT_SENT = 16 * 1024
_TCP_NOTSENT_LOWAT = 25  # <linux/tcp.h>
_SIOCOUTQNSD = 0x894B  # <linux/sockios.h>: what lies in the queue and was not sent yet
_INT = struct.Struct("=i")
_TCP_INFO_SIZE, _LAST_DATA_SENT_AT = 104, 44  # struct tcp_info of <linux/tcp.h>: tcpi_last_data_sent, ms ago
_TICK_MS = 10  # at most, of kernels with the slowest clock
_LAST_DATA_SENT = struct.Struct("=I")
_LINGER_NOT = struct.pack("=ii", 1, 0)  # SO_LINGER of no time: close sends a reset (RFC 9293 3.10.4, ABORT)


class Connection:
    """One client's. `seen` is its address as we see it."""

    __slots__ = ("buffer", "seen", "socket", "stranger_s", "stream")

    def __init__(self, sock: socket.socket, seen: Address, stream: int):
        self.socket = sock
        self.seen = seen
        self.stream = stream
        self.buffer = bytearray()
        self.stranger_s = 0.0  # how long it has had no peer

    def packets(self, data: bytes) -> list[bytes] | None:
        """Whole packets so far, or None when the far end sends something else."""
        self.buffer += data
        found, position = [], 0
        while len(self.buffer) - position >= 2:
            size = int.from_bytes(self.buffer[position : position + 2])
            if size > MAX_PACKET:
                return None
            if len(self.buffer) - position < 2 + size:
                break
            found.append(bytes(self.buffer[position + 2 : position + 2 + size]))
            position += 2 + size
        del self.buffer[:position]
        return found


class TcpPort:
    """Listens, and owns the connections. `handle` is told what came, as from `Front.poll`."""

    def __init__(self, listener: socket.socket, front: Front, handle: Callable[[Iterable[Event]], None]):
        self.counters: Counter[str] = Counter()
        self._listener = listener
        self._front = front
        self._handle = handle
        self._connections: dict[int, Connection] = {}
        self._by_host: Counter[str] = Counter()
        self._again: asyncio.TimerHandle | None = None

    @classmethod
    def bind(cls, host: str, port: int, front: Front, handle: Callable[[Iterable[Event]], None]) -> TcpPort:
        """Listen on `port`, that of UDP; on any other when that is taken. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = _listen(family, host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            listener = _listen(family, host, 0)
        return cls(listener, front, handle)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def connections(self) -> int:
        return len(self._connections)

    def start(self) -> None:
        """Begin to accept; call on the main loop."""
        asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def stop(self) -> None:
        if self._again is not None:
            self._again.cancel()
        asyncio.get_running_loop().remove_reader(self._listener.fileno())
        self._listener.close()
        for connection in list(self._connections.values()):
            self._close(connection, "stopped")

    def tend(self, passed_s: float) -> None:
        """Close who is a stranger still, or again."""
        for connection in list(self._connections.values()):
            if self._front.receiver.stream_peer(connection.stream):
                connection.stranger_s = 0.0
                continue
            connection.stranger_s += passed_s
            if connection.stranger_s > STRANGER_S:
                self._close(connection, "stranger")

    def unsent(self, stream: int) -> int:
        """Octets that the kernel has not sent yet, not even once; 0 for one that is gone."""
        connection = self._connections.get(stream)
        if connection is None:
            return 0
        try:
            answer = fcntl.ioctl(connection.socket, _SIOCOUTQNSD, _INT.pack(0))
        except OSError:
            return 0
        return int(_INT.unpack(answer)[0])

    def last_sent_ns(self, stream: int, now_ns: int) -> int:
        """When the kernel sent data last, to its clock tick and never too early; 0 for one that is gone."""
        connection = self._connections.get(stream)
        if connection is None:
            return 0
        try:
            info = connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
        except OSError:
            return 0
        ago_ms = int(_LAST_DATA_SENT.unpack_from(info, _LAST_DATA_SENT_AT)[0])
        return min(now_ns, now_ns - (ago_ms - _TICK_MS) * 1_000_000)

    def reset(self, stream: int) -> None:
        """Close it at once: what the kernel has not sent is never sent."""
        connection = self._connections.get(stream)
        if connection is not None:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            self._close(connection, "reset")

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # no descriptor is left: those who wait are asked about again later
                self.counters["accept_error"] += 1
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._listener.fileno())
                self._again = loop.call_later(_ACCEPT_AGAIN_S, self.start)
                return
            host, port = address[:2]
            if len(self._connections) >= MAX_CONNECTIONS or self._by_host[host] >= MAX_FROM_ONE_ADDRESS:
                self.counters["refused"] += 1
                sock.close()
                continue
            self._begin(sock, (host, port))

    def _begin(self, sock: socket.socket, seen: Address) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        with contextlib.suppress(OSError):  # not every system has it
            sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _NOT_SENT)
        connection = Connection(sock, seen, self._front.fanout.add_stream(sock.fileno()))
        self._connections[connection.stream] = connection
        self._by_host[seen[0]] += 1
        self.counters["accepted"] += 1
        asyncio.get_running_loop().add_reader(sock.fileno(), self._read, connection)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection, "left")
            return
        packets = connection.packets(data)
        if packets is None:
            self._close(connection, "malformed")
            return
        for packet in packets:
            self._handle(self._front.receive(packet, connection.stream, connection.seen))

    def _close(self, connection: Connection, why: str) -> None:
        if self._connections.pop(connection.stream, None) is None:
            return
        self.counters[why] += 1
        self._by_host[connection.seen[0]] -= 1
        if not self._by_host[connection.seen[0]]:
            del self._by_host[connection.seen[0]]
        asyncio.get_running_loop().remove_reader(connection.socket.fileno())
        self._front.receiver.forget(connection.stream)
        self._front.fanout.remove_stream(connection.stream)
        connection.socket.close()


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener
