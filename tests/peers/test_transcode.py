"""Viewers who lack the lesson's codec: real peers, the real process, and its ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from loadtest.viewer import Viewer
from tests.drivers.media import Client, pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server, request
from tests.peers.conftest import SOME_FRAMES
from tests.peers.wire import children

pytestmark = pytest.mark.usefixtures("network")
OTHER = {"h264": "vp8", "vp8": "h264"}
PICTURE_CUT = {"level": "picture", "reason": "advert"}


def transcodes(server: Server) -> list[int]:
    """The transcode processes of the server's node."""
    node = children(server.process.pid)["liveserver.node"]
    found = Path(f"/proc/{node}/task/{node}/children").read_text().split()
    return [int(pid) for pid in found if b"liveserver.transcode" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def descriptors(pid: int) -> list[str]:
    """What the process has open."""
    return [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def soon(look: Callable[[], object], what: str, timeout_s: float = 15) -> None:
    await asyncio.to_thread(until, look, what, timeout_s=timeout_s)


@contextmanager
def publishing(
    server: Server, lesson: Lesson, folder: Path, codec: str = "h264", name: str = "publisher"
) -> Iterator[Client]:
    url, token = server.whip_url(lesson), lesson.tokens["instructor"]
    with pattern_publisher(folder, url, token, codec=codec, name=name) as client:
        client.wait("publishing")
        yield client


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose transcodes do not linger long."""
    server = Server(
        tmp_path_factory.mktemp("hasty"), LIVESERVER_TEST_HOOKS="true", LIVESERVER_TRANSCODE_LINGER="300ms"
    )
    server.start()
    yield server
    assert server.stop() == 0
    assert not server.left_behind(), "a process of the server outlived it"


@pytest.fixture
def server(hasty_server: Server) -> Iterator[Server]:
    yield hasty_server
    assert hasty_server.running, f"the server ended:\n{hasty_server.log_end()}"
    assert hasty_server.tracebacks() == []


@pytest.fixture
async def alone(server: Server) -> AsyncIterator[None]:
    """No transcode of an earlier test lingers."""
    await soon(lambda: not transcodes(server), "no transcode")
    yield
    await soon(lambda: not transcodes(server), "no transcode is left behind")


def only(codec: str, server: Server, lesson: Lesson, token: str | None = None) -> Viewer:
    return Viewer(server.whep_url(lesson), token or lesson.tokens["learner"], codec)


def notices(viewer: Viewer) -> list[object]:
    return [message["code"] for message in viewer.session.messages if message["type"] == "notice"]


async def told(viewer: Viewer, code: str) -> None:
    async with asyncio.timeout(15):
        while code not in notices(viewer):
            await viewer.session.heard.wait()
            viewer.session.heard.clear()


async def sound(viewer: Viewer, frames: int) -> None:
    """Let so many 20 ms of sound pass: the clock of those who hear and do not see."""
    target = viewer.seen.audio_frames + frames
    async with asyncio.timeout(15), viewer._progress:
        await viewer._progress.wait_for(lambda: viewer.seen.audio_frames >= target)


@asynccontextmanager
async def lacking(server: Server, lesson: Lesson, folder: Path) -> AsyncIterator[Viewer]:
    """A viewer without H.264 in an H.264 lesson, whose picture moves."""
    with publishing(server, lesson, folder):
        async with only("vp8", server, lesson) as viewer:
            await viewer.frames(SOME_FRAMES)
            yield viewer


@pytest.mark.usefixtures("alone")
class TestThePicture:
    @pytest.mark.parametrize("codec", ["h264", "vp8"])
    async def test_of_a_lesson_in_the_other_codec_can_be_decoded_and_read(
        self, server, lesson, tmp_path, codec
    ):
        with publishing(server, lesson, tmp_path, codec):
            async with only(OTHER[codec], server, lesson) as viewer:
                await viewer.frames(100)
                assert viewer.seen.size == (640, 360)
                assert len(viewer.seen.ages_ms) >= 95, "the time code in the picture"
                assert viewer.seen.loudest > 0.05
                assert notices(viewer) == []

    async def test_who_has_the_codec_gets_the_publisher_s_own_packets(self, server, lesson, tmp_path):
        with publishing(server, lesson, tmp_path):
            async with only("h264", server, lesson) as viewer:
                await viewer.frames(SOME_FRAMES)
                assert transcodes(server) == []

    async def test_who_came_first_sees_the_lesson_begin(self, server, lesson, tmp_path):
        async with only("vp8", server, lesson) as viewer:
            with publishing(server, lesson, tmp_path):
                await viewer.frames(SOME_FRAMES, timeout_s=20)

    async def test_it_goes_on_when_another_publisher_comes_with_any_codec(self, server, lesson, tmp_path):
        async with lacking(server, lesson, tmp_path) as viewer:
            with publishing(server, lesson, tmp_path, "h264", "second"):
                await viewer.frames(2 * SOME_FRAMES, timeout_s=20)
            with publishing(server, lesson, tmp_path, "vp8", "third"):
                await viewer.frames(2 * SOME_FRAMES, timeout_s=20)
                await soon(lambda: not transcodes(server), "nobody needs it any more")
                await viewer.frames(SOME_FRAMES)

    async def test_a_picture_lost_on_the_way_is_repaired(self, server, lesson, tmp_path):
        async with lacking(server, lesson, tmp_path) as viewer:
            receiver = next(t.receiver for t in viewer._connection.getTransceivers() if t.kind == "video")
            for ssrc in list(receiver._RTCRtpReceiver__active_ssrc):
                await receiver._send_rtcp_pli(ssrc)
            await viewer.frames(2 * SOME_FRAMES)


@pytest.mark.usefixtures("alone")
class TestTheProcess:
    async def test_two_viewers_share_one_and_the_last_one_s_leaving_stops_it(self, server, lesson, tmp_path):
        async with lacking(server, lesson, tmp_path):
            (pid,) = transcodes(server)
            async with only("vp8", server, lesson, server.more_tokens(lesson, 1)[0]) as second:
                await second.frames(SOME_FRAMES)
                assert transcodes(server) == [pid]
                tracks = stage(server, lesson)["transcode"]["tracks"]
                assert [(track["track"], track["to"], track["viewers"]) for track in tracks] == [
                    ("camera", "vp8", 2)
                ]
        await soon(lambda: is_gone(pid), "the process ended")

    async def test_one_that_is_killed_is_replaced_and_the_viewer_is_told(self, server, lesson, tmp_path):
        async with lacking(server, lesson, tmp_path) as viewer:
            (pid,) = transcodes(server)
            heard = viewer.seen.audio_frames
            os.kill(pid, signal.SIGKILL)
            await told(viewer, "transcode_lost")
            await told(viewer, "transcode_back")
            await viewer.frames(2 * SOME_FRAMES)
            (another,) = transcodes(server)
            assert another != pid
            assert viewer.seen.audio_frames > heard

    async def test_one_that_hangs_is_replaced(self, server, lesson, tmp_path):
        async with lacking(server, lesson, tmp_path) as viewer:
            (pid,) = transcodes(server)
            os.kill(pid, signal.SIGSTOP)
            await told(viewer, "transcode_back")
            assert is_gone(pid)
            await viewer.frames(SOME_FRAMES)

    async def test_it_can_open_nothing(self, server, lesson, tmp_path):
        async with lacking(server, lesson, tmp_path):
            (pid,) = transcodes(server)
            links = await asyncio.to_thread(descriptors, pid)
            assert {link.partition(":")[0] for link in links} == {"socket", "/dev/null"}
            assert sum(link.startswith("socket") for link in links) == 1
            limits = await asyncio.to_thread(of_process, pid, "limits")
            assert re.search(r"Max open files\s+0\s+0", limits)
            assert re.search(r"Max address space\s+\d+", limits)
            assert re.search(r"Seccomp:\s+2", await asyncio.to_thread(of_process, pid, "status"))
            assert "LIVESERVER_" not in await asyncio.to_thread(of_process, pid, "environ")

    async def test_the_end_of_the_lesson_stops_it(self, server, lesson, tmp_path):
        async with lacking(server, lesson, tmp_path):
            (pid,) = transcodes(server)
            assert server.api("POST", f"/lessons/{lesson.id}/end", {}).status == 200
            await soon(lambda: is_gone(pid), "the process ended")

    async def test_it_dies_with_its_node(self, own_server: Server, tmp_path):
        async with lacking(own_server, own_server.demo, tmp_path):
            (pid,) = transcodes(own_server)
            os.kill(children(own_server.process.pid)["liveserver.node"], signal.SIGKILL)
            await soon(lambda: is_gone(pid), "the process ended")


@pytest.mark.usefixtures("alone")
class TestACut:
    async def test_it_darkens_a_transcoded_picture_at_once_and_restoring_shows_it(
        self, server, lesson, tmp_path
    ):
        async with lacking(server, lesson, tmp_path) as viewer:
            path = f"/lessons/{lesson.id}"
            assert server.api("POST", f"{path}/cut", PICTURE_CUT, role="moderator").status == 200
            await sound(viewer, 15)  # what had left before the cut is decoded
            shown = viewer.seen.frames
            await sound(viewer, 100)
            assert viewer.seen.frames == shown
            body = {"reason": "over"}
            assert server.api("POST", f"{path}/restore", body, role="moderator").status == 200
            await viewer.frames(SOME_FRAMES)


class TestTheLimit:
    @pytest.fixture
    def limited(self, tmp_path: Path) -> Iterator[Callable[[int], Server]]:
        """A server that may transcode so many lessons at a time."""
        started = []

        def start(most: int) -> Server:
            server = Server(
                tmp_path / "server",
                LIVESERVER_TEST_HOOKS="true",
                LIVESERVER_TRANSCODE_MAX_LESSONS=str(most),
                LIVESERVER_TRANSCODE_LINGER="200ms",
            )
            started.append(server.start())
            return server

        yield start
        for server in started:
            server.stop()
            assert server.tracebacks() == []
            assert not server.left_behind()

    async def test_where_it_is_off_the_viewer_is_told_and_hears_the_lesson(self, limited, tmp_path):
        server = limited(0)
        with publishing(server, server.demo, tmp_path):
            async with only("vp8", server, server.demo) as viewer:
                await told(viewer, "codec_unsupported")
                await sound(viewer, 50)
                assert viewer.seen.frames == 0
                assert transcodes(server) == []

    async def test_a_lesson_too_many_waits_until_another_needs_it_no_longer(self, limited, tmp_path):
        server = limited(1)
        lesson = server.new_lesson()
        with publishing(server, lesson, tmp_path, name="second"):
            async with lacking(server, server.demo, tmp_path):
                waiting = only("vp8", server, lesson)
                await waiting.__aenter__()
                await told(waiting, "codec_unsupported")
                assert len(transcodes(server)) == 1
                metrics = request("GET", f"{server.base_url}/metrics").body.decode()
                assert "liveserver_transcode_running 1.0" in metrics
                assert "liveserver_transcode_refused_total 1.0" in metrics
            try:
                await waiting.frames(SOME_FRAMES, timeout_s=15)
                await told(waiting, "transcode_back")
            finally:
                await waiting.__aexit__()


def stage(server: Server, lesson: Lesson) -> dict:
    rooms = request("GET", f"{server.base_url}/debug/rooms").json["rooms"]
    return next(room["stage"] for room in rooms if room["lesson"] == lesson.id)
