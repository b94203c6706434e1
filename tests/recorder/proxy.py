"""A small TCP proxy that breaks what passes through it: the network between recorder and bucket."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from enum import Enum, auto

_PIECE = 65_536


class Fault(Enum):
    """What happens to connections from now on."""

    NONE = auto()
    REFUSE = auto()
    """Connections are reset at once."""
    BLACK_HOLE = auto()
    """Taken and never answered; nothing is passed on."""
    UNAVAILABLE = auto()
    """503 to every request."""
    RESET_IN_BODY = auto()
    """Reset as soon as `after_bytes` have been sent since the fault began, over all connections."""
    WRONG_ETAG = auto()
    """Answers pass, their ETag spoilt."""
    HOLD = auto()
    """A request that matches `pattern` is not passed on and never answered; others pass."""
    LOSE_ANSWER = auto()
    """The end of a multipart upload passes, the connection is reset instead of the answer."""


@dataclass
class Counts:
    connections: int = 0
    by_fault: dict[Fault, int] = field(default_factory=dict)


class FaultProxy:
    """Listens on loopback and passes everything to `port`; `fault` says how badly."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.fault = Fault.NONE
        self.after_bytes = 600_000
        self.pattern = rb""
        self._passed = 0
        self.counts = Counts()
        self._seen = threading.Condition()
        self._open: set[socket.socket] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def set(self, fault: Fault) -> None:
        """Change the fault; open connections are cut, so that it holds at once."""
        with self._seen:
            self.fault, self._passed = fault, 0
            held = list(self._open)
        for connection in held:
            _reset(connection)

    def wait_for(self, fault: Fault, count: int = 1, timeout_s: float = 30) -> None:
        """Until `fault` has hit `count` times in all."""
        with self._seen:
            hit = self._seen.wait_for(lambda: self.counts.by_fault.get(fault, 0) >= count, timeout_s)
        assert hit, f"{fault} was hit {self.counts.by_fault.get(fault, 0)} times"

    def close(self) -> None:
        self._closing = True
        # A thread in accept is not woken by close.
        with contextlib.suppress(OSError), socket.create_connection(self._listener.getsockname(), 1):
            pass
        self._thread.join(5)
        self._listener.close()
        self.set(Fault.NONE)

    def _accept(self) -> None:
        while not self._closing:
            connection, _ = self._listener.accept()
            with self._seen:
                self.counts.connections += 1
                self._open.add(connection)
            if self.fault is Fault.REFUSE:
                self._hit(Fault.REFUSE)
                _reset(connection)
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _hit(self, fault: Fault) -> None:
        with self._seen:
            self.counts.by_fault[fault] = self.counts.by_fault.get(fault, 0) + 1
            self._seen.notify_all()

    def _serve(self, client: socket.socket) -> None:
        upstream = socket.create_connection(self._target)
        with self._seen:
            self._open.add(upstream)
        completing = threading.Event()
        try:
            arguments = (upstream, client, completing)
            threading.Thread(target=self._pass_answers, args=arguments, daemon=True).start()
            self._pass_requests(client, upstream, completing)
        except OSError:
            pass
        finally:
            for connection in (client, upstream):
                with self._seen:
                    self._open.discard(connection)
                _reset(connection)

    def _pass_requests(
        self, client: socket.socket, upstream: socket.socket, completing: threading.Event
    ) -> None:
        while data := client.recv(_PIECE):
            match self.fault:
                case Fault.BLACK_HOLE:
                    self._hit(Fault.BLACK_HOLE)
                    while client.recv(_PIECE):
                        pass
                    return
                case Fault.UNAVAILABLE:
                    self._hit(Fault.UNAVAILABLE)
                    client.sendall(
                        b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(_PIECE):
                        pass
                    return
                case Fault.HOLD if re.match(self.pattern, data):
                    self._hit(Fault.HOLD)
                    while client.recv(_PIECE):
                        pass
                    return
                case Fault.RESET_IN_BODY:
                    self._passed += len(data)
                    if self._passed > self.after_bytes:
                        self._hit(Fault.RESET_IN_BODY)
                        return
                case Fault.LOSE_ANSWER if re.match(rb"POST \S+uploadId=", data):
                    completing.set()
                case _:
                    pass
            upstream.sendall(data)

    def _pass_answers(
        self, upstream: socket.socket, client: socket.socket, completing: threading.Event
    ) -> None:
        kept = b""
        with contextlib.suppress(OSError):
            while data := upstream.recv(_PIECE):
                if completing.is_set():
                    kept += data
                    if b"</CompleteMultipartUploadResult>" in kept:
                        self.fault = Fault.NONE
                        self._hit(Fault.LOSE_ANSWER)
                        _reset(client)
                        return
                    continue
                if self.fault is Fault.WRONG_ETAG:
                    spoilt = re.sub(rb'(?i)(etag: "?)[0-9a-f]{4}', rb"\g<1>0bad", data)
                    if spoilt != data:
                        self._hit(Fault.WRONG_ETAG)
                    data = spoilt
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)


def _reset(connection: socket.socket) -> None:
    """Close with RST, and wake a thread that reads from it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
