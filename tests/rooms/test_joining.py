"""Who comes into a lesson and goes: what people are told, what is kept, what nonsense does."""

from __future__ import annotations

import asyncio

import pytest

from liveserver.core.errors import PeerError
from liveserver.rooms.arrivals import Arrivals
from tests.rooms.node import MODERATOR, TEACHER, chat, claims, soon
from tests.sfu.sdp import AUDIO, CONTROL, VIDEO, offer


class TestJoining:
    async def test_who_joins_is_told_where_things_stand(self, node):
        lesson = await node.lesson()
        _, carrier = await node.join(lesson, claims())
        joined = carrier.heard[0]
        assert joined["type"] == "joined"
        assert joined["you"] == {"person": "li", "name": "Li", "role": "learner", "muted": False}
        assert (joined["lesson"]["title"], joined["chat"], joined["cut"]) == ("Lathe safety", [], None)
        assert await node.facts(lesson) == ["create", "join"]

    async def test_a_learner_who_joins_again_replaces_herself(self, node):
        lesson = await node.lesson()
        _, first = await node.join(lesson, claims())
        _, second = await node.join(lesson, claims())
        assert first.types()[-1] == "replaced"
        assert first.closed == (4409, "replaced")
        assert second.closed is None
        assert await node.facts(lesson) == ["create", "join", "leave", "join"]
        assert (await node.rooms.lessons.one(lesson))["viewers"] == 1

    async def test_a_moderator_may_have_two_windows(self, node):
        lesson = await node.lesson()
        _, first = await node.join(lesson, MODERATOR)
        await node.join(lesson, MODERATOR)
        assert first.closed is None

    async def test_leaving_is_a_fact_once(self, node):
        lesson = await node.lesson()
        connection, _ = await node.join(lesson, claims())
        connection.gone("left")
        connection.gone("left")
        await node.join(lesson, MODERATOR)
        assert await node.facts(lesson) == ["create", "join", "leave", "join"]

    async def test_five_hundred_at_once(self, node):
        lesson = await node.lesson()
        people = [claims(f"p{n}") for n in range(500)]
        joined = await asyncio.gather(*(node.join(lesson, person) for person in people))
        assert all(carrier.heard[0]["type"] == "joined" for _, carrier in joined)
        assert (await node.rooms.lessons.one(lesson))["viewers"] == 500
        assert (await node.facts(lesson)).count("join") == 500
        commits = node.store._writer.commits
        assert commits < 50, "a commit for each of them would take too long on a slow disk"

    async def test_first_comes_joined_whatever_else_is_said_meanwhile(self, node):
        lesson = await node.lesson()
        talker, _ = await node.join(lesson, MODERATOR)
        arrivals = [node.join(lesson, claims(f"p{n}")) for n in range(50)]
        talk = [talker.receive(chat(f"line {n}")) for n in range(10)]
        done = await asyncio.gather(*arrivals, *talk)
        for found in done[:50]:
            assert found[1].types()[0] == "joined"


class TestSessions:
    async def test_learners_beyond_the_bound_on_joins_under_way_come_again(self, node):
        lesson = await node.lesson()
        recvonly = offer(AUDIO, direction="recvonly")
        node.rooms.joining._arrivals = Arrivals(2)
        for number in range(2):
            await node.rooms.joining.watch(lesson, claims(f"p{number}"), recvonly)
        with pytest.raises(PeerError) as raised:
            await node.rooms.joining.watch(lesson, claims("late"), "not even read")
        assert (raised.value.code, raised.value.status) == ("lesson_full", 503)
        assert raised.value.retry_after_s >= 1
        await node.rooms.joining.watch(lesson, MODERATOR, recvonly)
        for peer in list(node.forwarder.peers.values()):
            peer.close("handshake_timeout")
        await node.rooms.joining.watch(lesson, claims("late"), recvonly)

    async def test_whip_and_whep_answer_and_end(self, node):
        lesson = await node.lesson()
        published = await node.rooms.joining.publish(lesson, TEACHER, offer(AUDIO, VIDEO, CONTROL))
        watched = await node.rooms.joining.watch(
            lesson, claims(), offer(AUDIO, VIDEO, CONTROL, direction="recvonly")
        )
        assert published.session_id != watched.session_id
        assert "a=ice-lite" in published.sdp and "a=ice-lite" in watched.sdp
        await node.rooms.joining.leave(published.session_id, TEACHER)
        with pytest.raises(PeerError) as raised:
            await node.rooms.joining.leave(published.session_id, TEACHER)
        assert (raised.value.code, raised.value.status) == ("unknown_session", 404)

    async def test_a_session_belongs_to_who_began_it(self, node):
        lesson = await node.lesson()
        watched = await node.rooms.joining.watch(lesson, claims(), offer(AUDIO, direction="recvonly"))
        for call in (
            node.rooms.joining.leave(watched.session_id, claims("eve")),
            node.rooms.joining.patch(watched.session_id, claims("eve"), "a=ice-ufrag:abcd", "*"),
        ):
            with pytest.raises(PeerError) as raised:
                await call
            assert (raised.value.code, raised.value.status) == ("forbidden", 403)

    async def test_trickle_and_restart(self, node):
        lesson = await node.lesson()
        session = await node.rooms.joining.watch(lesson, claims(), offer(AUDIO, direction="recvonly"))
        trickle = await node.rooms.joining.patch(
            session.session_id, claims(), "a=candidate:1\r\n", session.etag
        )
        assert (trickle.status, trickle.etag) == (204, session.etag)
        fragment = "a=ice-ufrag:wxyz\r\na=ice-pwd:zzzzzzzzzzzzzzzzzzzzzz\r\n"
        restarted = await node.rooms.joining.patch(session.session_id, claims(), fragment, "*")
        assert restarted.status == 200
        assert restarted.etag != session.etag
        assert "a=ice-pwd:" in restarted.body
        with pytest.raises(PeerError) as raised:
            await node.rooms.joining.patch(session.session_id, claims(), "a=candidate:1\r\n", session.etag)
        assert raised.value.status == 412

    async def test_a_refused_offer_leaves_nothing(self, node):
        lesson = await node.lesson()
        with pytest.raises(PeerError, match="sdp_malformed"):
            await node.rooms.joining.watch(lesson, claims(), "hello")
        assert len(node.forwarder.peers) == 0

    async def test_what_operators_see(self, node):
        lesson = await node.lesson()
        await node.join(lesson, claims())
        (shown,) = node.rooms.debug()["rooms"]
        assert (shown["lesson"], shown["members"], shown["events_dropped"]) == (lesson, 1, 0)
        assert node.rooms.numbers()["viewers"] == 1


class TestMessages:
    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"type": "nope"}', b"\0", '{"type": "chat"}', "\ud800"]
    )
    async def test_nonsense_is_refused_and_changes_nothing(self, node, text):
        lesson = await node.lesson()
        connection, carrier = await node.join(lesson, claims())
        with pytest.raises(PeerError):
            await connection.receive(text)
        assert carrier.closed is None
        assert await node.facts(lesson) == ["create", "join"]

    async def test_a_heartbeat_comes_back_with_its_number(self, node):
        lesson = await node.lesson()
        connection, carrier = await node.join(lesson, claims())
        await connection.receive('{"type": "heartbeat", "seq": 7}')
        assert carrier.last("heartbeat")["seq"] == 7

    async def test_only_the_instructor_says_what_is_shown(self, node):
        lesson = await node.lesson()
        teacher, _ = await node.join(lesson, TEACHER)
        learner, carrier = await node.join(lesson, claims())
        with pytest.raises(PeerError, match="forbidden"):
            await learner.receive('{"type": "sources", "camera": true}')
        await teacher.receive('{"type": "sources", "camera": true, "screen": true}')
        assert carrier.last("sources")["screen"] is True

    async def test_asked_again_joined_comes_again(self, node):
        lesson = await node.lesson()
        connection, carrier = await node.join(lesson, claims())
        await connection.receive('{"type": "join"}')
        await soon(lambda: carrier.types().count("joined") == 2, "joined again")
