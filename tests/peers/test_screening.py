"""Pictures screened for real: the process and a model of the operator's own, real peers, what viewers decode.

What is forbidden here is a magenta patch (tests/screen/magenta.py). RELIABILITY=full shows it 50 times.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from loadtest.viewer import Viewer
from tests.drivers.media import Client
from tests.drivers.process import until
from tests.drivers.server import Lesson, Reply, Server, request
from tests.hls import rules
from tests.peers.wire import children
from tests.screen import magenta
from tests.screen.audience import SEEN_FROM, LossyWitness, Witness

pytestmark = pytest.mark.usefixtures("network")
IS_FULL = os.environ.get("RELIABILITY") == "full"
RUNS = 50 if IS_FULL else 2
DELAY_MS = 1_500
SCREENED = {"mode": "screened", "delay_ms": DELAY_MS}


@pytest.fixture(scope="module")
def watchful_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that looks at pictures, with one model more than it ships."""
    folder = tmp_path_factory.mktemp("watchful")
    server = Server(
        folder,
        LIVESERVER_TEST_HOOKS="true",
        LIVESERVER_SCREENING_ENABLED="true",
        LIVESERVER_SCREENING_MODELS=str(magenta.folder(folder / "models")),
    )
    server.start()
    yield server
    assert server.stop() == 0
    assert not server.left_behind(), "a process of the server outlived it"


@pytest.fixture
def server(watchful_server: Server) -> Iterator[Server]:
    yield watchful_server
    assert watchful_server.running, f"the server ended:\n{watchful_server.log_end()}"
    assert watchful_server.tracebacks() == []


@contextmanager
def publishing(server: Server, lesson: Lesson, folder: Path, *options: str) -> Iterator[Client]:
    command = [sys.executable, "-m", "tests.screen.publisher", server.whip_url(lesson)]
    with Client(folder, "publisher", [*command, lesson.tokens["instructor"], *options]) as client:
        client.wait("publishing")
        yield client


def screened_by(server: Server, lesson: Lesson, **policy: Any) -> None:
    reply = server.api("PUT", f"/lessons/{lesson.id}/policy", policy)
    assert reply.status == 200, reply


def screen(server: Server, lesson: Lesson) -> dict[str, Any]:
    """What the node says of the lesson's screening."""
    rooms = request("GET", f"{server.base_url}/debug/rooms").json["rooms"]
    return next(room["stage"]["screen"] for room in rooms if room["lesson"] == lesson.id)


def process(server: Server) -> int:
    """The screen process of the server's node."""
    node = children(server.process.pid)["liveserver.node"]
    pids = Path(f"/proc/{node}/task/{node}/children").read_text().split()
    (found,) = (p for p in pids if b"liveserver.screen\0" in Path(f"/proc/{p}/cmdline").read_bytes())
    return int(found)


async def soon(look: Callable[[], object], what: str, timeout_s: float = 30) -> Any:
    return await asyncio.to_thread(until, look, what, timeout_s=timeout_s)


async def seeing(server: Server, lesson: Lesson) -> None:
    """Somebody looks; on a busy machine not at everything."""
    await soon(lambda: screen(server, lesson)["seeing"] in ("seeing", "behind"), "the lesson is seen")


def incidents(server: Server, lesson: Lesson, kind: str) -> list[dict[str, Any]]:
    path = f"/lessons/{lesson.id}/incidents?kind={kind}"
    return server.api("GET", path, role="moderator").json["items"]


@asynccontextmanager
async def watching(viewers: list[Viewer]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for viewer in viewers:
            await stack.enter_async_context(viewer)
        yield


class TestScreenedBeforeShown:
    @pytest.mark.parametrize("codec", ["h264", "vp8"] if IS_FULL else ["h264"])
    async def test_what_is_forbidden_reaches_nobody(self, server, lesson, tmp_path, codec):
        """Shown for 0.6 s anywhere between keyframes, to those who watch, lose packets, lack the codec, or
        join meanwhile."""
        screened_by(server, lesson, **SCREENED)
        tokens = iter(server.more_tokens(lesson, 3))
        url, other = server.whep_url(lesson), {"h264": "vp8", "vp8": "h264"}[codec]
        first, lossy, lacking = (
            Witness(url, next(tokens)), LossyWitness(url, next(tokens)), Witness(url, next(tokens), other),
        )  # fmt: skip
        everybody: list[Witness] = [first, lossy, lacking]
        chance = random.Random(1)
        with publishing(server, lesson, tmp_path, "--codec", codec, "--show-ms", "600") as publisher:
            async with watching(list(everybody)):
                for viewer in everybody:
                    await viewer.frames(10, timeout_s=30)
                assert min(first.seen.ages_ms) >= DELAY_MS
                for run in range(RUNS):
                    await asyncio.sleep(chance.uniform(0, 2))  # anywhere between two keyframes
                    publisher.process.send_signal(signal.SIGUSR1)
                    await asyncio.to_thread(publisher.wait, "hidden", count=run + 1)
                    # As a moderator: a learner may be sent away while the machine has much to do.
                    async with Witness(url, lesson.tokens["moderator"]) as late:
                        everybody.append(late)
                        await self.restored(server, lesson)
                        await asyncio.gather(*(viewer.frames(5, timeout_s=30) for viewer in everybody[:3]))
                        await late.frames(5, timeout_s=30)
        assert lossy.lost > 10
        assert [len(viewer.sightings) for viewer in everybody] == [0] * len(everybody)

    async def restored(self, server: Server, lesson: Lesson) -> None:
        """What screening cut is lifted by a moderator.

        A machine that cannot look at everything leaves pictures out: those are not shown either.
        """
        try:
            await soon(lambda: server.lesson(lesson)["cut"], "screening cut the picture", timeout_s=8)
        except AssertionError:
            assert sum(track["dropped"] for track in screen(server, lesson)["tracks"]) > 0
            return
        path, body = f"/lessons/{lesson.id}/restore", {"reason": "seen"}
        assert server.api("POST", path, body, role="moderator").status == 200

    async def test_the_policy_may_change_while_the_lesson_runs(self, server, lesson, tmp_path):
        with publishing(server, lesson, tmp_path):
            async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await viewer.frames(10, timeout_s=30)
                assert max(viewer.seen.ages_ms[-5:]) < DELAY_MS
                for policy, is_late in ((SCREENED, True), ({"mode": "watch"}, False)):
                    screened_by(server, lesson, **policy)
                    await soon(
                        lambda: (viewer.seen.ages_ms[-1] >= DELAY_MS) == is_late,  # noqa: B023
                        "pictures as old as the policy says",
                    )
                    await viewer.frames(25)
                delays = [m["delay_ms"] for m in viewer.session.messages if m["type"] == "screening"]
                assert delays == [DELAY_MS, 0]


class TestTheWideTier:
    async def test_has_nothing_that_was_not_released(self, server, lesson, tmp_path):
        """Every part that is served until screening cuts the picture, and nothing after that."""
        screened_by(server, lesson, **SCREENED)
        with publishing(server, lesson, tmp_path, "--codec", "h264", "--show-ms", "600") as publisher:
            await seeing(server, lesson)
            await soon(lambda: hls(server, lesson, "video.m3u8").status == 200, "LL-HLS of the lesson")
            served = asyncio.create_task(asyncio.to_thread(self._served, server, lesson))
            publisher.process.send_signal(signal.SIGUSR1)
            pieces = await served
        shares = []
        with av.open(io.BytesIO(b"".join(pieces)), format="mp4") as container:
            shares = [magenta.share_of_magenta(frame) for frame in container.decode(video=0)]
        assert len(shares) > 10
        assert max(shares) < SEEN_FROM

    def _served(self, server: Server, lesson: Lesson) -> list[bytes]:
        """The init segment and all parts, as a player gets them, until there are no more."""
        have: dict[str, bytes] = {}
        deadline_s = time.monotonic() + 12
        while time.monotonic() < deadline_s and (reply := hls(server, lesson, "video.m3u8")).status == 200:
            found = rules.parse(reply.body.decode())
            parts = [part.uri for segment in found.segments for part in segment.parts]
            for uri in [found.segments[0].init or "", *parts]:
                if uri not in have and (got := hls(server, lesson, uri)).status == 200:
                    have[uri] = got.body
        return list(have.values())


def hls(server: Server, lesson: Lesson, name: str) -> Reply:
    query = "" if "?" in name else f"?token={lesson.tokens['learner']}"
    return request("GET", f"{server.base_url}/hls/{lesson.id}/{name}{query}", timeout_s=20)


class TestWatched:
    async def test_what_is_found_cuts_the_picture_and_is_kept_as_evidence(self, server, lesson, tmp_path):
        with publishing(server, lesson, tmp_path) as publisher:
            async with Witness(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await viewer.frames(10, timeout_s=30)
                await seeing(server, lesson)
                publisher.process.send_signal(signal.SIGUSR1)
                cut = await soon(lambda: server.lesson(lesson)["cut"], "screening cut the picture")
                assert (cut["level"], cut["reason"]) == ("picture", "screening: porn")
        (incident,) = incidents(server, lesson, "frame")
        assert (incident["category"], incident["action"], incident["track"]) == ("porn", "blank", "camera")
        assert set(incident["receipt"]["models"]) == {"open-nsfw", "magenta"}
        address = incident["evidence"].removeprefix(server.base_url).removeprefix("/api/v1")
        jpeg = server.api("GET", address, role="moderator").body
        (picture,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(jpeg))
        assert (picture.width, picture.height) == (640, 360)
        assert magenta.share_of_magenta(picture) > 0.1


class TestTheProcess:
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
    async def test_is_started_again_the_class_goes_on_and_the_time_is_on_record(
        self, server, lesson, tmp_path, number
    ):
        with publishing(server, lesson, tmp_path):
            async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await viewer.frames(10, timeout_s=30)
                await seeing(server, lesson)
                pid = process(server)
                os.kill(pid, number)
                await soon(lambda: screen(server, lesson)["seeing"] == "blind", "nobody looks")
                await viewer.frames(25)
                await seeing(server, lesson)
                assert process(server) != pid
        spells = await soon(
            lambda: [s for s in incidents(server, lesson, "blind") if s["state"]], "the spell is on record"
        )
        assert spells[0]["action"] == "warn"

    async def test_nobody_s_looking_darkens_the_picture_where_the_policy_says_so(
        self, server, lesson, tmp_path
    ):
        screened_by(server, lesson, mode="watch", when_blind="slate", blind_after_ms=1_000)
        with publishing(server, lesson, tmp_path):
            async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await viewer.frames(10, timeout_s=30)
                await seeing(server, lesson)
                os.kill(process(server), signal.SIGSTOP)
                await soon(lambda: held_back(viewer)[-1:] == [True], "the slate")
                before, heard = viewer.seen.frames, viewer.seen.audio_frames
                await soon(lambda: viewer.seen.audio_frames > heard + 25, "the sound goes on")
                assert viewer.seen.frames <= before + 3, "what was on its way"
                await soon(lambda: held_back(viewer)[-1:] == [False], "the picture is back")
                await viewer.frames(10)
        assert "screening.alarm" in server.log.read_text()

    async def test_it_can_open_nothing(self, server, lesson, tmp_path):
        with publishing(server, lesson, tmp_path):
            await seeing(server, lesson)
            assert re.search(r"Seccomp:\s+2", of_process(process(server), "status"))
            assert "LIVESERVER_" not in of_process(process(server), "environ")


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def held_back(viewer: Viewer) -> list[bool]:
    return [bool(m["held_back"]) for m in viewer.session.messages if m["type"] == "screening"]
