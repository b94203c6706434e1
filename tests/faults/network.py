"""The relay of tests/faults/relay.py, and the browser pages whose media goes through it."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.drivers.process import end, spawn
from tests.drivers.server import REPOSITORY
from tests.faults.relay import Shape

GROUP = 61_000  # a group of this number has no name and nobody in it
UNDER = ("setpriv", "--regid", str(GROUP), "--clear-groups", "--")
SEED = 1  # the same losses in each run, as far as the packets are the same
_ANSWER_TIMEOUT_S = 10


class Relay:
    """A relay of its own in front of the server's media port; `with` it."""

    def __init__(self, folder: Path, host: str, server_port: int):
        self.host = host
        self._command = [sys.executable, "-m", "tests.faults.relay", host, str(server_port), str(SEED)]
        self._log = folder / "relay.log"
        self._answers: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Relay:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=REPOSITORY,
            )
        threading.Thread(target=self._read, name="relay", daemon=True).start()
        self.port = self._answer()["port"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        end(self._process, timeout_s=5)

    def shape(self, up: Shape | None = None, down: Shape | None = None) -> dict[str, Any]:
        """Set both directions, as seen from the client; what is not given is perfect."""
        return self._order({"up": asdict(up or Shape()), "down": asdict(down or Shape())})

    @contextmanager
    def shaped(self, up: Shape, down: Shape | None = None) -> Iterator[None]:
        """The conditions for a while; `up` alone counts for both directions."""
        self.shape(up, down or up)
        try:
            yield
        finally:
            self.shape()

    def rebind(self) -> None:
        self._order({"rebind": True})

    def counts(self) -> dict[str, Any]:
        return self._order({"counts": True})

    @property
    def script(self) -> str:
        """For a page: whatever the server answers, its media address is the relay's (RFC 8839 5.1)."""
        candidate = f"a=candidate:1 1 udp 2130706431 {self.host} {self.port} typ host"
        return f"""
window.RTCPeerConnection = class extends window.RTCPeerConnection {{
  setRemoteDescription({{ type, sdp }}) {{
    const bare = sdp.replace(/a=candidate:[^\\r]*\\r\\n/g, '');
    const relayed = bare.replace('a=end-of-candidates', '{candidate}\\r\\na=end-of-candidates');
    return super.setRemoteDescription({{ type, sdp: relayed }});
  }}
}};
"""

    def _order(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        return json.loads(self._answers.get(timeout=_ANSWER_TIMEOUT_S))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)


@contextmanager
def dropping(*rule: str, group: int = GROUP) -> Iterator[None]:
    """Packets that `rule` describes leave nobody in `group`."""
    whole = ["OUTPUT", "-m", "owner", "--gid-owner", str(group), *rule, "-j", "DROP"]
    subprocess.run(["iptables", "-w", "-A", *whole], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-w", "-D", *whole], check=True, capture_output=True)


class Flood:
    """tests/faults/flood.py as a process; `with` it, and read `result` when its time is over."""

    def __init__(
        self, folder: Path, target: tuple[str, int], datagrams: list[bytes], *, rate: int, seconds: float
    ):
        self._name = folder / "flood"
        self._name.with_suffix(".hex").write_text("".join(data.hex() + "\n" for data in datagrams))
        host, port = target
        self._command = [sys.executable, "-m", "tests.faults.flood", host, port, rate, seconds]
        self._seconds = seconds

    def __enter__(self) -> Flood:
        self._process = spawn(
            ["sh", "-c", f'exec "$@" < {self._name}.hex', "flood", *map(str, self._command)],
            log=self._name.with_suffix(".log"),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process, timeout_s=5)

    def result(self) -> dict[str, Any]:
        """Wait for the end; what was sent and what came back."""
        out, _ = self._process.communicate(timeout=self._seconds + 30)
        return json.loads(out)
