"""nginx as deploy/nginx sets it up, started for real."""

from __future__ import annotations

import datetime
import os
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from liveserver.certificate import self_signed
from tests.drivers.process import end, spawn, until

CONFIG = Path(__file__).parents[2] / "deploy/nginx"
NAME = "localhost"
PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")


KEPT = ("parts", "playlists")


@dataclass(frozen=True, slots=True)
class Ports:
    """On loopback: what stands behind nginx."""

    origin: int
    guard: int
    door: int
    media: int

    @classmethod
    def free(cls) -> Ports:
        return cls(free_port(), free_port(), free_port(), free_port())


class Nginx:
    """The shipped files with only those lines changed that every operator changes, and the folders.

    Without Varnish nginx keeps playlists and parts itself.
    """

    def __init__(self, folder: Path, ports: Ports, *, with_varnish: bool = True, connections: int = 2048):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self.port, self._plain_port = free_port(), free_port()
        self.chain, key = self_signed(folder / "tls", [], datetime.datetime.now(datetime.UTC))
        self.trust = ssl.create_default_context(cafile=str(self.chain))
        self._config = folder / "nginx.conf"
        values = {
            "user www-data;": "user root;" if os.getuid() == 0 else "",
            "worker_rlimit_nofile 65536;": "",
            "worker_connections 32768;": f"worker_connections {connections};",
            "listen 80 default_server;": f"listen 127.0.0.1:{self._plain_port} default_server;",
            "listen 443 ssl default_server;": f"listen 127.0.0.1:{self.port} ssl default_server;",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.port} ssl http2;",
            "server_name class.example;": f"server_name {NAME};",
            "/etc/nginx/tls/chain.pem": str(self.chain),
            "/etc/nginx/tls/key.pem": str(key),
            "127.0.0.1:8080": f"127.0.0.1:{ports.origin}",
            "127.0.0.1:8081": f"127.0.0.1:{ports.guard}",
            "127.0.0.1:8083": f"127.0.0.1:{ports.door}",
            "127.0.0.1:6081": f"127.0.0.1:{ports.media if with_varnish else ports.origin}",
            "/run/nginx.pid": f"{folder}/pid",
            "/var/log/nginx/": f"{folder}/",
            "/var/lib/nginx/": f"{folder}/",
            "/var/cache/": f"{folder}/",
        }
        if not with_varnish:
            values |= {
                f"{name}_kept {{\n    default off;": f"{name}_kept {{\n    default {name};" for name in KEPT
            }
        shipped = {folder / file.name: file.read_text() for file in CONFIG.glob("*.conf")}
        for value, own in values.items():
            assert any(value in text for text in shipped.values()), f"nowhere in {CONFIG}: {value}"
            shipped = {file: text.replace(value, own) for file, text in shipped.items()}
        for file, text in shipped.items():
            file.write_text(text)

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    @property
    def plain_url(self) -> str:
        return f"http://{NAME}:{self._plain_port}"

    def check(self) -> subprocess.CompletedProcess[str]:
        """`nginx -t`."""
        return subprocess.run([*self._command, "-t"], capture_output=True, text=True, check=False, timeout=10)

    @property
    def _command(self) -> list[str]:
        assert PROGRAM is not None
        return [
            PROGRAM,
            "-c",
            str(self._config),
            "-p",
            str(self.folder),
            "-e",
            str(self.folder / "early.log"),
        ]

    def __enter__(self) -> Nginx:
        output = self.folder / "output.log"
        self.process = spawn([*self._command, "-g", "daemon off;"], log=output)
        until(self._listens, "nginx listening")
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process, timeout_s=5)

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.folder / "output.log").read_text()
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def logs(self) -> str:
        """Everything it wrote."""
        return "".join(file.read_text(errors="replace") for file in self.folder.glob("*.log"))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
