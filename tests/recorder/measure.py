"""What a finished file is, asked of ffprobe, ffmpeg and a decoder: never of the recorder itself."""

from __future__ import annotations

import array
import json
import subprocess
from pathlib import Path
from typing import Any

import av


def probe(path: Path) -> dict[str, Any]:
    """ffprobe's streams and format; fails on any complaint."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "", done.stderr
    return dict(json.loads(done.stdout))


def streams(path: Path) -> list[tuple[str, str]]:
    return [(s["codec_type"], s["codec_name"]) for s in probe(path)["streams"]]


def duration_s(path: Path) -> float:
    return float(probe(path)["format"]["duration"])


def assert_decodes(path: Path) -> None:
    """Every frame of every track decodes without a word from ffmpeg."""
    done = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-xerror",
            "-i",
            str(path),
            "-map",
            "0",
            "-fps_mode",
            "passthrough",
            "-enc_time_base",
            "-1",
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def pictures(path: Path, number: int = 0) -> list[tuple[float, av.VideoFrame]]:
    """(ms, picture) of one video track, in presentation time."""
    with av.open(str(path)) as container:
        stream = container.streams.video[number]
        return [(float(f.pts * f.time_base) * 1000, f) for f in container.decode(stream)]


def flashes_ms(path: Path, number: int = 0) -> list[float]:
    """When the picture turns white."""
    found, before = [], False
    for at_ms, frame in pictures(path, number):
        on = bytes(frame.planes[0])[frame.planes[0].line_size * (frame.height // 2) + frame.width // 2] > 128
        if on and not before:
            found.append(at_ms)
        before = on
    return found


def samples(path: Path) -> array.array[int]:
    """The left channel as a player would play it, 48 kHz, from time 0."""
    done = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(path),
            "-map",
            "0:a:0",
            "-af",
            "pan=mono|c0=c0",
            "-ar",
            "48000",
            "-f",
            "s16le",
            "-",
        ],
        capture_output=True,
        check=True,
    )
    return array.array("h", done.stdout)


def beeps_ms(path: Path, loud: int = 3000) -> list[float]:
    """When a tone begins: the first loud sample after 200 ms of quiet."""
    found, quiet = [], 200 * 48
    for number, value in enumerate(samples(path)):
        if abs(value) > loud:
            if quiet >= 200 * 48:
                found.append(number / 48)
            quiet = 0
        else:
            quiet += 1
    return found


def boxes(path: Path) -> list[str]:
    """Names of the top-level boxes, in order."""
    names, at, data = [], 0, path.read_bytes()
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8].decode("latin-1"))
        at += int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
    assert at == len(data)
    return names
