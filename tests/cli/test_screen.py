"""`liveserver screen chat`: a line in, a JSON line out, whatever the bytes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LABELS = {"benign", "porn", "gambling", "drugs", "fraud", "illicit_ad", "abuse", "violence", "sensitive"}
ACTIONS = {"allow", "log", "warn", "hide", "mute", "blank", "pause", "cut"}


def screen(data: bytes, *arguments: str) -> tuple[int, list[dict]]:
    command = [sys.executable, "-m", "liveserver", "screen", *(arguments or ("chat",))]
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.decode().splitlines()]


class TestLines:
    @pytest.fixture(scope="class")
    @classmethod
    def answers(cls):
        lines = ["老师好", "加-薇-信 看片加群", "", "代刷学时，人脸代过", "\u2028\0\t", "a" * 1_000_000]
        data = "\n".join(lines).encode() + b"\r\n\xff\xfe\x80 hello\n" + "没有换行".encode()
        code, answers = screen(data)
        assert code == 0
        return [*lines, "\ufffd\ufffd\ufffd hello", "没有换行"], answers

    def test_each_has_one_answer_in_order(self, answers):
        lines, found = answers
        assert [answer["text"] for answer in found] == lines

    def test_each_answer_has_exactly_these_fields(self, answers):
        for answer in answers[1]:
            assert list(answer) == ["text", "label", "score", "action", "why"]
            assert answer["label"] in LABELS
            assert answer["action"] in ACTIONS
            assert 0 <= answer["score"] <= 1
            assert all(isinstance(reason, str) for reason in answer["why"])

    def test_what_is_wrong_is_hidden_and_said_why(self, answers):
        assert [(a["label"], a["action"]) for a in answers[1][:4]] == [
            ("benign", "allow"),
            ("porn", "hide"),
            ("benign", "allow"),
            ("fraud", "hide"),
        ]
        assert "word 看片加群" in answers[1][1]["why"]


class TestCalling:
    def test_nothing_to_read_is_no_failure(self):
        assert screen(b"") == (0, [])

    def test_a_kind_has_to_be_named(self):
        assert screen(b"", "nothing") == (2, [])
