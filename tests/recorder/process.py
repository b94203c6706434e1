"""The real recorder process and a client of it, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from recorder.client import RecorderClient

from .media import START_MS, Fed, report_of

REPOSITORY = Path(__file__).parents[2]


class RecorderProcess:
    """`python -m recorder` in a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.data = folder / "data"
        self.socket = folder / "recorder.sock"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        command = [sys.executable, "-m", "recorder", "--socket", str(self.socket), "--data", str(self.data)]
        self._process = subprocess.Popen(  # noqa: ASYNC220 - its death signal is bound to this thread
            [*command, *self._options], stdout=subprocess.PIPE, cwd=REPOSITORY, env=dict(os.environ)
        )
        assert self._process.stdout is not None
        line = await asyncio.to_thread(self._process.stdout.readline)
        assert json.loads(line) == {"ready": True}

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await asyncio.to_thread(self._process.wait)

    async def terminate(self) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(self._process.wait, 30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def object(self, key: str) -> Path:
        return self.data / "objects" / key


class Node:
    """A node's side: a real client, and the events it got."""

    def __init__(self, process: RecorderProcess, **options: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self.client = RecorderClient(process.socket, self._on_event, **options)

    def _on_event(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self._task = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def event(self, recording: str, *states: str, timeout_s: float = 60) -> dict[str, Any]:
        """The first event of the recording in one of the states."""

        def found() -> dict[str, Any] | None:
            for event in self.events:
                if event["recording"] == recording and event["state"] in states:
                    return event
            return None

        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(lambda: found() is not None)
        event = found()
        assert event is not None
        return event

    async def rounds(self, recording: str, count: int, timeout_s: float = 20) -> None:
        """Until the queue is empty and the recording's thread told its progress `count` times after."""
        async with asyncio.timeout(timeout_s), self._news:
            while self.client.queued_bytes:  # noqa: ASYNC110 - the client has no such event
                await asyncio.sleep(0.01)
            before = len(self.events)
            await self._news.wait_for(
                lambda: sum(e["recording"] == recording for e in self.events[before:]) >= count
            )

    async def feed(self, recording: str, frames: Iterable[Fed]) -> None:
        """Send frames as fast as the client takes them."""
        for number, frame in enumerate(frames):
            while self.client.queued_bytes > 2_000_000:  # noqa: ASYNC110 - the client has no such event
                await asyncio.sleep(0.005)
            assert self.client.frame(recording, **frame.arguments())  # type: ignore[arg-type]
            if number % 200 == 0:
                await asyncio.sleep(0)

    def report(self, recording: str, frame: Fed, offset_ms: int = 0) -> None:
        self.client.report(recording, **report_of(frame, offset_ms))  # type: ignore[arg-type]

    async def record(self, recording: str, frames: Iterable[Fed], lesson: str = "L1") -> dict[str, Any]:
        """A whole lesson: open, feed, close, wait for the end."""
        self.client.open(recording, lesson, "A lesson", START_MS)
        await self.feed(recording, frames)
        self.client.close_recording(recording)
        return await self.event(recording, "sealed", "failed")


@contextlib.asynccontextmanager
async def recorder(folder: Path, *options: str) -> AsyncIterator[tuple[RecorderProcess, Node]]:
    """A started process with a connected client; both are gone afterwards."""
    process = RecorderProcess(folder, *options)
    await process.start()
    node = Node(process)
    await node.client.start()
    try:
        yield process, node
    finally:
        await node.client.close()
        await process.terminate()
