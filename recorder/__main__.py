"""The recorder process: `python -m recorder --socket PATH --data DIR`.

Prints one JSON line `{"ready": true}` on standard output once it listens; logs go to standard error.
SIGTERM: fragments are finished, closed recordings sealed, the rest left for the next start; exit 0.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import TextIO, cast

import structlog

from recorder.sandbox import confine
from recorder.server import Server, Settings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}  # as in `logging`


class _Log(io.TextIOBase):
    """Standard error, but a log that cannot be written (its disk is full too) never stops a recording."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            os.write(2, text.encode(errors="backslashreplace"))
        return len(text)


def _arguments(argv: list[str] | None) -> tuple[Settings, int]:
    parser = argparse.ArgumentParser(prog="python -m recorder", description="Records and seals lessons.")
    parser.add_argument("--socket", type=Path, required=True, help="unix socket to listen on")
    parser.add_argument("--data", type=Path, required=True, help="folder for spool/ and objects/")
    parser.add_argument("--abandon-s", type=float, default=15.0, help="seal what nobody feeds after so long")
    parser.add_argument("--grace-s", type=float, default=8.0, help="time for sealing after SIGTERM")
    parser.add_argument("--log-level", choices=_LEVELS, default="info", help="what is logged at least")
    given = parser.parse_args(argv)
    return Settings(given.socket, given.data, given.abandon_s, given.grace_s), _LEVELS[given.log_level]


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings)
    await server.start()
    sys.stdout.write(json.dumps({"ready": True}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    settings, level = _arguments(argv)
    confine()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Log())),
    )
    try:
        asyncio.run(_serve(settings))
    except OSError as error:
        structlog.get_logger("recorder").error("recorder.cannot_start", error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
