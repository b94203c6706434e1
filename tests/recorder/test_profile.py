"""`liveserver recording check`: each clause of the course format, on files ffmpeg made."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from liveserver.cli import main
from recorder.profile import examine

GOOD = {
    "size": "1280x720",
    "rate": "25",
    "v": "-c:v libx264 -preset ultrafast -b:v 1500k -x264-params nal-hrd=cbr -maxrate 1500k -bufsize 1500k",
    "a": "-c:a aac -ar 48000 -ac 2",
    "name": "file.mp4",
}


def encoded(folder: Path, **changed: str) -> Path:
    """Two seconds of moving pictures and a tone; `changed` overrides GOOD."""
    how = {**GOOD, **changed}
    path = folder / how["name"]
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size={how['size']}:rate={how['rate']}:d=2",
    ]
    command += ["-f", "lavfi", "-i", "sine=d=2", *how["v"].split(), *how["a"].split(), "-shortest", str(path)]
    subprocess.run(command, check=True)
    return path


def missed(path: Path) -> set[str]:
    return {c.clause.removeprefix("REQ-") for c in examine(path).clauses if not c.fits and not c.waived}


class TestClauses:
    def test_a_file_that_fits(self, tmp_path: Path) -> None:
        assert missed(encoded(tmp_path)) == set()

    @pytest.mark.parametrize(
        ("changed", "clauses"),
        [
            ({"v": "-c:v mpeg4 -b:v 1500k -minrate 1500k -maxrate 1500k -bufsize 3M"}, {"P1"}),
            ({"name": "file.mkv"}, {"P1"}),
            ({"name": "file.mov"}, {"P1"}),
            ({"v": "-c:v libx264 -preset ultrafast -b:v 300k"}, {"P2"}),
            ({"size": "640x360"}, {"P3"}),
            ({"size": "720x1280"}, {"P3"}),
            ({"size": "1280x800"}, {"P3"}),
            ({"rate": "30"}, {"P4"}),
            ({"rate": "25", "v": GOOD["v"] + " -vf select='not(eq(mod(n,7),3))' -fps_mode vfr"}, {"P4"}),
            ({"a": "-an"}, {"P7", "P8", "P9", "P10"}),
            ({"a": "-c:a aac -ar 44100 -ac 2"}, {"P8"}),
            ({"a": "-c:a aac -ar 48000 -ac 1"}, {"P10"}),
            ({"a": "-c:a libopus -ac 2"}, {"P7", "P9"}),
        ],
    )
    def test_what_does_not_fit_is_named(
        self, tmp_path: Path, changed: dict[str, str], clauses: set[str]
    ) -> None:
        assert missed(encoded(tmp_path, **changed)) == clauses

    @pytest.mark.parametrize("changed", [{"rate": "30000/1001"}, {"size": "960x720"}, {"size": "1920x1080"}])
    def test_what_else_fits(self, tmp_path: Path, changed: dict[str, str]) -> None:
        assert missed(encoded(tmp_path, **changed)) == set()

    def test_a_file_beyond_one_gigabyte(self, tmp_path: Path) -> None:
        path = encoded(tmp_path)
        with path.open("r+b") as file:  # a box nobody reads, with a hole in it
            file.seek(0, 2)
            file.write((1_000_000_000).to_bytes(4, "big") + b"free")
            file.truncate(1_000_100_000)
        assert "P5" in missed(path)


class TestCommand:
    def test_exits_with_0_when_it_fits(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["recording", "check", str(encoded(tmp_path))]) == 0
        out = capsys.readouterr().out
        assert "REQ-P4   yes     25 or 29.97 pictures/s, constant: 25 pictures/s, constant" in out
        assert "REQ-P9   waived" in out

    def test_exits_with_1_when_not_and_says_so_in_json(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["recording", "check", "--json", str(encoded(tmp_path, rate="30"))]) == 1
        report = json.loads(capsys.readouterr().out)
        assert not report["fits"]
        (clause,) = [c for c in report["clauses"] if not c["fits"] and not c["waived"]]
        assert clause["clause"] == "REQ-P4"
        assert clause["found"].startswith("30.00 pictures/s, constant")

    def test_waives_nothing_when_strict(self, tmp_path: Path) -> None:
        assert main(["recording", "check", "--strict", str(encoded(tmp_path))]) == 1

    def test_takes_anything_for_a_file(self, tmp_path: Path) -> None:
        for name, data in {"empty.mp4": b"", "text.mp4": b"no media\n" * 99, "half.mp4": bytes(4096)}.items():
            (tmp_path / name).write_bytes(data)
            assert main(["recording", "check", str(tmp_path / name)]) == 1

    def test_exits_with_2_for_no_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["recording", "check", str(tmp_path / "none.mp4")]) == 2
        assert main(["recording", "check", str(tmp_path)]) == 2
        assert "cannot read" in capsys.readouterr().err
        with pytest.raises(SystemExit) as ended:
            main(["recording", "check"])
        assert ended.value.code == 2
