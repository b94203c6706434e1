"""`python -m liveserver.transcode MAX_BITRATE_BPS`, with one end of a socket pair as standard input.

Ends with 0 when the other end is closed, with 2 when what comes makes no sense.
"""

from __future__ import annotations

import gc
import socket
import sys
from collections import Counter, deque

import av

from liveserver.confined.framing import WireError
from liveserver.confined.sandbox import confine
from liveserver.transcode.video import Undecodable, Video, warm_up
from liveserver.transcode.wire import (
    Decoder,
    Forget,
    Frame,
    Lost,
    Message,
    Ready,
    WantKeyframe,
    encode,
)

_READ_BYTES = 262_144
_READ_AHEAD = 8  # messages taken early, to know that frames wait; the rest waits at the node's
_BEHIND = 2  # frames waiting behind one before it is decoded but no longer shown


class Worker:
    """Both tracks of a lesson, one after the other in the order their frames come."""

    def __init__(self, link: socket.socket, max_bitrate_bps: int):
        self._link = link
        self._max_bitrate_bps = max_bitrate_bps
        self._decoder = Decoder()
        self._videos: dict[str, Video] = {}
        self._waiting: deque[Message] = deque()
        self._frames: Counter[str] = Counter()  # waiting, by track

    def run(self) -> None:
        """Until the other end is closed. Raises `WireError`, OSError."""
        self._link.sendall(encode(Ready()))
        while self._read():
            while self._waiting:
                self._handle(self._waiting.popleft())
                self._read_more()

    def _read(self) -> bool:
        data = self._link.recv(_READ_BYTES)
        self._take(data)
        return bool(data)

    def _read_more(self) -> None:
        """What has come meanwhile, without waiting for it."""
        if len(self._waiting) >= _READ_AHEAD:
            return
        try:
            self._take(self._link.recv(_READ_BYTES, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return

    def _take(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            self._waiting.append(message)
            if isinstance(message, Frame):
                self._frames[message.track] += 1

    def _handle(self, message: Message) -> None:
        match message:
            case Frame():
                self._frames[message.track] -= 1
                self._transcode(message)
            case WantKeyframe(track):
                if track in self._videos:
                    self._videos[track].want_keyframe()
            case Forget(track):
                self._videos.pop(track, None)
            case _:
                raise WireError("a message that nodes do not send")

    def _transcode(self, frame: Frame) -> None:
        video = self._videos.get(frame.track)
        if video is None:
            video = self._videos[frame.track] = Video(frame.track, self._max_bitrate_bps)
        try:
            pictures = video.push(frame, is_behind=self._frames[frame.track] >= _BEHIND)
        except Undecodable:
            self._link.sendall(encode(Lost(frame.track)))
            return
        for picture in pictures:
            self._link.sendall(encode(picture))


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    if len(arguments) != 2 or not arguments[1].isdigit():
        sys.stderr.write("usage: python -m liveserver.transcode MAX_BITRATE_BPS < SOCKET\n")
        return 2
    av.logging.set_level(None)
    warm_up()
    gc.freeze()
    link = socket.socket(fileno=0)
    confine()
    try:
        Worker(link, int(arguments[1])).run()
    except WireError:
        return 2
    except OSError:
        return 0  # the node has gone
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
