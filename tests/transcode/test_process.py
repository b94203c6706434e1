"""The process itself, over its socket: real frames in, pictures out, and what it denies itself."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveserver.transcode.wire import (
    Decoder,
    Forget,
    Frame,
    Lost,
    Message,
    Picture,
    Ready,
    WantKeyframe,
    encode,
)
from tests.drivers.server import REPOSITORY
from tests.transcode.media import Camera, numbers

FUZZ = REPOSITORY / "../shared/data/fuzz"
OTHER = {"h264": "vp8", "vp8": "h264"}


class Process:
    """One transcode process; `ask` sends messages, `next` waits for one."""

    def __init__(self) -> None:
        self.link, theirs = socket.socketpair()
        self.link.settimeout(20)
        command = [sys.executable, "-m", "liveserver.transcode", "1000000"]
        with theirs:
            self.process = subprocess.Popen(command, stdin=theirs.fileno(), cwd=REPOSITORY)
        self._decoder = Decoder()
        self._heard: list[Message] = []

    def ask(self, *messages: Message) -> None:
        self.link.sendall(b"".join(map(encode, messages)))

    def next(self) -> Message:
        while not self._heard:
            data = self.link.recv(65_536)
            assert data, f"it ended with {self.process.wait(5)}"
            self._heard += self._decoder.feed(data)
        return self._heard.pop(0)

    def transcode(self, frames: list[Frame]) -> list[Picture]:
        """One after the other, as in real time: each is answered."""
        pictures = []
        for frame in frames:
            self.ask(frame)
            picture = self.next()
            assert isinstance(picture, Picture)
            pictures.append(picture)
        return pictures

    def close(self) -> None:
        self.link.close()
        self.process.kill()
        self.process.wait(5)


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    assert made.next() == Ready()
    yield made
    made.close()


class TestTheProcess:
    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    def test_shows_what_it_is_fed_in_the_other_codec(self, process, codec):
        pictures = process.transcode(Camera(codec).take(30))
        assert numbers(pictures, OTHER[codec]) == list(range(30))

    def test_camera_and_screen_side_by_side(self, process):
        camera, screen = Camera("h264"), Camera("h264", 640, 360)
        made: dict[str, list[Picture]] = {"camera": [], "screen": []}
        for _ in range(10):
            made["camera"] += process.transcode(camera.take(1))
            made["screen"] += process.transcode(screen.take(1, "screen"))
        assert numbers(made["camera"], "vp8") == numbers(made["screen"], "vp8") == list(range(10))

    def test_makes_a_keyframe_when_asked(self, process):
        camera = Camera("h264")
        process.transcode(camera.take(20))
        process.ask(WantKeyframe("camera"))
        assert process.transcode(camera.take(1))[0].keyframe

    def test_a_burst_is_answered_with_its_end(self, process):
        frames = Camera("h264").take(100)
        process.ask(*frames)
        while (picture := process.next()).timestamp != frames[-1].timestamp:
            assert isinstance(picture, Picture)
        assert picture.payloads

    def test_says_when_it_needs_a_keyframe_and_goes_on_with_it(self, process):
        camera = Camera("vp8")
        process.transcode(camera.take(3))
        process.ask(Frame("camera", "vp8", False, 0xBEEF, camera.take(1)[0].timestamp, b"\xff\xff\xff"))
        assert process.next() == Lost("camera")
        process.ask(*camera.take(46))  # up to the next keyframe: nothing to show
        assert process.transcode(camera.take(2))[0].keyframe

    def test_forgets_a_track_and_takes_it_up_again(self, process):
        camera = Camera("h264")
        process.transcode(camera.take(5))
        process.ask(Forget("camera"))
        again = Camera("h264").take(2)
        assert process.transcode(again)[0].keyframe

    def test_ends_by_itself_when_the_node_is_gone(self, process):
        process.link.shutdown(socket.SHUT_RDWR)
        assert process.process.wait(10) == 0

    @pytest.mark.parametrize("stream", [b"\0\0\0\0", b"\0\0\0\1\x10"], ids=["nonsense", "a node's ready"])
    def test_ends_when_what_comes_makes_no_sense(self, process, stream):
        process.link.sendall(stream)
        assert process.process.wait(10) == 2


class TestHostileFrames:
    """Files that broke decoders elsewhere: the process may say that it is lost, and goes on."""

    @pytest.mark.parametrize("folder", ["h264", "rtp", "mp4", "image"])
    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    def test_the_corpora(self, process, folder, codec):
        if not (FUZZ / folder).is_dir():
            pytest.skip(f"no corpus ../shared/data/fuzz/{folder} beside the checkout")
        files = [path for path in sorted((FUZZ / folder).iterdir()) if 0 < path.stat().st_size < 500_000]
        assert files
        for number, path in enumerate(files):
            process.ask(Frame("screen", codec, True, 1, number * 3600, path.read_bytes()))
        camera = Camera(codec)
        process.ask(*camera.take(1))
        while not isinstance(message := process.next(), Picture) or message.track != "camera":
            assert isinstance(message, Lost | Picture)
        assert numbers([message], OTHER[codec]) == [0]


class TestWhatItDeniesItself:
    """The same calls in a process of the test's own, after the same `confine`."""

    @pytest.mark.parametrize(
        "deed",
        [
            "open('/etc/hostname')",
            "os.open('x', os.O_CREAT | os.O_WRONLY)",
            "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
            "socket.socketpair()",
            "os.fork()",
            "os.execv('/bin/true', ['true'])",
            "os.kill(os.getppid(), 0)",
            "os.unlink('x')",
            "os.dup(0)",
            "threading.Thread(target=print).start()",
            "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
        ],
    )
    def test_is_refused(self, deed, tmp_path):
        code = (
            "import os, resource, socket, threading\n"
            "from liveserver.confined.sandbox import confine\n"
            "confine()\n"
            f"try:\n    {deed}\nexcept (OSError, RuntimeError, ValueError):\n    os._exit(7)\nos._exit(1)\n"
        )
        assert ran(code, tmp_path) == 7

    def test_more_memory_than_it_has(self, tmp_path):
        code = (
            "import os\nfrom liveserver.confined.sandbox import confine\nconfine()\n"
            "try:\n    bytes(1 << 31)\nexcept MemoryError:\n    os._exit(7)\nos._exit(1)\n"
        )
        assert ran(code, tmp_path) == 7


def ran(code: str, folder: Path) -> int:
    """The exit code of a Python that runs `code`."""
    environment = {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=environment, timeout=20, check=False).returncode
