"""Measures what a person notices, in real Chromium over loopback, and prints one JSON line.

    tests/run-in-namespace.sh .venv/bin/python -m tests.glass [--joins 16]

moving_ms        from asking for the learner's page to its second picture, one value per join, at any moment
                 between keyframes
glass_ms         age of the pictures shown, from a time code in the sender's picture
uplink_bps       what the instructor's browser aims at 5 s after going live
sealed_ms        from "end" to the sealed recording
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from tests.browser.classroom import Classroom
from tests.drivers.chromium import Chromium
from tests.drivers.process import until
from tests.drivers.server import Server


def percentile(values: list[int], share: float) -> int:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def spread(values: list[int]) -> dict[str, int]:
    return {"median": percentile(values, 0.5), "p95": percentile(values, 0.95), "worst": max(values)}


def joins(classroom: Classroom, count: int) -> list[int]:
    """Each join comes 0.37 s of keyframe distance after the last, so that 2 s are covered evenly."""
    found = []
    for number in range(count):
        time.sleep(0.37 * (number % 5) / 5 + 0.1)
        learner = classroom.learn()
        found.append(learner.shown_after_ms())
        classroom.tabs.remove(learner)
        learner.close()
    return found


def target_bps(teacher) -> int:
    entries = teacher.evaluate("() => watch.stats('outbound-rtp')")
    return max(int(entry.get("targetBitrate", 0)) for entry in entries if entry["kind"] == "video")


def sealed_ms(server: Server, classroom: Classroom) -> int:
    path = f"/lessons/{classroom.lesson.id}/recordings"
    started_s = time.monotonic()
    until(
        lambda: [item["state"] for item in server.api("GET", path).json["items"]] == ["sealed"],
        "a sealed recording",
        timeout_s=60,
        every_s=0.02,
    )
    return round((time.monotonic() - started_s) * 1000)


def measure(server: Server, browser: Chromium, count: int) -> dict[str, object]:
    classroom = Classroom(server, server.demo, browser)
    teacher = classroom.teach()
    time.sleep(5)
    uplink = target_bps(teacher)
    moving = joins(classroom, count)
    learner = classroom.learn()
    learner.wait_moving()
    ages = learner.evaluate("([s, n]) => watch.ages(s, n, 20000)", ['[data-testid="stage"]', 300])
    classroom.end(teacher)
    sealed = sealed_ms(server, classroom)
    classroom.close()
    return {
        "chromium": browser.version,
        "joins": count,
        "moving_ms": {**spread(moving), "all": sorted(moving)},
        "glass_ms": spread(ages),
        "uplink_bps": uplink,
        "sealed_ms": sealed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.glass", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--joins", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="classroom-glass-") as folder, Chromium() as browser:
        server = Server(Path(folder)).start()
        try:
            print(json.dumps(measure(server, browser, options.joins)))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
