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

from recorder import chapters
from recorder.archive import Limits
from recorder.options import add_options, settings_of
from recorder.reels import Bounds
from recorder.sandbox import confine
from recorder.server import Server, Settings
from recorder.versions import NAMES, Policy

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
    parser.add_argument("--spare", type=Path, help="folder on another disk, for when that of --data fails")
    parser.add_argument("--abandon-s", type=float, default=15.0, help="seal what nobody feeds after so long")
    parser.add_argument("--grace-s", type=float, default=8.0, help="time for sealing after SIGTERM")
    parser.add_argument(
        "--backlog-bytes", type=int, default=Limits().backlog_bytes, help="alarm beyond so much"
    )
    parser.add_argument(
        "--free-bytes", type=int, default=Limits().free_bytes, help="alarm below so much free"
    )
    add_options(parser)
    parser.add_argument("--reel-s", type=float, default=Bounds().length_ms / 1000, help="length of a reel")
    parser.add_argument("--reel-bytes", type=int, default=Bounds().media_bytes, help="its size at most")
    parser.add_argument("--versions", default="", help="made of sealed files: web,archive,parts")
    parser.add_argument("--chapter-s", default="300:900", help="least and greatest length of a chapter")
    parser.add_argument("--speech-model", default="", help="a Silero VAD file; loudness tells without one")
    parser.add_argument("--captions", default="", help="a program that prints a file's captions as WebVTT")
    parser.add_argument("--log-level", choices=_LEVELS, default="info", help="what is logged at least")
    given = parser.parse_args(argv)
    limits = Limits(given.backlog_bytes, given.free_bytes)
    bucket = settings_of(given, os.environ)
    policy = _policy(parser, given)
    reels = Bounds(round(given.reel_s * 1000), given.reel_bytes)
    settings = Settings(
        given.socket, given.data, given.spare, given.abandon_s, given.grace_s, policy, reels, bucket, limits
    )
    return settings, _LEVELS[given.log_level]


def _policy(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Policy:
    versions = tuple(name for name in given.versions.split(",") if name)
    if unknown := [name for name in versions if name not in NAMES]:
        parser.error(f"unknown version {unknown[0]}")
    try:
        least, most = (round(float(text) * 1000) for text in given.chapter_s.split(":"))
    except ValueError:
        parser.error("--chapter-s wants two numbers, such as 300:900")
    if not 0 < least * 2 <= most:
        parser.error("--chapter-s: the greatest length is at least twice the least")
    return Policy(versions, chapters.Bounds(least, most), given.speech_model, given.captions)


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
