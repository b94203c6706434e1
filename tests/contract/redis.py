"""A real Redis server for tests: Debian's program, nothing on disk, loopback only."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

from tests.drivers.process import until


class RedisServer:
    """Running once made; `down` and `up` take it away and bring it back under the same address."""

    def __init__(self) -> None:
        program = shutil.which("redis-server", path="/usr/bin:/usr/local/bin:/bin")
        if program is None:
            raise RuntimeError("Redis is missing: install Debian's package redis-server (make test does)")
        self._program = Path(program)
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.up()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def up(self) -> None:
        if self._process is None:
            options = f"--port {self.port} --bind 127.0.0.1 --appendonly no --daemonize no".split()
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", str(self._program), *options, "--save", ""],
                stdout=subprocess.DEVNULL,
            )
            until(self._answers, "Redis answers")

    def down(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    stop = down

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as asking:
                asking.sendall(b"PING\r\n")
                return asking.recv(64).startswith(b"+PONG")
        except OSError:
            return False
