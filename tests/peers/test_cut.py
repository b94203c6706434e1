"""A cut while the server is busy, and after its processes were killed (RELIABILITY K4, K5, R1, R2)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import threading
import time

import pytest

from loadtest.signalling import Refusal
from loadtest.viewer import Viewer
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server, request
from tests.peers.conftest import SOME_FRAMES
from tests.peers.wire import children

pytestmark = pytest.mark.usefixtures("network")
CUT = {"level": "lesson", "reason": "advert"}
ANSWERED_S = 0.5  # the requirement itself: a cut is answered within 500 ms whatever the main loop does


def node(server: Server) -> int:
    return children(server.process.pid).get("liveserver.node", 0)


class TestABusyServer:
    async def test_the_control_port_cuts_within_half_a_second(self, server, lesson, watching):
        block = threading.Thread(
            target=request,
            args=("POST", f"{server.base_url}/debug/block?seconds=5"),
            kwargs={"timeout_s": 20},
        )
        before = server.log.read_text().count("node.blocked")
        block.start()
        await asyncio.to_thread(
            until, lambda: server.log.read_text().count("node.blocked") > before, "the main loop blocked"
        )
        began_s = time.monotonic()
        reply = await asyncio.to_thread(
            server.api, "POST", f"/lessons/{lesson.id}/cut", CUT, role="moderator", control=True
        )
        took_s = time.monotonic() - began_s
        assert reply.status == 200, reply
        assert took_s <= ANSWERED_S
        assert block.is_alive(), "the main loop was not blocked any more"
        await asyncio.to_thread(block.join)
        async with asyncio.timeout(10):
            await watching.session.gone.wait()
        assert watching.session.farewell == "cut"
        assert server.lesson(lesson)["state"] == "cut"
        shown = watching.seen.frames
        with pytest.raises(Refusal) as refusal:
            async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]):
                pass
        assert refusal.value.status == 410
        assert watching.seen.frames == shown


class TestAKilledNode:
    async def test_lessons_go_on_and_cuts_stay(self, own_server: Server, tmp_path):
        server = own_server
        lesson, other = server.demo, server.new_lesson()
        url, token = server.whip_url(lesson), lesson.tokens["instructor"]
        reply = server.api("POST", f"/lessons/{other.id}/cut", CUT, role="moderator")
        assert reply.status == 200
        with pattern_publisher(tmp_path, url, token, size="320x240") as first:
            first.wait("publishing")
            async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await viewer.frames(SOME_FRAMES)
                old = node(server)
                os.kill(old, signal.SIGKILL)
                await asyncio.to_thread(until, lambda: node(server) not in (0, old), "another node")
                await asyncio.to_thread(
                    until, lambda: answers(server, lesson), "the node answers", timeout_s=30
                )
        assert server.lesson(other)["state"] == "cut"
        with pytest.raises(Refusal):
            async with Viewer(server.whep_url(other), other.tokens["learner"]):
                pass
        with pattern_publisher(tmp_path, url, token, size="320x240", name="second") as second:
            second.wait("publishing")
            async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await viewer.frames(SOME_FRAMES)
        assert server.lesson(lesson)["state"] == "live"

    async def test_a_killed_recorder_is_started_again_and_the_recording_is_sealed(
        self, own_server: Server, tmp_path
    ):
        server = own_server
        lesson = server.demo
        url, token = server.whip_url(lesson), lesson.tokens["instructor"]
        with pattern_publisher(tmp_path, url, token, size="320x240") as publisher:
            publisher.wait("progress", frames=75)
            async with Viewer(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await viewer.frames(5)
                old = children(server.process.pid)["recorder"]
                os.kill(old, signal.SIGKILL)
                shown = viewer.seen.frames
                await asyncio.to_thread(
                    until,
                    lambda: children(server.process.pid).get("recorder", old) != old,
                    "another recorder",
                )
                await viewer.frames(3 * SOME_FRAMES)
                assert viewer.seen.frames > shown
        assert server.api("POST", f"/lessons/{lesson.id}/end", {}).status == 200
        recording = await asyncio.to_thread(until, lambda: sealed(server, lesson), "sealed", timeout_s=40)
        body = request("GET", recording["url"], timeout_s=20).body
        assert hashlib.sha256(body).hexdigest() == recording["sha256"]
        assert len(body) == recording["size"]
        assert recording["duration_ms"] > 3000


def answers(server: Server, lesson: Lesson) -> bool:
    try:
        return bool(server.lesson(lesson)["id"])
    except (OSError, KeyError, ValueError):
        return False


def sealed(server: Server, lesson: Lesson) -> dict | None:
    """The one recording of the lesson, once it is sealed."""
    items = server.api("GET", f"/lessons/{lesson.id}/recordings").json["items"]
    assert all(item["state"] != "failed" for item in items), items
    assert len(items) == 1
    return items[0] if items[0]["state"] == "sealed" else None
