"""The servers that are compared: each is started in a folder of its own and ended again.

Nothing is installed from here. What is missing is said, with the Debian packages that have it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_S = 60.0
_STOP_S = 20.0
_GO_SOURCES = Path("/usr/share/gocode")
_PION = _GO_SOURCES / "src/github.com/pion/webrtc"
_PION_PACKAGES = "golang-go golang-github-pion-webrtc.v3-dev"
_MOUNTPOINT = 1


class MissingError(Exception):
    """What is needed is not installed; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running server and how the swarm gets to it. `counted`: the process whose CPU forwards, None: all."""

    pid: int
    counted: str | None
    options: Sequence[str]  # of loadtest.swarm, its URL first
    tokens: Sequence[str] = ()


@contextmanager
def ours(folder: Path, viewers: int, *, fanout: str) -> Iterator[Target]:
    """`liveserver demo`; `fanout` "python" takes the reference instead of the native one."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LIVESERVER_")}
    environment["LIVESERVER_DATA_DIR"] = str(folder / "data")
    if fanout == "python":
        environment["LIVESERVER_TEST_FANOUT"] = "python"
    command = [
        sys.executable,
        "-m",
        "liveserver",
        "demo",
        "--json",
        "--port",
        "0",
        "--learners",
        str(viewers),
    ]
    with _running(command, folder, environment) as process:
        ready = json.loads(_line(process))
        url = f"{ready['base_url'].rstrip('/')}/whep/{ready['lesson']}"
        options = [url, "--publish", ready["tokens"]["instructor"]]
        yield Target(process.pid, "liveserver.node", options, ready["learner_tokens"])


@contextmanager
def pion(folder: Path, viewers: int, *, interceptors: str) -> Iterator[Target]:
    """`pion/main.go`, with Pion's default interceptors or none."""
    program = _build_pion(folder)
    command = [str(program), "-interceptors", interceptors]
    with _running(command, folder, dict(os.environ)) as process:
        url = json.loads(_line(process))["url"]
        yield Target(process.pid, None, [f"{url}/whep", "--publish", "", "--whip", f"{url}/whip"])


@contextmanager
def janus(folder: Path, viewers: int) -> Iterator[Target]:
    """The streaming plugin with a mountpoint of plain RTP; the source needs no WebRTC to reach it."""
    program = shutil.which("janus")
    plugins = next(iter(sorted(Path("/usr/lib").glob("*/janus/plugins"))), None)
    if program is None or plugins is None:
        raise MissingError("Janus is not installed: apt-get install janus")
    port, rtp_port = _free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM)
    _configure_janus(folder, plugins.parent, port, rtp_port)
    command = [program, "-F", str(folder), "-C", str(folder / "janus.jcfg")]
    with _running(command, folder, dict(os.environ)) as process:
        url = f"http://127.0.0.1:{port}/janus"
        _until_answers(f"{url}/info", process)
        yield Target(
            process.pid,
            None,
            [url, "--janus", str(_MOUNTPOINT), "--publish", "", "--whip", f"rtp://127.0.0.1:{rtp_port}"],
        )


def floor(viewers: int, seconds: float) -> dict[str, object]:
    """The least a packet costs on this machine, by `liveserver.bench.fanout` over loopback as all here is."""
    command = [sys.executable, "-m", "liveserver.bench.fanout", "--sink", "loopback"]
    command += ["--viewers", str(viewers), "--seconds", str(seconds)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - our own module
    found: dict[str, object] = json.loads(ran.stdout)
    return found


def _build_pion(folder: Path) -> Path:
    go = next(
        (path for path in ("/usr/lib/go/bin/go", shutil.which("go")) if path and Path(path).exists()), None
    )
    if go is None or not _PION.is_dir():
        raise MissingError(f"Go or Pion is not installed: apt-get install {_PION_PACKAGES}")
    project = folder / "go/src/fanout"
    project.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "pion/main.go", project)
    # Debian's packages are found by GOPATH; a go.mod beside the program lets it write the /v3 of an import.
    (project / "go.mod").write_text("module fanout\n\ngo 1.19\n")
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "go-build"
    settings = {"GO111MODULE": "off", "GOFLAGS": "", "GOCACHE": str(cache), "CGO_ENABLED": "0"}
    environment = {**os.environ, **settings, "GOPATH": f"{folder / 'go'}:{_GO_SOURCES}"}
    program = folder / "fanout"
    ran = subprocess.run(  # noqa: S603 - Debian's compiler
        [go, "build", "-o", str(program), "."],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise MissingError(
            f"Pion's fan-out does not build; apt-get install {_PION_PACKAGES}?\n{ran.stderr[-2000:]}"
        )
    return program


def _configure_janus(folder: Path, parts: Path, port: int, rtp_port: int) -> None:
    """ICE-lite, so that it has as little to do as the others, and nothing but what is used."""
    others = [path.name for path in (parts / "plugins").glob("*.so") if "streaming" not in path.name]
    transports = [path.name for path in (parts / "transports").glob("*.so") if "http" not in path.name]
    (folder / "janus.jcfg").write_text(f"""
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{parts / "plugins"}"
    transports_folder = "{parts / "transports"}"
    events_folder = "{parts / "events"}"
    loggers_folder = "{parts / "loggers"}"
    debug_level = 2
    session_timeout = 0
}}
nat: {{
    ice_lite = true
}}
plugins: {{
    disable = "{",".join(sorted(others))}"
}}
transports: {{
    disable = "{",".join(sorted(transports))}"
}}
""")
    (folder / "janus.transport.http.jcfg").write_text(f"""
general: {{
    json = "compact"
    base_path = "/janus"
    http = true
    port = {port}
    ip = "127.0.0.1"
    https = false
}}
admin: {{
    admin_http = false
}}
""")
    (folder / "janus.plugin.streaming.jcfg").write_text(f"""
lesson: {{
    type = "rtp"
    id = {_MOUNTPOINT}
    description = "lesson"
    audio = true
    audioport = {rtp_port}
    audiopt = 111
    audiocodec = "opus"
    video = true
    videoport = {rtp_port + 2}
    videopt = 102
    videocodec = "h264"
    videofmtp = "profile-level-id=42e01f;packetization-mode=1"
}}
""")


def _free_port(kind: int) -> int:
    """One that is free now; Janus has no way to take any and tell which."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_answers(url: str, process: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own http
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise MissingError(f"{url} does not answer")


def _line(process: subprocess.Popen[str]) -> str:
    """The JSON line that says it is ready."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return line
    raise MissingError(f"the server ended with code {process.wait(_STOP_S)} before it was ready")


@contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 - what this module names
            command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
