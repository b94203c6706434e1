"""An instructor on a bad network: what the class sees and what the recording holds (REL-N6).

Scaled to seconds unless RELIABILITY=full.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from tests.browser.classroom import Classroom
from tests.browser.test_recording import decode_errors, download, sealed_recording
from tests.faults.conftest import Lecture
from tests.faults.network import Relay
from tests.faults.pictures import Sight
from tests.faults.relay import Shape

LOSS = Shape(loss=0.1, delay_ms=25)
WAIT_FRAMES = 15  # 0.6 s: asked for, encoded, repaired in its turn
SETTLE_S = 4.5  # two looks of the learner's page at how its pictures come


def test_ten_percent_of_his_packets_lost(lecture: Lecture, chromium, network, tmp_path: Path, long: bool):
    server, lesson = lecture.server, lecture.server.new_lesson()
    with Relay(tmp_path, network, lecture.address[1]) as relay:
        relay.shape(LOSS, LOSS)
        classroom = Classroom(server, lesson, chromium)
        teacher = classroom.teach(script=relay.script)
        learner = classroom.learn()
        learner.wait_moving(timeout_s=20)
        time.sleep(SETTLE_S)
        before, sight = frames_sent(teacher), Sight(learner)
        time.sleep(60 if long else 5)
        sent, seen = frames_sent(teacher) - before, sight.look()
        counts = relay.counts()
        whole = frames_sent(teacher)
        classroom.end(teacher)
        recording = sealed_recording(server, lesson)
        path = download(recording, tmp_path / "lesson.mp4")
        classroom.close()
    recorded = frames_in(path)
    print(
        seen.line("learner"),
        f"sent {sent} of {whole}, recorded {recorded}, relay {counts}, gaps {recording['gaps']}",
        sep="\n",
    )
    # As N3 for whoever watches, with room for a shared machine that encodes and decodes it all, and for one
    # packet that no repair brought, after which the picture waits for a keyframe.
    assert seen.frames >= 0.97 * sent - WAIT_FRAMES - seen.delay_ms / 40
    assert seen.longest_gap_s <= 0.5 + 0.5
    assert recorded >= 0.99 * whole - WAIT_FRAMES
    assert decode_errors(path) == ""


def frames_sent(tab) -> int:
    entries = tab.evaluate("() => watch.stats('outbound-rtp')")
    return max(int(entry.get("framesSent", 0)) for entry in entries if entry["kind"] == "video")


def frames_in(path: Path) -> int:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets"]
    show = ["-show_entries", "stream=nb_read_packets", "-of", "json", str(path)]
    found = subprocess.run([*command, *show], capture_output=True, text=True, check=True).stdout
    return int(json.loads(found)["streams"][0]["nb_read_packets"])
