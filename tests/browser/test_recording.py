"""After "end" there is a file that plays, and everybody who hashes it gets what the server says."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser.classroom import by_testid
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server, request


def sealed_recording(server: Server, lesson: Lesson, *, timeout_s: float = 30) -> dict[str, Any]:
    """The lesson's only recording, once it is sealed; a failed one fails the test at once."""

    def look() -> dict[str, Any] | None:
        items = server.api("GET", f"/lessons/{lesson.id}/recordings").json["items"]
        assert all(item["state"] != "failed" for item in items), items
        return items[0] if [item["state"] for item in items] == ["sealed"] else None

    return until(look, "a sealed recording", timeout_s=timeout_s)


def download(recording: dict[str, Any], to: Path) -> Path:
    reply = request("GET", recording["url"], timeout_s=30)
    assert reply.status == 200, reply.status
    to.write_bytes(reply.body)
    return to


def ffprobe(path: Path) -> dict[str, Any]:
    """Streams and format; any complaint of ffprobe's about the file is a failure."""
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return json.loads(run.stdout)


def decode_errors(path: Path) -> str:
    """What ffmpeg says when it decodes every frame; "" is a file without a flaw."""
    # In the file's own time base: a browser on a busy machine sends frames closer than its average rate.
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-enc_time_base", "-1", "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def check(server: Server, lesson: Lesson, recording: dict[str, Any], path: Path) -> dict[str, Any]:
    """The downloaded file is the one the API describes, and it plays; ffprobe's findings."""
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == recording["sha256"]
    assert len(content) == recording["size"]
    found = ffprobe(path)
    assert sorted(stream["codec_name"] for stream in found["streams"]) == ["aac", "h264"]
    assert decode_errors(path) == ""
    duration_s = float(found["format"]["duration"])
    assert duration_s == pytest.approx(recording["duration_ms"] / 1000, abs=0.1)
    return found


class TestARecordedLesson:
    def test_the_file_is_sealed_plays_and_has_the_hash_the_server_tells(self, classroom, tmp_path):
        teacher = classroom.teach()
        learner = classroom.learn()
        learner.wait_moving()
        learner.wait_frames(150, timeout_s=20)
        classroom.end(teacher)
        recording = sealed_recording(classroom.server, classroom.lesson)
        path = download(recording, tmp_path / "lesson.mp4")
        check(classroom.server, classroom.lesson, recording, path)
        teacher.wait_text("main", recording["sha256"], timeout_s=15)
        teacher.click(by_testid("watch-recording"))
        teacher.wait_sees(by_testid("watermark"))

    def test_its_length_is_the_lessons_to_half_a_second(self, server: Server, lesson: Lesson, tmp_path):
        """Against the publisher's own clock: the time codes in the first and last picture of the file."""
        with pattern_publisher(tmp_path, server.whip_url(lesson), lesson.tokens["instructor"]) as publisher:
            publisher.wait("publishing")
            server.wait_lesson(lesson, state="live", publishing=True)
            publisher.wait("progress", frames=200)
            server.api("POST", f"/lessons/{lesson.id}/end", {}, role="admin")
        recording = sealed_recording(server, lesson)
        path = download(recording, tmp_path / "lesson.mp4")
        found = check(server, lesson, recording, path)
        first_ms, last_ms = stamped_span_ms(path)
        assert float(found["format"]["duration"]) == pytest.approx((last_ms - first_ms) / 1000, abs=0.5)

    def test_the_address_answers_ranges_and_only_while_it_is_signed(self, server: Server, lesson, tmp_path):
        with pattern_publisher(tmp_path, server.whip_url(lesson), lesson.tokens["instructor"]) as publisher:
            publisher.wait("publishing")
            publisher.wait("progress", frames=75)
            server.api("POST", f"/lessons/{lesson.id}/end", {}, role="admin")
        recording = sealed_recording(server, lesson)
        part = request("GET", recording["url"], headers={"Range": "bytes=4-7"})
        assert (part.status, part.body) == (206, b"ftyp")
        assert part.headers["Content-Range"] == f"bytes 4-7/{recording['size']}"
        bare, _, signed = recording["url"].partition("?")
        assert request("GET", bare).status in (400, 401, 403)
        assert request("GET", f"{bare}?{signed[:-4]}AAAA").status in (401, 403)

    def test_the_inspector_sees_the_hash_and_checks_the_file_in_the_page(self, classroom, tmp_path):
        server, lesson = classroom.server, classroom.lesson
        with pattern_publisher(tmp_path, server.whip_url(lesson), lesson.tokens["instructor"]) as publisher:
            publisher.wait("publishing")
            publisher.wait("progress", frames=75)
            server.api("POST", f"/lessons/{lesson.id}/end", {}, role="admin")
        recording = sealed_recording(server, lesson)
        inspector = classroom.open("inspect")
        inspector.click('[role="tab"]:nth-of-type(3)')
        inspector.wait_sees(f'[title="{recording["sha256"]}"]')


class TestAVp8Lesson:
    def test_it_is_transcoded_once_to_the_same_kind_of_file(self, server: Server, lesson: Lesson, tmp_path):
        url, token = server.whip_url(lesson), lesson.tokens["instructor"]
        with pattern_publisher(tmp_path, url, token, codec="vp8") as publisher:
            publisher.wait("publishing")
            publisher.wait("progress", frames=100)
            server.api("POST", f"/lessons/{lesson.id}/end", {}, role="admin")
        recording = sealed_recording(server, lesson, timeout_s=60)
        check(server, lesson, recording, download(recording, tmp_path / "lesson.mp4"))


def stamped_span_ms(path: Path) -> tuple[int, int]:
    """When the first and the last picture of the file were drawn, from their time codes (modulo 2^32)."""
    import av

    from loadtest.pattern import read_stamp

    stamps = []
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            plane = frame.planes[0]
            stamps.append(read_stamp(memoryview(plane), frame.width, frame.height, plane.line_size))
    assert None not in stamps, f"{stamps.count(None)} of {len(stamps)} pictures are damaged"
    assert stamps == sorted(stamps)
    return stamps[0], stamps[-1]
