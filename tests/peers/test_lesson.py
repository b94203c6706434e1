"""Real aiortc peers over loopback: what a program that speaks WHIP and WHEP may rely on."""

from __future__ import annotations

import asyncio

import pytest

from loadtest.signalling import Refusal
from loadtest.viewer import Viewer
from tests.drivers.media import Client, pattern_publisher
from tests.drivers.server import Lesson, Server

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture(params=["h264", "vp8"])
def codec(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def publisher(server: Server, lesson: Lesson, tmp_path) -> Client:
    """A test pattern on the air, as a process of its own."""
    with pattern_publisher(tmp_path, server.whip_url(lesson), lesson.tokens["instructor"]) as client:
        client.wait("publishing")
        yield client


def viewer(server: Server, lesson: Lesson, token: str | None = None) -> Viewer:
    return Viewer(server.whep_url(lesson), token or lesson.tokens["learner"])


async def message(watching: Viewer, type_: str, timeout_s: float = 10, **fields: object) -> dict:
    """The first control message of that type with these fields."""
    async with asyncio.timeout(timeout_s):
        while True:
            for found in watching.session.messages:
                if found["type"] == type_ and fields.items() <= found.items():
                    return found
            await watching.session.heard.wait()
            watching.session.heard.clear()


class TestWatching:
    async def test_pictures_and_sound_of_either_codec_arrive(self, server, lesson, tmp_path, codec):
        url, token = server.whip_url(lesson), lesson.tokens["instructor"]
        with pattern_publisher(tmp_path, url, token, codec=codec) as publisher:
            publisher.wait("publishing")
            async with viewer(server, lesson) as watching:
                await watching.frames(50)
                assert watching.seen.size == (640, 360)
                assert watching.seen.loudest > 0.05
                assert watching.seen.ages_ms

    async def test_a_viewer_who_came_first_sees_the_lesson_begin(self, server, lesson, tmp_path):
        async with viewer(server, lesson) as watching:
            await message(watching, "joined")
            url, token = server.whip_url(lesson), lesson.tokens["instructor"]
            with pattern_publisher(tmp_path, url, token):
                await watching.frames(25, timeout_s=20)

    async def test_leaving_in_good_order_is_counted_at_once(self, server, lesson, publisher):
        async with viewer(server, lesson) as watching:
            await watching.frames(5)
            assert server.lesson(lesson)["viewers"] == 1
        await asyncio.to_thread(server.wait_lesson, lesson, viewers=0)

    async def test_ten_viewers_at_once_all_see_it(self, server, lesson, publisher):
        tokens = server.more_tokens(lesson, 10)
        async with asyncio.TaskGroup() as group:
            for token in tokens:
                group.create_task(self._watch(server, lesson, token))

    async def _watch(self, server: Server, lesson: Lesson, token: str) -> None:
        async with viewer(server, lesson, token) as watching:
            await watching.frames(25, timeout_s=30)


class TestAPublisherThatVanishes:
    async def test_viewers_resume_when_the_next_one_comes(self, server, lesson, publisher, tmp_path):
        async with viewer(server, lesson) as watching:
            await watching.frames(25)
            publisher.process.kill()
            publisher.process.wait()
            url, token = server.whip_url(lesson), lesson.tokens["instructor"]
            with pattern_publisher(tmp_path, url, token, name="second") as second:
                second.wait("publishing")
                await watching.frames(50, timeout_s=20)

    async def test_a_second_publisher_replaces_the_first_which_is_told(
        self, server, lesson, publisher, tmp_path
    ):
        async with viewer(server, lesson) as watching:
            await watching.frames(25)
            url, token = server.whip_url(lesson), lesson.tokens["instructor"]
            with pattern_publisher(tmp_path, url, token, codec="vp8", name="second") as second:
                second.wait("publishing")
                await asyncio.to_thread(publisher.wait, "replaced")
                await watching.frames(50, timeout_s=20)


class TestTheControlChannel:
    async def test_it_says_joined_with_the_state_of_the_lesson(self, server, lesson, publisher):
        async with viewer(server, lesson) as watching:
            joined = await message(watching, "joined")
            assert joined["lesson"]["id"] == lesson.id
            assert joined["lesson"]["state"] == "live"
            assert joined["you"]["role"] == "learner"
            assert joined["cut"] is None

    async def test_a_heartbeat_is_answered_with_its_number(self, server, lesson):
        async with viewer(server, lesson) as watching:
            await message(watching, "joined")
            watching.session.send({"type": "heartbeat", "seq": 7})
            assert await message(watching, "heartbeat", seq=7)

    async def test_chat_comes_back_to_its_author_with_his_reference(self, server, lesson):
        other_token = server.more_tokens(lesson, 1, name="Zhang")[0]
        async with viewer(server, lesson) as watching, viewer(server, lesson, other_token) as other:
            await message(watching, "joined")
            await message(other, "joined")
            other.session.send({"type": "chat", "text": "Good morning", "ref": "a1"})
            assert (await message(other, "chat", ref="a1"))["text"] == "Good morning"
            heard = await message(watching, "chat", text="Good morning")
            assert heard["from"]["name"].startswith("Zhang")

    async def test_a_second_connection_of_a_person_replaces_the_first(self, server, lesson):
        async with viewer(server, lesson) as first:
            await message(first, "joined")
            async with viewer(server, lesson) as second:
                await message(second, "joined")
                await message(first, "replaced")
                assert server.lesson(lesson)["viewers"] == 1

    async def test_the_end_is_told_and_the_publisher_stops_by_itself(self, server, lesson, publisher):
        async with viewer(server, lesson) as watching:
            await message(watching, "joined")
            assert server.api("POST", f"/lessons/{lesson.id}/end", {}).status == 200
            await message(watching, "lesson", state="ended")
        await asyncio.to_thread(publisher.wait, "ended")


class TestWhoIsRefused:
    @pytest.mark.parametrize(
        ("role", "way", "status"),
        [
            ("learner", "whip", 403),
            ("inspector", "whip", 403),
            (None, "whip", 401),
            (None, "whep", 401),
        ],
    )
    async def test_by_his_token(self, server, lesson, role, way, status):
        url = server.whip_url(lesson) if way == "whip" else server.whep_url(lesson)
        token = lesson.tokens[role] if role else "nonsense"
        with pytest.raises(Refusal) as refusal:
            async with Viewer(url, token):
                pass
        assert refusal.value.status == status

    async def test_by_a_cut(self, server, lesson):
        body = {"level": "lesson", "reason": "looked at"}
        server.api("POST", f"/lessons/{lesson.id}/cut", body, role="moderator")
        with pytest.raises(Refusal) as refusal:
            async with viewer(server, lesson):
                pass
        assert refusal.value.status == 410

    async def test_by_the_lesson_not_being_there(self, server, lesson):
        with pytest.raises(Refusal) as refusal:
            async with Viewer(f"{server.base_url}/whep/nowhere", server.token("moderator")):
                pass
        assert refusal.value.status == 404
