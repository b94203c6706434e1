"""A node that dies while a lesson is on: its spare begins, both sides come back by themselves (REL-G1)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.classroom import STAGE, Classroom
from tests.drivers.process import until
from tests.drivers.server import Server
from tests.peers.wire import children

SPARE = "liveserver.node.spare"
# From now on `window.gap` is the longest time between two pictures, in ms.
WATCH = """(selector) => {
  const video = document.querySelector(selector);
  let last = performance.now();
  window.gap = 0;
  const shown = (now) => {
    window.gap = Math.max(window.gap, now - last);
    last = now;
    video.requestVideoFrameCallback(shown);
  };
  video.requestVideoFrameCallback(shown);
}"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    one = Server(tmp_path / "server", LIVESERVER_SPARE_NODE="true").start()
    yield one
    one.stop()


def processes(server: Server) -> dict[str, int]:
    assert server.process is not None
    return children(server.process.pid)


def is_idle(pid: int) -> bool:
    """Whether a process has nothing to do for a fifth of a second."""

    def used() -> list[str]:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]

    before = used()
    time.sleep(0.2)
    return used() == before


def test_is_followed_by_its_spare_and_the_picture_is_back(server: Server, make_classroom) -> None:
    classroom: Classroom = make_classroom(server, server.new_lesson())
    classroom.teach()
    learner = classroom.learn()
    learner.wait_moving()
    spare = until(lambda: processes(server).get(SPARE), "a spare", timeout_s=60)
    until(lambda: is_idle(spare), "its program read", timeout_s=60)
    learner.evaluate(WATCH, STAGE)

    os.kill(processes(server)["liveserver.node"], signal.SIGKILL)
    learner.until(lambda: learner.evaluate("() => window.gap > 300"), "a picture after a gap", timeout_s=60)
    learner.wait_moving()
    assert processes(server).get(SPARE) == spare
    print(f"node killed → learner's picture back: {learner.evaluate('() => window.gap'):.0f} ms")
