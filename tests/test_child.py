"""A process that is kept running: a spare that has read its program begins where it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from liveserver.child import Child
from liveserver.spare import Spare

SAY = "import time; print('{word}', flush=True); time.sleep(600)"
WAIT = """
import os, sys
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
sys.stdin.readline() or sys.exit(0)
"""


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not look():  # noqa: ASYNC110 - a file and a process tell nobody
            await asyncio.sleep(0.005)


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


class Kept:
    """A child that says which of its two commands it is. `waiting`: where a spare writes its pid."""

    def __init__(self, folder: Path):
        self.waiting = folder / "spare"
        spare = [sys.executable, "-c", WAIT + SAY.format(word="spare"), str(self.waiting)]
        command = [sys.executable, "-c", SAY.format(word="plain")]
        self.child = Child("node", command, lambda: os.environ, stop_s=5, spare=spare, spare_after_s=0)

    async def spare(self) -> int:
        """The pid of the spare that waits, once there is one."""
        await until(self.waiting.exists)
        pid = int(self.waiting.read_text())
        self.waiting.unlink()
        return pid

    async def dies(self) -> None:
        """It is killed; returns when there is another."""
        pid = self.child.pid
        assert pid is not None
        self.child.line = b""
        os.kill(pid, signal.SIGKILL)
        await until(lambda: self.child.line != b"")


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept(tmp_path)
    await made.child.start()
    yield made
    await made.child.stop()


class TestASpare:
    async def test_begins_when_the_process_ends_and_another_is_made(self, kept: Kept) -> None:
        assert kept.child.line == b"plain\n"
        for _ in range(2):
            spare = await kept.spare()
            await kept.dies()
            assert (kept.child.line, kept.child.pid) == (b"spare\n", spare)

    async def test_that_is_gone_itself_is_done_without(self, kept: Kept) -> None:
        os.kill(await kept.spare(), signal.SIGKILL)
        await kept.dies()
        assert kept.child.line == b"plain\n"

    async def test_that_ended_while_it_waited_is_followed_by_another(self) -> None:
        made: list[Process] = []

        async def launch() -> Process:
            if not made:
                made.append(await asyncio.create_subprocess_exec("true", stdin=asyncio.subprocess.PIPE))
            elif len(made) == 1:
                made.append(await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE))
            return made[-1]

        spare = Spare("node", launch, after_s=0, again_s=0)
        spare.prepare()
        await until(lambda: len(made) == 2)
        taken = await spare.take()
        assert taken is made[1]
        assert await taken.wait() == 0
        await spare.stop()

    async def test_ends_with_the_rest(self, kept: Kept) -> None:
        spare = await kept.spare()
        await kept.child.stop()
        await until(lambda: not alive(spare))
