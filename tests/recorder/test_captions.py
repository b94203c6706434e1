"""Captions: a program of the operator's writes them; what it prints is read strictly and written anew."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.captions import MAX_BYTES, Cue, parse, recognised, webvtt
from recorder.child import StoppedError

from .measure import probe
from .process import recorder
from .test_versions import lesson, made

HOUR = 3_600_000


def program(folder: Path, script: str) -> str:
    path = folder / "recognise"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return str(path)


class TestReading:
    def test_cues_come_by_their_time_without_markup_notes_or_positions(self):
        data = b"""\xef\xbb\xbfWEBVTT - by a model
Language: zh

STYLE
::cue { color: red }

NOTE not shown

second
00:01:00.000 --> 00:01:02.500 align:start position:0%
<v Wang>a &lt; b &amp;
<i>twice</i>

00:05.000 --> 00:07.000
Hello

00:08.000 --> 00:09.000
"""
        assert parse(data, HOUR) == [Cue(5_000, 7_000, "Hello"), Cue(60_000, 62_500, "a < b &\ntwice")]

    def test_what_lies_beyond_the_recording_is_cut_off(self):
        data = b"WEBVTT\n\n00:00.500 --> 00:09.000\na\n\n00:02.000 --> 00:03.000\nb\n"
        assert parse(data, 1_000) == [Cue(500, 1_000, "a")]

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"1\n00:00:01,000 --> 00:00:02,000\nSubRip\n",
            b"WEBVTT\n\n00:61.000 --> 00:62.000\nno such second\n",
            b"WEBVTT\n\n-->\n",
            b"WEBVTT\n\n\xff\xfe",
        ],
    )
    def test_anything_else_is_refused(self, data: bytes):
        with pytest.raises(ValueError):
            parse(data, HOUR)

    @given(
        st.lists(
            st.builds(
                lambda at, length, text: Cue(at, at + length, text.strip()),
                st.integers(0, HOUR),
                st.integers(1, 10_000),
                st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1),
            ),
            max_size=20,
        )
    )
    def test_what_is_written_reads_back(self, cues: list[Cue]):
        cues.sort(key=lambda cue: (cue.from_ms, cue.to_ms))
        assert parse(webvtt(cues).encode(), 2 * HOUR) == cues


class TestTheProgram:
    def test_gets_the_file_and_none_of_our_secrets(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("RECORDER_S3_SECRET_KEY", "secret")
        said = recognised(program(tmp_path, 'echo "$1"; env'), tmp_path / "a.mp4", threading.Event())
        assert said.startswith(bytes(tmp_path / "a.mp4"))
        assert b"secret" not in said

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("exit 3", "exit 3"),
            (f"head -c {MAX_BYTES + 1} /dev/zero; exec cat /dev/zero", "more than 4 MiB"),
            ("echo WEBVTT; exec tail -f /dev/null", "longer than"),
            ("exec >&-; exec sleep 3600", "went on"),
        ],
    )
    def test_is_ended_with_a_reason(self, tmp_path: Path, script: str, reason: str):
        with pytest.raises(ValueError, match=reason):
            recognised(program(tmp_path, script), tmp_path, threading.Event(), longest_s=1.0)

    def test_takes_what_it_started_along(self, tmp_path: Path):
        script = f"tail -f /dev/null & echo $! > {tmp_path}/pid; exit 0"
        with pytest.raises(ValueError, match="longer than"):  # the child holds the output open
            recognised(program(tmp_path, script), tmp_path, threading.Event(), longest_s=1.0)
        left = int((tmp_path / "pid").read_text())
        until = time.monotonic() + 5
        while Path(f"/proc/{left}/stat").exists() and time.monotonic() < until:
            if Path(f"/proc/{left}/stat").read_text().split()[2] == "Z":
                break
            os.sched_yield()
        else:
            assert not Path(f"/proc/{left}").exists()

    def test_does_not_hold_up_the_recorders_end(self, tmp_path: Path):
        stop = threading.Event()
        stop.set()
        with pytest.raises(StoppedError):
            recognised(program(tmp_path, "exec tail -f /dev/null"), tmp_path, stop)


class TestASealedRecording:
    def test_has_them_beside_it_and_in_the_chain(self, tmp_path: Path):
        script = 'test -s "$1" && printf "WEBVTT\\n\\n00:01.000 --> 00:02.000\\n<b>Guten Tag\\n"'
        lines = asyncio.run(recorded(tmp_path, program(tmp_path, script)))
        (line,) = [line for line in lines if line["type"] == "captions"]
        path = tmp_path / "data/objects" / line["key"]
        assert path.read_text() == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nGuten Tag\n"
        assert (line["program"], line["cues"], line["size"]) == ("recognise", 1, path.stat().st_size)
        (track,) = probe(path)["streams"]
        assert track["codec_name"] == "webvtt"

    def test_goes_without_where_the_program_fails(self, tmp_path: Path):
        lines = asyncio.run(recorded(tmp_path, program(tmp_path, "exit 1")))
        assert [line["type"] for line in lines[-2:]] == ["captions_failed", "versions_done"]
        assert (lines[-2]["program"], lines[-2]["reason"]) == ("recognise", "exit 1")


async def recorded(home: Path, name: str) -> list[dict[str, object]]:
    async with recorder(home, "--versions", "web", "--captions", name) as (process, node):
        return await made(process, node, lesson())
