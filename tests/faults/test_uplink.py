"""An instructor on a bad network: what the class sees and what the recording holds (REL-N6, REL-G12).

Scaled to seconds unless RELIABILITY=full, when he also drops out for 20 s and comes back.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from loadtest.pattern import age_ms, read_stamp
from tests.browser.classroom import Classroom
from tests.browser.test_recording import decode_errors, download, sealed_recording
from tests.drivers.tab import Camera
from tests.faults.conftest import Lecture
from tests.faults.network import Relay
from tests.faults.pictures import Sight
from tests.faults.relay import Shape
from tests.recorder.measure import beeps_ms, pictures

LOSS = Shape(loss=0.1, delay_ms=25)
WAIT_FRAMES = 15  # 0.6 s: asked for, encoded, repaired in its turn
SETTLE_S = 4.5  # two looks of the learner's page at how its pictures come
AWAY_S = 20
SYNC_MS, LENGTH_MS = 80, 100
BEEP = 3000  # of 32,767: well above silence as Opus and AAC leave it


def test_ten_percent_of_his_packets_lost(lecture: Lecture, chromium, network, tmp_path: Path, long: bool):
    server, lesson = lecture.server, lecture.server.new_lesson()
    with Relay(tmp_path, network, lecture.address[1]) as relay:
        relay.shape(LOSS, LOSS)
        classroom = Classroom(server, lesson, chromium)
        teacher = classroom.teach(script=relay.script, camera=Camera(beeps=True))
        learner = classroom.learn()
        learner.wait_moving(timeout_s=20)
        time.sleep(SETTLE_S)
        before, sight = frames_sent(teacher), Sight(learner)
        time.sleep(60 if long else 5)
        sent, seen = frames_sent(teacher) - before, sight.look()
        counts = relay.counts()
        whole = frames_sent(teacher)
        if long:
            teacher.close()
            classroom.tabs.remove(teacher)
            time.sleep(AWAY_S)
            teacher = classroom.teach(script=relay.script, camera=Camera(beeps=True))
            time.sleep(20)
            whole += frames_sent(teacher)
        classroom.end(teacher)
        recording = sealed_recording(server, lesson)
        path = download(recording, tmp_path / "lesson.mp4")
        classroom.close()
    recorded = frames_in(path)
    apart, error_ms = offsets(path)
    print(
        seen.line("learner"),
        f"sent {sent} of {whole}, recorded {recorded}, relay {counts}, gaps {recording['gaps']}",
        f"sound and picture apart {sorted(map(round, apart))} ms, length wrong by {error_ms:.0f} ms",
        sep="\n",
    )
    # As N3 for whoever watches, with room for a shared machine that encodes and decodes it all, and for one
    # packet that no repair brought, after which the picture waits for a keyframe.
    assert seen.frames >= 0.97 * sent - WAIT_FRAMES - seen.delay_ms / 40
    assert seen.longest_gap_s <= 0.5 + 0.5
    assert recorded >= 0.99 * whole - WAIT_FRAMES
    assert decode_errors(path) == ""
    # p95; of the eleven beeps of a short run the worst may lie beside a packet that no repair brought.
    assert sorted(map(abs, apart))[min(int(len(apart) * 0.95), len(apart) - 2)] <= SYNC_MS
    assert abs(error_ms) <= LENGTH_MS


def offsets(path: Path) -> tuple[list[float], float]:
    """How much later than its second's pictures each beep comes, in ms; by how much the file is longer than
    the time from its first picture to its last, by their time codes."""
    shown = stamped(path)  # (place in the file, when it was drawn), ms
    heard = beeps_ms(path, BEEP)
    apart = []
    for at in heard:
        near = min(shown, key=lambda picture: abs(picture[0] - at))
        if abs(near[0] - at) < 100:  # pictures stand still there for a loss
            drawn = near[1] + at - near[0]
            apart.append(drawn - round(drawn, -3))
    (first, drawn_first), (last, drawn_last) = shown[0], shown[-1]
    return apart, (last - first) - (drawn_last - drawn_first)


def stamped(path: Path) -> list[tuple[float, int]]:
    now_ms, found = time.time_ns() // 1_000_000, []  # a stamp is modulo 2^32
    for at, frame in pictures(path):
        plane = frame.planes[0]
        stamp = read_stamp(memoryview(plane), frame.width, frame.height, plane.line_size)
        if stamp is not None:
            found.append((at, now_ms - age_ms(stamp, now_ms)))
    return found


def frames_sent(tab) -> int:
    entries = tab.evaluate("() => watch.stats('outbound-rtp')")
    return max(int(entry.get("framesSent", 0)) for entry in entries if entry["kind"] == "video")


def frames_in(path: Path) -> int:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets"]
    show = ["-show_entries", "stream=nb_read_packets", "-of", "json", str(path)]
    found = subprocess.run([*command, *show], capture_output=True, text=True, check=True).stdout
    return int(json.loads(found)["streams"][0]["nb_read_packets"])
