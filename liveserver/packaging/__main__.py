"""`python -m liveserver.packaging`, with one end of a socket pair as standard input.

Ends with 0 when the other end is closed, with 2 when what comes makes no sense.
"""

from __future__ import annotations

import contextlib
import gc
import socket
import struct
import sys
import time
from collections.abc import Sequence

import av

from liveserver.confined.framing import WireError
from liveserver.confined.sandbox import confine
from liveserver.packaging.lane import Lane
from liveserver.packaging.wire import Decoder, Forget, Frame, Message, Ready, Report, encode
from recorder.audio import silent_packet

TICK_MS = 40
MAX_LANES = 1024
_READ_BYTES = 262_144


class Worker:
    """All lessons of a node, each in the order its frames come."""

    def __init__(self, link: socket.socket):
        self._link = link
        self._decoder = Decoder()
        self._lanes: dict[int, Lane] = {}
        self._offset_ms: int | None = None  # from the monotonic clock to that of arrivals

    def run(self) -> None:
        """Until the other end is closed. Raises `WireError`, OSError."""
        self._link.sendall(encode(Ready()))
        ticked_ms = _now_ms()
        while True:
            with contextlib.suppress(BlockingIOError):
                data = self._link.recv(_READ_BYTES)
                if not data:
                    return
                for message in self._decoder.feed(data):
                    self._handle(message)
            if _now_ms() - ticked_ms >= TICK_MS:
                ticked_ms = _now_ms()
                self._tick(ticked_ms)

    def _handle(self, message: Message) -> None:
        match message:
            case Frame():
                offset_ms = message.arrival_ms - _now_ms()
                self._offset_ms = max(offset_ms, self._offset_ms or offset_ms)
                self._send(self._lane(message.lane).push(message))
            case Report():
                self._lane(message.lane).report(message)
            case Forget(number):
                self._lanes.pop(number, None)
            case _:
                raise WireError("a message that nodes do not send")

    def _lane(self, number: int) -> Lane:
        if number not in self._lanes:
            if len(self._lanes) >= MAX_LANES:
                raise WireError("too many lanes")
            self._lanes[number] = Lane(number)
        return self._lanes[number]

    def _tick(self, now_ms: int) -> None:
        if self._offset_ms is not None:
            for lane in self._lanes.values():
                self._send(lane.tick(now_ms + self._offset_ms))

    def _send(self, made: Sequence[Message]) -> None:
        if made:
            self._link.sendall(b"".join(map(encode, made)))


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m liveserver.packaging < SOCKET\n")
        return 2
    av.logging.set_level(None)
    silent_packet()  # both codecs' tables are made before the process gives up its files
    gc.freeze()
    link = socket.socket(fileno=0)
    # The kernel ends a wait: poll(2) is refused to who may open no file.
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@qq", 0, TICK_MS * 1000))
    confine()
    try:
        Worker(link).run()
    except WireError:
        return 2
    except OSError:
        return 0  # the node has gone
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
