"""`python -m liveserver.stills picture|face|photo [FOLDER]`, with one end of a socket pair as standard input.

FOLDER: the operator's own models. Ends with 0 when the other end is closed, with 2 when what comes makes no
sense, with 3 when a model cannot be used (one sentence on standard error), by SIGPROF when a file takes more
CPU time than one may.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is loaded: there are no threads to be had later

import av
import numpy as np

from liveserver.confined.framing import WireError
from liveserver.confined.sandbox import confine
from liveserver.stills.looking import Look, looking
from liveserver.stills.wire import Decoder, File, Ready, encode
from models import jpeg
from models.errors import ModelError

# CPU time for one file, and memory beyond what libraries and models take (REL-G33 for photos).
_BOUNDS = {"photo": (2.0, 256 << 20), "face": (10.0, 1 << 30), "picture": (30.0, 1 << 30)}
_READ_BYTES = 1 << 20


def serve(link: socket.socket, look: Look, cpu_s: float) -> None:
    """Answer file after file until the other end is closed. Raises `WireError`, OSError."""
    decoder = Decoder()
    while data := link.recv(_READ_BYTES):
        for message in decoder.feed(data):
            if not isinstance(message, File):
                raise WireError("a message that the server does not send")
            signal.setitimer(signal.ITIMER_PROF, cpu_s)  # nobody handles its signal: it ends the process
            answer = encode(look(message.data))
            signal.setitimer(signal.ITIMER_PROF, 0)
            link.sendall(answer)


def warm_up(look: Look) -> None:
    """Everything once, while libraries may still load parts of themselves."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    look(jpeg.encode(noise))
    look(jpeg.encode(noise)[:-40] + b"\xff\xd9")
    look(b"\x89PNG\r\n\x1a\n")


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    if len(arguments) not in (2, 3) or arguments[1] not in _BOUNDS:
        sys.stderr.write("usage: python -m liveserver.stills picture|face|photo [FOLDER] < SOCKET\n")
        return 2
    av.logging.set_level(None)
    try:
        look, models = looking(arguments[1], Path(arguments[2]) if len(arguments) == 3 else None)
        warm_up(look)
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    gc.freeze()
    cpu_s, memory = _BOUNDS[arguments[1]]
    link = socket.socket(fileno=0)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    confine(memory_bytes=pages * resource.getpagesize() + memory)
    try:
        link.sendall(encode(Ready(models)))
        serve(link, look, cpu_s)
    except WireError:
        return 2
    except OSError:
        return 0  # the server has gone
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
