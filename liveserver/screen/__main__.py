"""`python -m liveserver.screen WIDTH [FOLDER]`, with one end of a socket pair as standard input.

WIDTH: pixels that the models are given; FOLDER: the operator's own models. Ends with 0 when the other end is
closed, with 2 when what comes makes no sense, with 3 when a model cannot be used.
"""

from __future__ import annotations

import gc
import os
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is loaded: there are no threads to be had later

import av

from liveserver.confined.framing import WireError
from liveserver.confined.sandbox import confine
from liveserver.screen.judge import Judge
from liveserver.screen.track import SETTLE_MS, Track
from liveserver.screen.warm import warm_up
from liveserver.screen.wire import (
    Close,
    Decoder,
    Done,
    Frame,
    List,
    Message,
    Open,
    Ready,
    Refused,
    ToNode,
    encode,
)
from models.errors import ModelError

MEMORY_BYTES = 3 << 30  # of addresses; libraries and models are 700 MB of it, a 4K source another 300
NICE = 2  # forwarding comes first, transcoding after
MAX_LANES = 128
_READ_BYTES = 262_144
_TIMEVAL = struct.Struct("@ll")
_READ_AHEAD = 8  # messages taken early; the rest waits at the node's


class Worker:
    """All tracks, one frame after the other in the order they come; between them, lines of text."""

    def __init__(self, link: socket.socket, judge: Judge, width: int):
        self._link = link
        self._judge = judge
        self._width = width
        self._decoder = Decoder()
        self._tracks: dict[int, Track] = {}
        self._waiting: deque[Message] = deque()

    def run(self) -> None:
        """Until the other end is closed. Raises `WireError`, ConnectionError."""
        self._send([Ready(self._judge.hashes)])
        while self._take():
            if self._waiting:
                self._handle(self._waiting.popleft())
            self._read_on()

    def _take(self) -> bool:
        """What has come; waits when there is nothing else to do. False: nothing will come any more."""
        if len(self._waiting) >= _READ_AHEAD:
            return True
        is_busy = bool(self._waiting) or any(track.is_reading for track in self._tracks.values())
        try:
            data = self._link.recv(_READ_BYTES, socket.MSG_DONTWAIT if is_busy else 0)
        except BlockingIOError:
            if not self._waiting:
                self._settle()
            return True
        self._waiting += self._decoder.feed(data)
        return bool(data)

    def _handle(self, message: Message) -> None:
        match message:
            case Open(lane):
                if lane in self._tracks:
                    self._tracks[lane].open(message)
                elif len(self._tracks) < MAX_LANES:
                    self._tracks[lane] = Track(self._judge, self._width, message)
                else:
                    raise WireError("too many lanes")
            case Frame(lane, number):
                began_ns = time.process_time_ns()
                if lane in self._tracks:
                    self._send(self._tracks[lane].push(message))
                self._send([Done(lane, number, (time.process_time_ns() - began_ns) // 1_000)])
            case Close(lane):
                self._tracks.pop(lane, None)
            case List(name, rows):
                self._judge.use_list(name, rows)
            case _:
                raise WireError("a message that nodes do not send")

    def _settle(self) -> None:
        for track in self._tracks.values():
            self._send(track.settle(_now_ms()))

    def _read_on(self) -> None:
        for track in self._tracks.values():
            if track.is_reading:
                self._send(track.read_on(_now_ms()))

    def _send(self, messages: Iterable[ToNode]) -> None:
        for message in messages:
            self._link.sendall(encode(message))


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    if len(arguments) not in (2, 3) or not arguments[1].isdigit():
        sys.stderr.write("usage: python -m liveserver.screen WIDTH [FOLDER] < SOCKET\n")
        return 2
    av.logging.set_level(None)
    link = socket.socket(fileno=0)
    try:
        judge = Judge.load(Path(arguments[2]) if len(arguments) == 3 else None)
        warm_up(judge, int(arguments[1]))
    except ModelError as error:
        link.sendall(encode(Refused(str(error))))
        return 3
    gc.freeze()
    # The kernel's own timeout: poll(2) wants a limit of open files, and confined there is none.
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.pack(0, SETTLE_MS * 1_000))
    confine(memory_bytes=MEMORY_BYTES, nice=NICE)
    try:
        Worker(link, judge, int(arguments[1])).run()
    except WireError:
        return 2
    except ConnectionError:
        return 0  # the node has gone
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
