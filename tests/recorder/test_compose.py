"""The composed picture: what stands at a moment, and where it goes on the canvas."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import pytest

from recorder.compose import Box, Composer, Source, fit


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures a second from 1 to 3 s and from 30 to 32 s."""
    path = tmp_path_factory.mktemp("compose") / "screen.mp4"
    times = "setpts='if(lt(N,10),1+N/5,28+N/5)/TB'"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=5:d=4", "-vf", times]
    command += ["-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-bf", "0"]
    subprocess.run([*command, str(path)], check=True)
    return path


def standing(path: Path, *moments_ms: int, from_ms: int = 0) -> list[bool]:
    source = Source(path, 0, from_ms)
    shown = [source.at(at) is not None for at in moments_ms]
    source.close()
    return shown


class TestSource:
    def test_nothing_stands_before_the_first_picture(self, interrupted: Path) -> None:
        assert standing(interrupted, 0, 960, 1000, 1100) == [False, False, True, True]

    def test_a_picture_that_nothing_follows_for_long_is_gone(self, interrupted: Path) -> None:
        assert standing(interrupted, 2800, 2920, 15_000, 29_960, 30_000) == [True, False, False, False, True]

    def test_after_the_last_one_it_stays_a_while(self, interrupted: Path) -> None:
        assert standing(interrupted, 31_900, 40_000, 46_700, 46_900) == [True, True, True, False]

    @pytest.mark.parametrize(("from_ms", "there"), [(2000, True), (10_000, False), (31_000, True)])
    def test_a_chapter_may_begin_anywhere(self, interrupted: Path, from_ms: int, there: bool) -> None:
        assert standing(interrupted, from_ms, from_ms=from_ms) == [there]


class TestComposer:
    @pytest.mark.parametrize(
        ("size", "box"),
        [
            ((1920, 1080), Box(0, 0, 1280, 720)),
            ((640, 480), Box(160, 0, 960, 720)),
            ((720, 1280), Box(438, 0, 404, 720)),
            ((1280, 640), Box(0, 40, 1280, 640)),
        ],
    )
    def test_bars_and_no_stretch(self, size: tuple[int, int], box: Box) -> None:
        found = fit(*size, Box(0, 0, 1280, 720))
        assert found == box
        assert all(value % 2 == 0 for value in (found.x, found.y, found.width, found.height))

    def test_what_did_not_change_is_not_drawn_again(self) -> None:
        composer = Composer(1280, 720)
        screen, camera = av.VideoFrame(1920, 1080, "yuv420p"), av.VideoFrame(640, 480, "yuv420p")
        first = composer.draw(screen, camera)
        assert (first.width, first.height) == (1280, 720)
        assert composer.draw(screen, camera) is first
        assert composer.draw(screen, av.VideoFrame(640, 480, "yuv420p")) is not first

    def test_with_nothing_left_the_last_picture_stands_still(self) -> None:
        composer = Composer(1280, 720)
        shown = composer.draw(None, av.VideoFrame(640, 480, "yuv420p"))
        assert composer.draw(None, None) is shown
