"""Chapter hints: where nobody speaks and where the slide changes, on media ffmpeg made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.speech import BLOCK, Loudness, Silero

from .process import REPOSITORY


def hints(path: Path, *tracks: str, model: str = "") -> tuple[int, dict[str, list]]:
    done = subprocess.run(
        [sys.executable, "-m", "recorder.hints"],
        input=json.dumps({"source": str(path), "tracks": tracks, "model": model}),
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def ffmpeg(*arguments: str) -> bytes:
    return subprocess.run(["ffmpeg", "-v", "error", *arguments], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds: the slide turns from white to black at 4 s, a pause in the tone from 3 to 5 s."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    slide = ["-f", "lavfi", "-i", "color=c=white:s=320x180:r=25:d=4"]
    slide += ["-f", "lavfi", "-i", "color=c=black:s=320x180:r=25:d=4"]
    tone = ["-f", "lavfi", "-i", "aevalsrc='if(between(t,3,5),0,0.5*sin(2*PI*440*t))':d=8:s=48000"]
    ffmpeg(*slide, *tone, "-filter_complex", "[0][1]concat=n=2[v]", "-map", "[v]", "-map", "2:a",
           "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac", str(path))  # fmt: skip
    return path


class TestHints:
    def test_a_pause_and_a_change_of_slide_are_found(self, talk: Path) -> None:
        code, found = hints(talk, "screen")
        assert code == 0
        assert found["slides"] == [4000]
        ((start, end),) = found["silences"]
        assert (start, end) == pytest.approx((3000, 5000), abs=70)

    def test_a_camera_has_no_slides(self, talk: Path) -> None:
        assert hints(talk, "camera")[1]["slides"] == []

    def test_what_cannot_be_read_ends_with_3(self, tmp_path: Path) -> None:
        (tmp_path / "no.mp4").write_bytes(b"no media")
        assert hints(tmp_path / "no.mp4")[0] == 3

    def test_an_unknown_model_is_refused(self, talk: Path, tmp_path: Path) -> None:
        (tmp_path / "model.onnx").write_bytes(b"anything")
        assert hints(talk, model=str(tmp_path / "model.onnx"))[0] == 3


def share(detector: Loudness | Silero, source: str) -> float:
    """The part of a sound that counts as speech."""
    sound = ffmpeg("-f", "lavfi", "-i", source, "-ar", "16000", "-ac", "1", "-f", "s16le", "-")
    blocks = [sound[at : at + 2 * BLOCK] for at in range(0, len(sound) - 2 * BLOCK, 2 * BLOCK)]
    return sum(map(detector.is_speech, blocks)) / len(blocks)


class TestSpeech:
    def test_loudness_tells_silence_from_sound_and_nothing_else(self) -> None:
        assert share(Loudness(), "anullsrc=d=2") == 0
        assert share(Loudness(), "anoisesrc=d=2:a=0.2:c=pink") > 0.9

    def test_the_model_tells_speech_from_noise(self) -> None:
        model = REPOSITORY / "models" / "weights" / "silero_vad_16k_op15.onnx"
        assert model.exists(), "run `make models`"
        voice = "flite=text='Good morning everybody. Today we speak about safety at work.'"
        assert share(Silero(model), voice) > 0.5
        assert share(Silero(model), "anoisesrc=d=4:a=0.2:c=pink") < 0.05
