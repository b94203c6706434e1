"""A program of the recorder's that works for it in a process of its own and answers in JSON lines."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

SILENT_S = 120.0  # between two lines (2 s of media) at the lowest priority on a busy machine
MAX_LINE_BYTES = 4 * 1024 * 1024
_POLL_S = 0.2


class StoppedError(Exception):
    """The process is ending; the next start does the work again."""


def run(
    arguments: Sequence[str],
    text: str,
    take: Callable[[dict[str, Any]], None],
    stop: threading.Event,
    silent_s: float = SILENT_S,
) -> int:
    """Run `python -m arguments…` with `text` on its standard input; `take` gets each line.

    Returns its exit code; one that says nothing for `silent_s` is killed. Raises StoppedError.
    """
    command = [sys.executable, "-m", *arguments]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,  # noqa: S603
        selectors.DefaultSelector() as selector,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text.encode())
        process.stdin.close()
        selector.register(process.stdout, selectors.EVENT_READ)
        waiting = b""
        heard_s = time.monotonic()
        while time.monotonic() - heard_s < silent_s and len(waiting) <= MAX_LINE_BYTES:
            if stop.is_set():
                process.kill()
                raise StoppedError
            if not selector.select(_POLL_S):
                continue
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                break
            heard_s = time.monotonic()
            *lines, waiting = (waiting + data).split(b"\n")
            for line in lines:
                take(json.loads(line))
        else:
            process.kill()
    return process.returncode
