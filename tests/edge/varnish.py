"""Varnish as deploy/varnish sets it up, started for real."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
from pathlib import Path

from tests.drivers.process import end, spawn, until

CONFIG = Path(__file__).parents[2] / "deploy/varnish"
PROGRAM = shutil.which("varnishd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
JAIL, ADDRESS = "unix,user=vcache", "127.0.0.1:6081"


def options() -> list[str]:
    """`ExecStart` of the shipped unit."""
    found = re.search(r"^ExecStart=(/.+)$", (CONFIG / "override.conf").read_text(), re.MULTILINE)
    assert found is not None
    return shlex.split(found[1])


class Varnish:
    """The shipped files and options, with only those changed that every operator changes, and the folders."""

    def __init__(self, folder: Path, port: int, origin_port: int):
        self.folder, self.port = folder, port
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        for file in CONFIG.glob("*.vcl"):
            shipped = file.read_text()
            (folder / file.name).write_text(shipped.replace('"8080"', f'"{origin_port}"'))

    @property
    def command(self) -> list[str]:
        """What is started."""
        values = {
            "/usr/sbin/varnishd": str(PROGRAM),
            ADDRESS: f"127.0.0.1:{self.port}",
            "/etc/varnish/lectern.vcl": str(self.folder / "lectern.vcl"),
            JAIL: "none",  # another user does not see the tests' folders
        }
        shipped = options()
        assert set(values) <= set(shipped), shipped
        working = ["-n", str(self.folder / "working"), "-p", f"vcl_path={self.folder}"]
        return [values.get(word, word) for word in shipped] + working

    def __enter__(self) -> Varnish:
        self.process = spawn(self.command, log=self.folder / "output.log")
        until(self._listens, "Varnish listening")
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process, timeout_s=5)

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.folder / "output.log").read_text()
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0
