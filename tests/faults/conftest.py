"""What the fault tests share: how long each lasts, and one lesson that must come through all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.media import Client, pattern_publisher
from tests.drivers.server import REPOSITORY, Lesson, Server, request
from tests.http.test_media import OFFER
from tests.peers.wire import Address, children, resident_bytes

GROWTH_BYTES = 20_000_000  # RELIABILITY G26, G27


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether the tests run for their full time (`make reliability`) or scaled to seconds."""
    return os.environ.get("RELIABILITY") == "full"


@dataclass(frozen=True, slots=True)
class Lecture:
    """A lesson on the air, the server it is on, and that server's own numbers."""

    server: Server
    lesson: Lesson
    publisher: Client
    address: Address
    """Where the server takes media."""

    @property
    def whep(self) -> str:
        return self.server.whep_url(self.lesson)

    def tokens(self, count: int) -> list[str]:
        return self.server.more_tokens(self.lesson, count)

    def processes(self) -> dict[str, int]:
        """The server's processes: another id than before is one that died."""
        assert self.server.process is not None
        return children(self.server.process.pid)

    def debug(self) -> dict[str, Any]:
        return request("GET", f"{self.server.base_url}/debug/rooms").json

    def stage(self, lesson: Lesson | None = None) -> dict[str, Any]:
        wanted = (lesson or self.lesson).id
        return next(room["stage"] for room in self.debug()["rooms"] if room["lesson"] == wanted)

    def camera(self, lesson: Lesson | None = None) -> dict[str, Any]:
        tracks = self.stage(lesson)["publisher"]["tracks"]
        return next(track for track in tracks if track["track"] == "camera")

    def front(self) -> dict[str, int]:
        """The front's counters: what it dropped, by reason."""
        return self.debug()["front"]

    def health(self) -> Health:
        processes = self.processes()
        resident = {pid: resident_bytes(pid) for pid in processes.values()}
        return Health(self, processes, resident, len(self.publisher.events), len(self.server.tracebacks()))


@dataclass(frozen=True, slots=True)
class Health:
    """How a lecture stood before something was done to it."""

    lecture: Lecture
    processes: dict[str, int]
    resident_bytes: dict[int, int]
    events: int
    tracebacks: int

    def assert_kept(self, growth_bytes: int = GROWTH_BYTES) -> None:
        """The same processes, no larger than allowed; the instructor's session never lost; no traceback."""
        assert self.lecture.processes() == self.processes
        for pid, before in self.resident_bytes.items():
            assert resident_bytes(pid) - before < growth_bytes
        since = self.lecture.publisher.events[self.events :]
        assert {event["event"] for event in since} <= {"progress"}, since
        assert self.lecture.server.tracebacks()[self.tracebacks :] == []


@pytest.fixture(scope="session")
def lecture(network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lecture]:
    """A small test pattern from a process of its own, on a server that only the fault tests use."""
    folder: Path = tmp_path_factory.mktemp("lecture")
    server = Server(folder / "server").start()
    lesson = server.new_lesson()
    url, token = server.whip_url(lesson), lesson.tokens["instructor"]
    with pattern_publisher(folder, url, token, size="320x240") as publisher:
        publisher.wait("publishing")
        yield Lecture(server, lesson, publisher, (network, server.media_port(server.demo, OFFER.decode())[1]))
    assert server.stop() == 0, server.log_end()


@dataclass(slots=True)
class Audience:
    """Many light viewers by loadtest.swarm, as a process; `with` it, then `report`."""

    process: subprocess.Popen[str]

    def report(self, timeout_s: float) -> dict[str, Any]:
        """Wait for its end; how they joined and what they received, summed over all."""
        out, err = self.process.communicate(timeout=timeout_s)
        assert out, f"loadtest.swarm, code {self.process.returncode}: {err[-1000:]}"
        return json.loads(out)


def _swarm_missing() -> bool:
    check = subprocess.run([sys.executable, "-c", "import loadtest._swarm"], check=False, cwd=REPOSITORY)
    return check.returncode != 0


@pytest.fixture
def audience(lecture: Lecture) -> Iterator[Any]:
    """Makes an audience of a size, that joins at a rate and is measured for some seconds."""
    if _swarm_missing():
        pytest.skip("loadtest's native half is not built here (make install)")
    made: list[subprocess.Popen[str]] = []

    def make(viewers: int, *, rate: float, seconds: float) -> Audience:
        options = ["--viewers", viewers, "--rate", rate, "--seconds", seconds, "--settle", 0.5]
        command = [sys.executable, "-m", "loadtest.swarm", lecture.whep, "--tokens", "-", "--json"]
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *command, *map(str, options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write("\n".join(lecture.tokens(viewers)) + "\n")
        process.stdin.close()
        process.stdin = None
        made.append(process)
        return Audience(process)

    yield make
    for process in made:
        if process.poll() is None:
            process.kill()
        process.communicate()
