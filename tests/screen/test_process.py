"""The process itself, over its socket: what it says of real frames, survives, and denies itself."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from liveserver.core.screening import Category, Kind, Mode, Rule
from liveserver.screen.wire import (
    Alive,
    Close,
    Decoder,
    Done,
    Found,
    Frame,
    Looked,
    Lost,
    Message,
    Open,
    Passed,
    Ready,
    Refused,
    encode,
)
from models import cards
from models.errors import ModelError
from tests.drivers.server import REPOSITORY
from tests.screen import bombs, magenta
from tests.screen.media import Camera, opened

FUZZ = REPOSITORY / "../shared/data/fuzz"


class Process:
    """One screen process; `ask` sends messages, `next` waits for one."""

    def __init__(self, folder: Path | None):
        self.link, theirs = socket.socketpair()
        self.link.settimeout(30)
        command = [sys.executable, "-m", "liveserver.screen", "320", *([str(folder)] if folder else [])]
        with theirs:
            self.process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=REPOSITORY,
            )
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

    def look(self, *frames: Frame) -> list[Message]:
        """One after the other, as in real time; all that came of them, without Done, nor what is still said
        of an earlier test's lane."""
        said: list[Message] = []
        for frame in frames:
            self.ask(frame)
            while not isinstance(message := self.next(), Done):
                if getattr(message, "lane", frame.lane) == frame.lane:
                    said.append(message)
            assert (message.lane, message.number) == (frame.lane, frame.number)
        return said

    def close(self) -> None:
        self.link.close()
        self.process.kill()
        self.process.communicate(timeout=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return magenta.folder(tmp_path_factory.mktemp("magenta"))


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[Process]:
    made = Process(folder)
    ready = made.next()
    assert isinstance(ready, Ready)
    assert set(ready.models) == {"open-nsfw", "magenta"}
    yield made
    made.close()


_lanes = iter(range(1, 1_000))


@pytest.fixture
def process(shared: Process) -> Iterator[Process]:
    """Loading the models takes a second: one process for tests that do not end it."""
    yield shared
    assert shared.process.poll() is None


@pytest.fixture
def lane() -> int:
    return next(_lanes)


class TestTheProcess:
    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    def test_finds_what_the_operator_s_model_knows(self, process, lane, codec):
        process.ask(opened(Mode.SCREENED, lane))
        said = process.look(*Camera(codec, lane, painted=lambda number: number >= 20).take(40))
        (found,) = (message for message in said if isinstance(message, Found))
        assert found.number == 20
        assert set(found.models) == {"open-nsfw", "magenta"}
        passed = {n for m in said if isinstance(m, Passed) for n in range(m.first, m.last + 1)}
        assert max(passed) < 20
        assert process.look(*Camera(lane=next(_lanes)).take(1)) == [], "a lane that nobody opened"

    def test_two_lessons_do_not_mix(self, process):
        lanes = next(_lanes), next(_lanes)
        cameras = [Camera(lane=lane, painted=lambda _, lane=lane: lane == lanes[1]) for lane in lanes]
        process.ask(*(opened(lane=lane) for lane in lanes))
        said = [m for _ in range(20) for camera in cameras for m in process.look(*camera.take(1))]
        assert {message.lane for message in said if isinstance(message, Found)} == {lanes[1]}

    def test_looks_at_the_last_picture_once_nothing_more_comes(self, process, lane):
        process.ask(opened(Mode.SCREENED, lane))
        frames = list(Camera(lane=lane, begins_ms=0).take(13))
        said = process.look(*frames)
        passed = [m.last for m in said if isinstance(m, Passed)]
        if passed[-1] < 13:
            while not isinstance(message := process.next(), Passed):
                assert isinstance(message, Looked)
            assert message.last == 13

    def test_reads_a_slide_between_frames(self, process, lane):
        rule = Rule(Kind.TEXT, Category.SENSITIVE, 1.0, "log")
        process.ask(replace(opened(lane=lane), rules=(rule,)))
        process.ask(*Camera(lane=lane, painted=lambda _: True).take(1))
        kinds = set()
        while Alive not in kinds:
            kinds.add(type(process.next()))
        process.ask(Close(lane))

    @pytest.mark.parametrize("stream", [b"\0\0\0\0", b"\0\0\0\1\x16"], ids=["nonsense", "a node's alive"])
    def test_ends_when_what_comes_makes_no_sense_or_nothing_any_more(self, folder, stream):
        process = Process(folder)
        try:
            process.next()
            process.link.sendall(stream)
            assert process.process.wait(10) == 2
        finally:
            process.close()

    def test_ends_by_itself_when_the_node_is_gone(self, folder):
        process = Process(folder)
        try:
            process.next()
            process.link.shutdown(socket.SHUT_RDWR)
            assert process.process.wait(10) == 0
        finally:
            process.close()

    def test_does_not_begin_with_a_model_that_is_not_the_one_of_its_card(self, tmp_path):
        folder = magenta.folder(tmp_path)
        (folder / "magenta.onnx").write_bytes(b"another")
        process = Process(folder)
        try:
            refused = process.next()
            assert isinstance(refused, Refused)
            assert "magenta.onnx" in refused.reason and "SHA-256" in refused.reason
            assert process.process.wait(20) == 3
        finally:
            process.close()


class TestHostileFrames:
    """Files that broke decoders elsewhere: the process may say that it is lost, and goes on (REL-F9)."""

    @pytest.mark.parametrize("corpus", ["h264", "rtp", "mp4", "image", "jpeg"])
    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    def test_the_corpora(self, process, lane, corpus, codec):
        if not (FUZZ / corpus).is_dir():
            pytest.skip(f"no corpus ../shared/data/fuzz/{corpus} beside the checkout")
        files = [path for path in sorted((FUZZ / corpus).iterdir()) if 0 < path.stat().st_size < 500_000]
        assert files
        process.ask(opened(Mode.SCREENED, lane))
        for number, path in enumerate(files, start=1):
            said = process.look(
                Frame(lane, number, number * 3600, number * 40, True, codec, path.read_bytes())
            )
            assert all(isinstance(message, Looked | Passed | Found | Lost | Alive) for message in said)
        said = process.look(*(replace(f, number=f.number + 10_000) for f in Camera(codec, lane).take(1)))
        assert any(isinstance(message, Looked) for message in said), "and the next keyframe is seen"


class TestBombs:
    """What costs a decoder most: no process ends of it, and the next picture is seen (REL-F9)."""

    @pytest.mark.parametrize("name", ["giant", "large", "sliced", "resized"])
    def test_made_for_the_purpose(self, process, lane, name):
        made = {"giant": lambda: [bombs.giant()] * 20, "large": lambda: [bombs.giant(8192)] * 20,
                "sliced": lambda: [bombs.sliced()] * 20,
                "resized": lambda: bombs.resized(60)}[name]()  # fmt: skip
        process.ask(opened(Mode.SCREENED, lane))
        said = []
        for number, data in enumerate(made, start=1):
            said += process.look(Frame(lane, number, number * 3600, number * 40, True, "h264", data))
        decoded = any(isinstance(message, Looked) for message in said)
        assert decoded == (name in ("sliced", "resized")), "the others are refused"
        said = process.look(*(replace(f, number=f.number + 10_000) for f in Camera("h264", lane).take(1)))
        assert any(isinstance(message, Looked) for message in said)


class TestWhatItDeniesItself:
    def test_it_has_one_socket_and_nothing_else(self, process):
        found = {str(path.readlink()) for path in Path(f"/proc/{process.process.pid}/fd").iterdir()}
        assert sum(link.startswith("socket:") for link in found) == 1
        assert not any(link.startswith("/") and link != "/dev/null" for link in found)
        status = Path(f"/proc/{process.process.pid}/status").read_text()
        assert re.search(r"Seccomp:\s+2", status)
        assert re.search(r"Threads:\s+1\n", status)


def test_the_models_of_the_project_are_there():
    """Without them the process cannot start, and says which one is missing."""
    try:
        own = cards.own()
    except ModelError as error:
        pytest.fail(str(error))
    assert "open-nsfw" in own
    assert Open(1, "camera", Mode.OFF).rules == ()
