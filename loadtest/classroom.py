"""The lesson under load: a server started for it, or one that runs elsewhere, and its REST API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_STOP_S = 30.0
_ANSWER_S = 60.0
_AT_ONCE = 1_000  # tokens a request gives


@dataclass(frozen=True, slots=True)
class Classroom:
    """`admin` may make tokens, ask, cut and restore. `server_pid`: where the server is on this machine."""

    host: str
    lesson: str
    admin: str
    server_pid: int | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)

    @property
    def socket_url(self) -> str:
        return f"{self.host}/ws/{self.lesson}".replace("http", "ws", 1)

    def learners(self, count: int) -> list[str]:
        """Tokens of so many new learners."""
        given: list[str] = []
        while len(given) < count:
            part = min(_AT_ONCE, count - len(given))
            given += self.post("tokens", {"role": "learner", "name": "load", "count": part})["tokens"]
        return given

    def challenge(self) -> dict[str, Any]:
        """Ask everybody at once. Its deadline is the lesson's."""
        return self.post("challenges", {"kind": "quiz"})

    def cut(self, reason: str = "load test") -> dict[str, Any]:
        return self.post("cut", {"level": "lesson", "reason": reason})

    def restore(self, reason: str = "load test") -> dict[str, Any]:
        return self.post("restore", {"reason": reason})

    def post(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """`POST /api/v1/lessons/{id}/{what}` as the administrator. urllib.error.HTTPError."""
        request = urllib.request.Request(  # noqa: S310 - the address is the operator's
            f"{self.host}/api/v1/lessons/{self.lesson}/{what}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.admin}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310 - as above
            found: dict[str, Any] = json.load(answer)
        return found


def _certificate(folder: Path) -> dict[str, str]:
    """A key and a certificate of a day, as settings of the server; this process and its children trust it."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-keyout", str(key), "-out", str(cert), "-days", "1", "-subj", "/CN=load test",
               "-addext", "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - fixed words
    os.environ["SSL_CERT_FILE"] = str(cert)
    return {"LIVESERVER_HTTP_TLS_CERT": str(cert), "LIVESERVER_HTTP_TLS_KEY": str(key)}


@contextmanager
def own_classroom(
    *options: str, settings: Mapping[str, str] | None = None, tls: bool = False
) -> Iterator[Classroom]:
    """`liveserver demo` with a folder of its own, gone with everything in it afterwards.

    `options` go to the demo, `settings` into its environment; with `tls` it has an ECDSA P-256 certificate
    of its own. RuntimeError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="liveserver-load-") as folder:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LIVESERVER_")}
        environment |= {"LIVESERVER_DATA_DIR": folder, **(settings or {})}
        if tls:
            environment |= _certificate(Path(folder))
        command = [sys.executable, "-m", "liveserver", "demo", "--json", "--port", "0", *options]
        process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the server did not start; try `liveserver demo`")
            ready = json.loads(line)
            yield Classroom(
                ready["base_url"].rstrip("/"), ready["lesson"], ready["tokens"]["admin"], process.pid,
                ready["tokens"],
            )  # fmt: skip
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
