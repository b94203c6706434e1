"""A process of the server is stopped and woken again (REL-G4, REL-R6).

Each process once, at a moment of its own; RELIABILITY=full freezes each 20 times and prints how long it took.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from liveserver.store.verify import verify_ledger
from tests.browser.test_recording import decode_errors, download
from tests.drivers.media import Client, pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server, request
from tests.peers.wire import children

REPLACED_S = 6
EXITED_S = 1


@dataclass
class Class:
    """A lesson on a server of its own, and its publisher, which is begun anew after a node."""

    server: Server
    lesson: Lesson
    folder: Path
    publisher: Client | None = None
    begun: int = 0

    def publish(self) -> None:
        self.stop()
        self.begun += 1
        url, token = self.server.whip_url(self.lesson), self.lesson.tokens["instructor"]
        made = pattern_publisher(self.folder / str(self.begun), url, token, size="320x240")
        self.publisher = made.__enter__()
        self.publisher.wait("publishing")
        self.publisher.wait("progress", frames=75)

    def stop(self) -> None:
        if self.publisher is not None:
            self.publisher.stop()
            self.publisher = None

    def pid(self, name: str) -> int | None:
        assert self.server.process is not None
        with contextlib.suppress(FileNotFoundError):
            return children(self.server.process.pid).get(name)
        return None

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return request("GET", f"{self.server.base_url}/readyz", timeout_s=1).status == 200
        return False

    def freeze(self, name: str) -> float:
        """Stop a process for ten seconds, then wake it; how long until another was ready, in s."""
        old = self.pid(name)
        assert old is not None
        os.kill(old, signal.SIGSTOP)
        began = time.monotonic()
        until(lambda: self.pid(name) not in (None, old), f"another {name}", timeout_s=REPLACED_S)
        until(lambda: self.ready(name), f"a ready {name}", timeout_s=REPLACED_S)
        replaced_s = time.monotonic() - began
        with contextlib.suppress(ProcessLookupError):
            os.kill(old, signal.SIGCONT)
        until(lambda: not Path(f"/proc/{old}").exists(), f"the old {name}'s end", timeout_s=EXITED_S)
        return replaced_s

    def ready(self, name: str) -> bool:
        if name == "liveserver.node":
            return self.answers()
        metrics = request("GET", f"{self.server.base_url}/metrics").body.decode()
        return "liveserver_recorder_connected 1.0" in metrics


@pytest.fixture(scope="module")
def classroom(network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    folder = tmp_path_factory.mktemp("frozen")
    server = Server(folder / "server", LIVESERVER_RECORDER_VERSIONS="").start()
    made = Class(server, server.new_lesson(), folder)
    made.publish()
    yield made
    made.stop()
    assert server.stop() == 0, server.log_end()
    assert server.tracebacks() == []


def frozen(classroom: Class, name: str, times: int, after: str | None = None) -> None:
    replaced = []
    for _ in range(times):
        time.sleep(random.uniform(0, 2))
        replaced.append(classroom.freeze(name))
        if name == "liveserver.node":
            classroom.publish()
    p95 = sorted(replaced)[int(0.95 * (times - 1))]
    print(f"{name}: replaced within {statistics.median(replaced):.1f} s median, {p95:.1f} s p95, "
          f"{max(replaced):.1f} s at most, {times} times")  # fmt: skip
    assert max(replaced) <= REPLACED_S


def test_a_frozen_recorder_is_replaced_and_the_recording_has_no_gap(classroom: Class, long: bool):
    frozen(classroom, "recorder", 20 if long else 1)
    publisher = classroom.publisher
    assert publisher is not None
    frames = publisher.events[-1]["frames"]
    publisher.wait("progress", frames=frames + 50)
    rows = classroom.server.api("GET", f"/lessons/{classroom.lesson.id}/recordings").json["items"]
    assert [row["state"] for row in rows] == ["recording"]


def test_a_frozen_node_is_replaced_and_wakes_no_more(classroom: Class, long: bool):
    frozen(classroom, "liveserver.node", 20 if long else 1)


async def test_then_everything_that_was_recorded_plays_and_the_ledger_verifies(
    classroom: Class, tmp_path: Path
):
    server, lesson = classroom.server, classroom.lesson
    server.api("POST", f"/lessons/{lesson.id}/end", {}, role="admin")

    def sealed() -> list[dict]:
        rows = server.api("GET", f"/lessons/{lesson.id}/recordings").json["items"]
        return rows if all(row["state"] == "sealed" for row in rows) else []

    rows = until(sealed, "sealed recordings", timeout_s=60)
    reasons = {gap["reason"] for row in rows for gap in row["gaps"]}
    assert reasons <= {"source_changed", "no_media"}, reasons
    for number, row in enumerate(rows):
        assert decode_errors(download(row, tmp_path / f"{number}.mp4")) == ""
    found = await verify_ledger(f"sqlite:///{server.data / 'liveserver.db'}")
    assert found.ok, found
