"""`loadtest.source` as a process of its own beside the viewers, so that its pace is not theirs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_START_S = 20


class PublisherError(Exception):
    """The source did not start; the text says why."""


@asynccontextmanager
async def publishing(url: str, token: str, *, equal: bool) -> AsyncIterator[None]:
    """From the first packet to the end of the block. PublisherError."""
    options = ["--equal-packets"] if equal else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest.source", url, *options, "--token", "-",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(f"{token}\n".encode())  # not on the command line, which everybody can read
        try:
            first = await asyncio.wait_for(process.stdout.readline(), _START_S)
        except TimeoutError:
            raise PublisherError(f"the publisher did not connect within {_START_S} s") from None
        if b'"publishing"' not in first:
            raise PublisherError(f"the publisher did not start: {first.decode().strip() or 'it has ended'}")
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
