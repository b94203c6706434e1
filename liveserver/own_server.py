"""A server of one's own to measure: a demo in a folder of its own, gone with everything in it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STOP_S = 20.0
_START_S = 60.0
_LINE_BYTES = 64 * 1024 * 1024  # thousands of tokens


@dataclass(frozen=True, slots=True)
class OwnServer:
    """`ready` is what `liveserver demo --json` printed, `node` the process that is measured."""

    ready: dict[str, Any]
    node: int


@contextlib.asynccontextmanager
async def own_server(learners: int, tell: Callable[[str], None]) -> AsyncIterator[OwnServer]:
    """With tokens for so many learners. RuntimeError when it does not start."""
    with tempfile.TemporaryDirectory(prefix="liveserver-bench-") as folder:
        tell("starting a server")
        environment = {**os.environ, "LIVESERVER_DATA_DIR": folder,
                       "LIVESERVER_ROOMS_MAX_VIEWERS": str(max(1000, learners))}  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "liveserver", "demo", "--json", "--port", "0", "--learners", str(learners),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment,
            limit=_LINE_BYTES,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _START_S)
            if not line:
                raise RuntimeError("the server did not start; try `liveserver demo`")
            yield OwnServer(json.loads(line), _node_of(process.pid))
        finally:
            process.terminate()
            await stop(process)


async def stop(process: asyncio.subprocess.Process) -> None:
    """Wait for its end, and make it end after a while."""
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _node_of(supervisor: int) -> int:
    """The child of the supervisor that is the node."""
    for child in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
        if b"liveserver.node" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise RuntimeError("the server has no node")
