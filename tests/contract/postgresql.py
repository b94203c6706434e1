"""A real PostgreSQL server for tests: Debian's programs, one temporary folder, loopback only."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections import deque
from pathlib import Path

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
_READY = "database system is ready to accept connections"


class PostgresqlServer:
    """Running once made; `stop` ends it and removes its folder."""

    def __init__(self) -> None:
        self._programs = _programs()
        # Not pytest's own folder: that one is closed to the user postgres, and too long for a socket's path.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._data = self.folder / "data"
        self._log: deque[str] = deque(maxlen=50)
        self._process: subprocess.Popen[str] | None = None
        try:
            self._initialise()
            # Between finding a free port and taking it somebody else may be faster.
            if not any(self._starts_on(_free_port()) for _ in range(5)):
                raise RuntimeError("PostgreSQL does not start:\n" + "".join(self._log))
        except BaseException:
            self.stop()
            raise

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def down(self) -> None:
        """Away, until `up`."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)  # "fast": whoever is still connected is cut off
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process = None

    def up(self) -> None:
        """Back, under the same address with the same data."""
        if self._process is None:
            self._log.clear()
            assert self._starts_on(self.port), "".join(self._log)

    def _initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            for path in (self.folder, self._data):
                shutil.chown(path, "postgres", "postgres")
        done = subprocess.run(
            [
                *_as_postgres(),
                str(self._programs / "initdb"),
                f"--pgdata={self._data}",
                *("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stderr}")

    def _starts_on(self, port: int) -> bool:
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "shared_buffers": "16MB",
            "fsync": "off",  # no test cuts the power
        }
        self.port = port
        self._process = subprocess.Popen(
            [
                *_as_postgres(),
                str(self._programs / "postgres"),
                *("-D", str(self._data)),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        spoke = threading.Event()
        self._reader = threading.Thread(target=self._read_log, args=(self._process, spoke))
        self._reader.start()
        spoke.wait(START_TIMEOUT_S)
        if any(_READY in line for line in self._log):
            return True
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process = None
        return False

    def _read_log(self, process: subprocess.Popen[str], spoke: threading.Event) -> None:
        """Keep the last lines; `spoke` is set when the server is ready or has ended."""
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self._log.append(line)
                if _READY in line:
                    spoke.set()
        spoke.set()


def _programs() -> Path:
    """Debian keeps the server's programs out of the PATH, a folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    if not found:
        raise RuntimeError("PostgreSQL is missing: install Debian's package postgresql (make test does)")
    return found[-1].parent


def _as_postgres() -> list[str]:
    """The server refuses to run as root. It ends by itself should the test run be killed."""
    other = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *other, "--pdeathsig=INT"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
