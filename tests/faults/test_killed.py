"""Node and recorder are killed at once (REL-G1, REL-R1, REL-R2): what had come is in the file.

Once; RELIABILITY=full kills 20 times, at random moments, and prints what was lost each time.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import time
from pathlib import Path

from loadtest.pattern import age_ms
from tests.browser.test_recording import check, download, sealed_recording, stamped_span_ms
from tests.drivers.media import pattern_publisher
from tests.drivers.server import Server
from tests.peers.wire import children

LOST_MS = 2_000


def kill(server: Server) -> None:
    """SIGKILL to every process by its own id: nobody gets to finish anything."""
    assert server.process is not None
    for pid in (*children(server.process.pid).values(), server.process.pid):
        os.kill(pid, signal.SIGKILL)
    server.kill()


def test_of_what_had_come_at_most_two_seconds_are_lost(tmp_path: Path, long: bool):
    """Against the publisher's own clock, by the time codes in its pictures; the network's time counts too."""
    server = Server(tmp_path / "server", LIVESERVER_RECORDER_VERSIONS="").start()
    lost = []
    try:
        for number in range(20 if long else 1):
            lesson, folder = server.new_lesson(), tmp_path / str(number)
            with pattern_publisher(folder, server.whip_url(lesson), lesson.tokens["instructor"]) as publisher:
                publisher.wait("publishing")
                publisher.wait("progress", frames=100)
                time.sleep(random.uniform(0, 3))
                killed_ms = time.time_ns() // 1_000_000
                kill(server)
            server.start()
            recording = sealed_recording(server, lesson, timeout_s=60)
            path = download(recording, folder / "lesson.mp4")
            check(server, lesson, recording, path)
            lost.append(age_ms(stamped_span_ms(path)[1], killed_ms))
    finally:
        assert server.stop() == 0, server.log_end()
    print(f"lost {sorted(lost)} ms, median {statistics.median(lost):.0f} ms")
    assert max(lost) <= LOST_MS
    assert server.tracebacks() == []
