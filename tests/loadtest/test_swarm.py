"""The swarm as its users run it, against the real server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

import pytest

from tests.drivers.process import end, spawn
from tests.drivers.server import REPOSITORY, Lesson, Server

SWARM = [sys.executable, "-m", "loadtest.swarm"]


def run(url: str, *options: str, tokens: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """To its end, with `tokens` on standard input."""
    given = [] if tokens is None else ["--tokens", "-", "--viewers", str(len(tokens))]
    ran = subprocess.run(
        [*SWARM, url, *given, *options],
        input="\n".join(tokens or []),
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=90,
        check=False,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


def swarm(server: Server, lesson: Lesson, tokens: list[str], *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of a run with a viewer for each token."""
    ran = run(server.whep_url(lesson), "--json", *options, tokens=tokens)
    return ran.returncode, json.loads(ran.stdout)


@pytest.fixture
def broadcast(lesson: Lesson) -> tuple[str, ...]:
    return ("--publish", lesson.tokens["instructor"], "--seconds", "3", "--settle", "0.5")


class TestARun:
    def test_all_join_and_every_packet_is_counted(self, server, lesson, broadcast):
        code, report = swarm(server, lesson, server.more_tokens(lesson, 5), *broadcast)
        assert code == 0
        assert (report["joined"], report["failed"], report["gone"]) == (5, {}, {})
        assert report["profiles"] == {"AEAD_AES_128_GCM": 5}
        measured, total = report["measured"], report["total"]
        # 25 pictures a second of 4 or 5 packets, 50 packets of sound.
        assert measured["video_packets"] > 5 * 3 * 25 * 3
        assert 5 * 3 * 40 < measured["audio_packets"] < 5 * 3 * 60
        for fault in ("lost", "audio_lost", "missing", "discarded", "unauthentic", "malformed", "unknown"):
            assert total[fault] == 0, fault
        assert report["first_picture_ms"]["p50"] > 0
        assert measured["latency_us"]["p50"] > 0
        assert measured["picture_ms"]["p99"] > 0

    def test_what_is_thrown_away_is_repaired_by_rtx(self, server, lesson, broadcast):
        code, report = swarm(server, lesson, server.more_tokens(lesson, 4), *broadcast, "--loss", "0.1")
        total = report["total"]
        assert code == 0
        assert total["discarded"] > 50
        assert total["nacked"] > 0
        assert total["repaired"] > 50
        assert total["lost"] < total["repaired"] / 5

    def test_a_lesson_without_a_broadcast_has_viewers_without_packets(self, server, lesson):
        options = ("--seconds", "0.2", "--settle", "0")
        code, report = swarm(server, lesson, server.more_tokens(lesson, 2), *options)
        assert (code, report["joined"], report["total"]["packets"]) == (0, 2, 0)
        assert report["first_picture_ms"] is None

    def test_a_table_is_printed_for_people(self, server, lesson):
        (token,) = server.more_tokens(lesson, 1)
        ran = run(server.whep_url(lesson), "--seconds", "0.1", tokens=[token])
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.splitlines()[1].split() == ["joined", "1"]
        assert ran.stderr == ""  # no progress bar but on a terminal


class TestWhatGoesWrong:
    def test_a_bad_token_is_reported_with_the_servers_words(self, server, lesson):
        code, report = swarm(server, lesson, ["nonsense", "nonsense"], "--seconds", "1")
        assert (code, report["joined"]) == (1, 0)
        ((why, count),) = report["failed"].items()
        assert "401" in why
        assert "token_invalid" in why
        assert count == 2

    def test_a_publisher_that_is_refused_ends_the_run(self, server, lesson):
        tokens = server.more_tokens(lesson, 1)
        ran = run(server.whep_url(lesson), "--publish", "nonsense", tokens=tokens)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "HTTP 401" in ran.stderr

    def test_too_few_tokens_are_misuse(self, server, lesson):
        ran = run(server.whep_url(lesson), "--viewers", "3", tokens=["one"])
        assert ran.returncode == 2
        assert "1 tokens for 3 viewers" in ran.stderr

    def test_nobody_listening_is_reported(self):
        with socket.socket() as taken:  # bound, so that it is nobody else's, and not listening
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/whep/x"
            ran = run(url, "--viewers", "2", "--json")
        assert ran.returncode == 1
        assert sum(json.loads(ran.stdout)["failed"].values()) == 2

    def test_a_server_that_goes_is_reported_and_ends_the_run(self, own_server, tmp_path):
        lesson = own_server.demo
        (tmp_path / "tokens").write_text("\n".join(own_server.more_tokens(lesson, 3)))
        out, log = tmp_path / "report", tmp_path / "swarm.log"
        options = ["--tokens", tmp_path / "tokens", "--viewers", "3", "--seconds", "60", "--json"]
        publish = ["--publish", own_server.token("instructor")]
        with out.open("wb") as file:
            command = [*SWARM, own_server.whep_url(lesson), *options, *publish]
            process = spawn(command, log=log, stdout=file.fileno(), cwd=REPOSITORY)
            try:
                own_server.wait_lesson(lesson, viewers=3, publishing=True)
                own_server.kill()
                assert process.wait(40) == 1
            finally:
                end(process)
        report = json.loads(out.read_text())
        assert report["joined"] == 3
        assert sum(report["gone"].values()) == 3
