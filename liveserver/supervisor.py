"""The processes of a server: started in order, restarted when they end, stopped together.

`liveserver serve` is this process; node and recorder are its children (`liveserver.child`). One that ends is
started again with the ports it had, so that its clients find it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from liveserver import weights
from liveserver.bucket import bucket_of
from liveserver.child import Child
from liveserver.config import ENV_PREFIX, ENV_TESTS, Config, to_env
from liveserver.log import Event, get_logger
from liveserver.start import Ready, check_data_dir
from recorder import options

_RECORDER_STOP_S = 10.0
_SOCKET_PATH_BYTES = 107  # of sockaddr_un, unix(7)
_log = get_logger()


class Supervisor:
    """Recorder and node, and what is added beside them."""

    def __init__(self, config: Config, progress: Callable[[str], None]):
        self._temporary: Path | None = None
        self._config = self._with_short_socket(config)
        self._progress = progress
        self._children: list[Child] = []
        self._ports: dict[str, str] = {}
        self._node = Child(
            "node",
            [sys.executable, "-m", "liveserver.node"],
            lambda: self.environment() | self._ports,
            stop_s=config.drain.s + 2,
            explains=True,
            spare=[sys.executable, "-m", "liveserver.node.spare"] if config.spare_node else [],
        )

    def environment(self) -> dict[str, str]:
        """Of every child: this process's, with the configuration resolved to variables. Those of tests, which
        are no configuration, go through."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(ENV_PREFIX) or name.startswith(ENV_TESTS)
        }
        return inherited | to_env(self._config)

    async def start(self) -> Ready:
        """Start everything; returns when ready. Raises `StartError`; `stop` then ends what did start."""
        check_data_dir(self._config.data_dir)
        if lacking := weights.lacking():
            _log.warning(Event.MODELS_MISSING, models=lacking)
        if self._config.recorder.enabled:
            self._progress("Starting the recorder")
            await self._begin(self._recorder())
        self._progress("Starting the node")
        ready = Ready.read(await self._begin(self._node))
        self._ports = {
            "LIVESERVER_HTTP_PORT": str(ready.http_port),
            "LIVESERVER_CONTROL_PORT": str(ready.control_port),
            "LIVESERVER_RTC_PORT": str(ready.rtc_port),
        }
        return ready

    async def add(self, name: str, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """One more child, with `variables` beside the others', until it ends with 0 or 1 by itself."""
        self._progress(f"Starting the {name}")

        def environment() -> dict[str, str]:
            return {**self.environment(), **variables}

        child = Child(name, command, environment, stop_s=5, reports=False, final=frozenset({0, 1}))
        await self._begin(child)

    async def stop(self) -> None:
        """Stop the children, the last started first, so that the recorder hears the node's last word."""
        for child in self._children:
            await child.let_go()
        while self._children:
            await self._children.pop().stop()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _with_short_socket(self, config: Config) -> Config:
        """`config`, with the recorder's socket in a folder of its own where the data folder is too deep."""
        if len(os.fsencode(config.recorder_socket)) <= _SOCKET_PATH_BYTES:
            return config
        self._temporary = Path(tempfile.mkdtemp(prefix="liveserver-"))
        return replace(
            config, recorder=replace(config.recorder, socket=str(self._temporary / "recorder.sock"))
        )

    async def _begin(self, child: Child) -> bytes:
        self._children.append(child)
        return await child.start()

    def _recorder(self) -> Child:
        config = self._config
        command = [sys.executable, "-m", "recorder"]
        command += ["--socket", str(config.recorder_socket), "--data", str(config.recorder_dir)]
        command += ["--abandon-s", str(config.recorder.seal_after.s), "--log-level", config.log_level]
        if config.recorder.spare:
            command += ["--spare", config.recorder.spare]
        command += ["--reel-s", str(config.recorder.reel.s)]
        command += ["--reel-bytes", str(config.recorder.reel_size.bytes)]
        command += ["--versions", ",".join(config.recorder.versions)]
        command += ["--chapter-s", f"{config.recorder.chapter_least.s}:{config.recorder.chapter_most.s}"]
        command += ["--speech-model", weights.speech_activity(config.recorder.speech_model)]
        command += ["--captions", config.recorder.captions]
        command += ["--backlog-bytes", str(config.objects.alarm_waiting.bytes)]
        command += ["--free-bytes", str(config.objects.alarm_free.bytes)]
        bucket = bucket_of(config.objects)
        command += options.arguments(bucket)

        def environment() -> dict[str, str]:
            return {**self.environment(), **options.environment(bucket)}

        return Child("recorder", command, environment, stop_s=_RECORDER_STOP_S)


async def supervise(
    config: Config, progress: Callable[[str], None], ready: Callable[[Supervisor, Ready], Awaitable[None]]
) -> None:
    """Start everything, call `ready`, serve until SIGTERM or SIGINT, stop everything. Raises `StartError`.

    A second signal ends this process at once, and the children with it.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def stop() -> None:
        stopping.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop)
    supervisor = Supervisor(config, progress)
    starting = asyncio.create_task(_start(supervisor, ready))
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            await waiting
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await supervisor.stop()


async def _start(supervisor: Supervisor, ready: Callable[[Supervisor, Ready], Awaitable[None]]) -> None:
    await ready(supervisor, await supervisor.start())
