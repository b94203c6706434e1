"""A node inside the test's own process, on a thread of its own: for tests that speak to its parts.

Everything is the node's own, composed as it composes itself; only the wall and the screening are remembered
when they are made, so that a test can tell them what a screen process would.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from liveserver.config import load
from liveserver.core.permissions import Role
from liveserver.node import composition, parts
from liveserver.screening import Screening
from liveserver.screening.wall import Wall
from liveserver.tokens import ALL_LESSONS, Tokens

from .server import Server

T = TypeVar("T")
START_S = 20
NAMES = {
    "moderator": "陈监看",
    "admin": "赵管理",
    "instructor": "王老师",
    "learner": "李学员",
    "inspector": "孙督导",
}


class Inside(Server):
    """As `Server`, without processes: no recorder, nothing that looks at pictures, no restarts.

    `more` are lessons that the wall shows besides its own; `ask` runs a function on the node's loop.
    """

    wall: Wall
    screening: Screening

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.more: list[dict[str, Any]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="node", daemon=True)
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._stopping: asyncio.Event | None = None

    def start(self) -> Inside:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        assert self._started.wait(START_S), "the node did not start"
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> int:
        assert self._loop is not None and self._stopping is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(START_S)
        return 0 if not self._thread.is_alive() and self._failure is None else 1

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def left_behind(self) -> bool:
        return self.running

    def ask(self, work: Callable[[], T]) -> T:
        """Run `work` on the node's loop; what it returns."""

        async def asked() -> T:
            return work()

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(10)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:
            self._failure = failure
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        settings = {
            "LIVESERVER_DATA_DIR": str(self.data),
            "LIVESERVER_HTTP_PORT": "0",
            "LIVESERVER_LOG_LEVEL": "error",
            "LIVESERVER_RECORDER_ENABLED": "false",
            "LIVESERVER_SCREENING_ENABLED": "false",
            "LIVESERVER_RTC_ADVERTISE": "127.0.0.1",
        }
        config = load(env=settings)
        with self._remembering():
            async with composition.node(config) as found:
                tokens, now_s = Tokens.load_or_create(config.key_file), int(time.time())

                def issue(role: Role) -> str:
                    return tokens.issue(person=f"demo-{role}", name=NAMES[role], role=role,
                                        lesson=ALL_LESSONS, now_s=now_s, ttl_s=3600)  # fmt: skip

                issued = {name: issue(Role(name)) for name in NAMES}
                self.ready = {"base_url": found.base_url, "control_url": found.control_url, "tokens": issued}
                self._started.set()
                await self._stopping.wait()

    def _remembering(self) -> Any:
        """While the node composes itself, its wall and its screening are those below."""
        inside = self

        class SeenWall(Wall):
            def __init__(self, lessons: Any, clock: Any):
                super().__init__(lambda: [*lessons(), *inside.more], clock)
                inside.wall = self

        class SeenScreening(Screening):
            def __init__(self, *parts: Any, **more: Any):
                super().__init__(*parts, **more)
                inside.screening = self

        stack = ExitStack()
        stack.enter_context(_Replaced(composition, Wall=SeenWall))
        stack.enter_context(_Replaced(parts, Screening=SeenScreening))
        return stack


class _Replaced:
    """Names of a module that are others for a while."""

    def __init__(self, module: Any, **names: Any):
        self._module, self._names = module, names
        self._before: dict[str, Any] = {}

    def __enter__(self) -> None:
        for name, value in self._names.items():
            self._before[name] = getattr(self._module, name)
            setattr(self._module, name, value)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            setattr(self._module, name, value)
