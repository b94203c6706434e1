"""The node's end of the process: it starts it, feeds it, and survives whatever it does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from liveserver.sfu import transcoder as module
from liveserver.sfu.transcoder import (
    BACKOFF_S,
    QUEUE_BYTES,
    READY_NS,
    SILENCE_NS,
    Transcoder,
    transcode_command,
)
from liveserver.transcode.wire import Frame, Lost, Picture, Ready, encode
from tests.drivers.process import until
from tests.sfu.hall import Timeline
from tests.transcode.media import Camera, numbers

READY = encode(Ready())


class Heard:
    """What the owner was told; `until` waits for more of it."""

    def __init__(self) -> None:
        self.readies = 0
        self.pictures: list[Picture] = []
        self.lost_tracks: list[str] = []
        self.interruptions: list[str] = []
        self.has_failed = False
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def ready(self) -> None:
        self.readies += 1
        self._tell()

    def produced(self, picture: Picture) -> None:
        self.pictures.append(picture)
        self._tell()

    def lost(self, track: str) -> None:
        self.lost_tracks.append(track)
        self._tell()

    def interrupted(self, why: str) -> None:
        self.interruptions.append(why)
        self._tell()

    def failed(self) -> None:
        self.has_failed = True
        self._tell()

    def _tell(self) -> None:
        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        task = asyncio.ensure_future(notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def until(self, look: Callable[[Heard], object]) -> None:
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: look(self))


class Bench:
    """A transcoder on its own clock; `start` runs it with a command."""

    def __init__(self) -> None:
        self.clock = Timeline()
        self.heard = Heard()
        self.transcoder: Transcoder | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self, *command: str) -> Transcoder:
        self.transcoder = Transcoder(command, self.heard, self.clock)
        self.task = asyncio.create_task(self.transcoder.run())
        return self.transcoder

    async def pid(self) -> int:
        """Once it runs."""
        return await asyncio.to_thread(until, lambda: self.transcoder.pid, "the process was started")

    def python(self, code: str) -> Transcoder:
        """A program in place of the real process; `link` is its socket."""
        head = "import os, socket, sys, time\nlink = socket.socket(fileno=0)\n"
        return self.start(sys.executable, "-c", head + code)


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    if made.transcoder is not None:
        made.transcoder.close()
    if made.task is not None:
        async with asyncio.timeout(10):
            await made.task


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between starts."""
    monkeypatch.setattr(module, "BACKOFF_S", (0.0,) * len(BACKOFF_S))


def a_frame(data: bytes = b"x", *, key: bool = True, track: str = "camera") -> Frame:
    return Frame(track, "h264", key, 1, 2, data)


class TestTheRealProcess:
    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    async def test_is_fed_frames_and_gives_pictures(self, bench, codec):
        transcoder = bench.start(*transcode_command(1_000_000))
        await bench.heard.until(lambda h: h.readies)
        for frame in Camera(codec).take(10):
            count = len(bench.heard.pictures)
            assert transcoder.feed(frame)
            await bench.heard.until(lambda h, count=count: len(h.pictures) > count)
        other = "vp8" if codec == "h264" else "h264"
        assert numbers(bench.heard.pictures, other) == list(range(10))
        assert transcoder.counters["fed"] == transcoder.counters["pictures"] == 10

    async def test_closing_ends_it(self, bench):
        transcoder = bench.start(*transcode_command(1_000_000))
        await bench.heard.until(lambda h: h.readies)
        pid = transcoder.pid
        transcoder.close()
        await bench.task
        assert is_gone(pid)
        assert bench.heard.interruptions == []

    async def test_closing_before_it_is_ready_leaves_nothing(self, bench):
        transcoder = bench.start(*transcode_command(1_000_000))
        pid = await bench.pid()
        transcoder.close()
        await bench.task
        assert is_gone(pid)

    async def test_closing_before_it_was_started_starts_nothing(self, bench):
        bench.start(*transcode_command(1_000_000)).close()
        await bench.task
        assert bench.heard.readies == 0


@pytest.mark.usefixtures("hurried")
class TestAProcessThatMisbehaves:
    @pytest.mark.parametrize(
        ("sends", "why"),
        [
            (b"\0\0\0\0", "0 bytes"),
            (b"\xff" * 100, "4294967295 bytes"),
            (READY + READY, "Ready out of turn"),
            (encode(Lost("camera")), "Lost out of turn"),
            (READY + encode(a_frame()), "Frame out of turn"),
        ],
        ids=["nonsense", "too long", "twice ready", "before ready", "a node's message"],
    )
    async def test_is_ended_and_after_some_tries_given_up(self, bench, sends, why):
        bench.python(f"link.sendall({sends!r})\ntime.sleep(60)")
        await bench.heard.until(lambda h: h.has_failed)
        assert len(bench.heard.interruptions) == len(BACKOFF_S)
        assert all(why in said for said in bench.heard.interruptions)

    @pytest.mark.parametrize(
        "what",
        [encode(Lost("camera")), encode(Picture("camera", True, 1, 2, (b"x",) * 1024))],
        ids=["cries", "crumbs"],
    )
    async def test_one_that_sends_without_end_is_ended(self, bench, what):
        bench.python(f"link.sendall({READY!r})\nwhile True: link.sendall({what!r})")
        await bench.heard.until(lambda h: h.interruptions)
        assert "too much" in bench.heard.interruptions[0]

    async def test_one_that_ends_at_once_is_started_again_a_few_times(self, bench):
        transcoder = bench.python("sys.exit(3)")
        await bench.heard.until(lambda h: h.has_failed)
        assert len(bench.heard.interruptions) == len(BACKOFF_S)
        assert transcoder.restarts == len(BACKOFF_S) - 1
        assert transcoder.pid is None

    async def test_one_that_cannot_be_started_is_given_up(self, bench):
        bench.start("/nonexistent/program")
        await bench.heard.until(lambda h: h.has_failed)

    async def test_one_that_never_becomes_ready_is_ended(self, bench):
        transcoder = bench.python("time.sleep(60)")
        await bench.pid()
        transcoder.watch(bench.clock.now_ns)
        bench.clock.now_ns += READY_NS + 1
        transcoder.watch(bench.clock.now_ns)
        await bench.heard.until(lambda h: h.interruptions)
        assert bench.heard.interruptions == ["it did not become ready, exit code -9"]

    async def test_one_that_is_fed_and_says_nothing_is_ended(self, bench):
        transcoder = bench.python(f"link.sendall({READY!r})\ntime.sleep(60)")
        await bench.heard.until(lambda h: h.readies)
        bench.clock.now_ns += SILENCE_NS + 1
        transcoder.watch(bench.clock.now_ns)  # not fed: nothing to say
        transcoder.feed(a_frame())
        bench.clock.now_ns += SILENCE_NS + 1
        transcoder.watch(bench.clock.now_ns)
        await bench.heard.until(lambda h: h.interruptions)
        assert bench.heard.interruptions == ["it is fed and sends nothing, exit code -9"]

    async def test_one_that_reads_nothing_loses_frames_up_to_a_keyframe_and_holds_nobody_up(self, bench):
        transcoder = bench.python(f"link.sendall({READY!r})\ntime.sleep(60)")
        await bench.heard.until(lambda h: h.readies)
        large = bytes(200_000)
        taken = [transcoder.feed(a_frame(large, key=number == 0)) for number in range(40)]
        lost = taken.index(False)
        assert lost * len(large) <= QUEUE_BYTES + 1_000_000  # and what the socket holds
        assert not any(taken[lost:])
        assert not transcoder.feed(a_frame(b"small", key=False)), "it depends on what was dropped"
        assert transcoder.feed(a_frame(b"small", key=True))
        assert transcoder.feed(a_frame(b"small", key=False))
        assert transcoder.counters["dropped"] == 41 - lost

    async def test_what_it_could_not_decode_is_no_silence(self, bench):
        answer = f"link.recv(9)\nlink.sendall({encode(Lost('camera'))!r})\n"
        transcoder = bench.python(f"link.sendall({READY!r})\n{answer}time.sleep(60)")
        await bench.heard.until(lambda h: h.readies)
        transcoder.feed(a_frame())
        await bench.heard.until(lambda h: h.lost_tracks)
        assert not transcoder.feed(a_frame(key=False))
        bench.clock.now_ns += 2 * SILENCE_NS
        transcoder.watch(bench.clock.now_ns)
        assert transcoder.is_ready
