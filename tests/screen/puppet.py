"""A screen process that looks at nothing: it speaks the wire and does what the frames' own bytes tell it.

    python -m tests.screen.puppet

A frame's data begins with a word: `right` passes, `wrong` is found, `lost` cannot be decoded, `late` is not
answered before the next message, `crash`, `hang` and `spin` do that, `babble` says something out of turn.
"""

from __future__ import annotations

import os
import socket
import time

from liveserver.core.screening import Category, Kind
from liveserver.screen.wire import (
    Decoder,
    Done,
    Found,
    Frame,
    Looked,
    Lost,
    Message,
    Passed,
    Ready,
    ToNode,
    encode,
)

HASHES = {"puppet": "ab" * 32}
COST_US = 1_000


def answers(frame: Frame) -> list[ToNode]:
    lane, number = frame.lane, frame.number
    word = frame.data.split(b" ")[0].lstrip(b"\0\1")
    done = Done(lane, number, COST_US * (20 if word == b"dear" else 1))
    match word:
        case b"wrong":
            scores = {Category.PORN: 0.9}
            found = Found(lane, number, Kind.FRAME, scores, HASHES, (), (), b"evidence")
            return [Looked(lane, number, scores, b"thumbnail"), found, done]
        case b"lost":
            return [Lost(lane), done]
        case b"crash":
            os._exit(9)
        case b"hang":
            time.sleep(600)
        case b"spin":
            while True:
                pass
        case b"babble":
            return [Done(lane, number + 1, 0)]
    return [Looked(lane, number, {Category.PORN: 0.1}), Passed(lane, number, number), done]


def main() -> None:
    link, decoder = socket.socket(fileno=0), Decoder()
    link.sendall(encode(Ready(HASHES)))
    late: list[ToNode] = []
    while data := link.recv(65_536):
        messages: list[Message] = decoder.feed(data)
        for message in messages:
            if isinstance(message, Frame):
                said = late + answers(message)
                late = said if message.data.startswith(b"late") else []
                link.sendall(b"".join(map(encode, [] if late else said)))


if __name__ == "__main__":
    main()
