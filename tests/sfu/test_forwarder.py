"""The media plane of a node: offers leave nothing behind, one lesson's failure stays there."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator

import pytest

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.rtp import header, stun
from liveserver.rtp.flags import Flags
from liveserver.rtp.srtp import OutboundKeys
from liveserver.sfu.forwarder import Forwarder
from liveserver.sfu.front import Front
from liveserver.sfu.publisher import Publisher
from liveserver.sfu.stage import Stage
from tests.sfu.hall import GCM
from tests.sfu.peers import Told
from tests.sfu.sdp import AUDIO, CONTROL, VIDEO, offer


def make() -> Forwarder:
    clock, flags = Clock(), Flags(4)
    for room in range(4):
        flags.renew(room, 2**63)
    front = Front.bind("127.0.0.1", 0, flags, clock.monotonic_ns)
    return Forwarder(front, flags, clock, ["127.0.0.1"], max_peers=20)


@pytest.fixture
async def forwarder() -> AsyncIterator[Forwarder]:
    made = make()
    made.start()
    yield made
    await made.stop()


def stage(forwarder: Forwarder, room: int = 0) -> Stage:
    made = Stage(room, forwarder.flags)
    forwarder.stages.add(made)
    return made


class Instructor:
    """A connected publisher of sound, with a socket and keys of its own."""

    def __init__(self, forwarder: Forwarder, room: int):
        self.stage = stage(forwarder, room)
        self.peer: Publisher = forwarder.publish(self.stage, offer(AUDIO), Told())[0]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", forwarder.front.port))
        key, salt = secrets.token_bytes(16), secrets.token_bytes(12)
        self._keys = OutboundKeys(GCM, key, salt)
        endpoint = self.peer.endpoint
        ice = endpoint.ice
        check = stun.binding_request(bytes(12), f"{ice.ufrag}:x", ice.pwd.encode(), use_candidate=True)
        self._socket.send(check)
        endpoint.open(GCM, key, salt, 0, is_viewer=False)
        self._sequence = 0

    @property
    def table(self) -> int:
        return self.peer.uplinks[0].table

    def send(self) -> None:
        self._sequence += 1
        head = header.build(payload_type=111, sequence=self._sequence, timestamp=self._sequence * 960, ssrc=1)
        self._socket.send(self._keys.rtp.protect(1, self._sequence, head, b"\xfcsound"))

    def close(self) -> None:
        self._socket.close()


class TestOffers:
    async def test_refused_offers_leave_nothing_behind(self, forwarder, corpus):
        lesson, tasks = stage(forwarder), len(asyncio.all_tasks())
        taken = 0
        for body in [*corpus("sdp").values(), *corpus("json").values()]:
            for answer in (forwarder.publish, forwarder.watch):
                try:
                    peer, _ = answer(lesson, body.decode("utf-8", "replace"), Told())
                except PeerError:
                    continue
                taken += 1
                peer.close("left")
                await peer.wait_closed()
                forwarder.peers.pop(peer.id)
        assert taken > 0
        assert (forwarder.front.peers, len(forwarder.peers), lesson.publisher) == (0, 0, None)
        assert len(asyncio.all_tasks()) == tasks

    async def test_an_attempt_that_has_not_connected_does_not_end_the_broadcast(self, forwarder):
        lesson, told = stage(forwarder), Told()
        on_air, _ = forwarder.publish(lesson, offer(AUDIO), told)
        lesson.publish(on_air)
        forwarder.publish(lesson, offer(AUDIO), Told())
        assert lesson.publisher is on_air
        assert told.closed_reasons == []

    async def test_a_full_node_says_when_to_come_again(self, forwarder):
        lesson = stage(forwarder)
        for _ in range(20):
            forwarder.watch(lesson, offer(CONTROL, direction="recvonly"), Told())
        with pytest.raises(PeerError) as raised:
            forwarder.watch(lesson, offer(AUDIO, direction="recvonly"), Told())
        assert (raised.value.code, raised.value.status) == ("lesson_full", 503)
        assert raised.value.retry_after_s

    async def test_stopping_closes_every_peer(self):
        forwarder = make()
        forwarder.start()
        lesson, told = stage(forwarder), Told()
        forwarder.publish(lesson, offer(AUDIO, VIDEO), told)
        forwarder.watch(lesson, offer(AUDIO, direction="recvonly"), Told())
        await forwarder.stop()
        assert told.closed_reasons == ["server_stopping"]


class TestBoundaries:
    async def test_a_failure_in_one_lesson_s_fan_out_does_not_reach_another(self, forwarder):
        broken, sound = Instructor(forwarder, 0), Instructor(forwarder, 1)
        session = forwarder.fanout.add_session(GCM, bytes(16), bytes(12), "127.0.0.1", 9)
        row = forwarder.fanout.add_row(broken.table, session, 5, 111, 0, 0, 0, b"")
        forwarder.fanout.set_live(row, True)
        # What no peer can bring about, but a mistake of ours could.
        broken.peer.uplinks[0].flush = None
        for _ in range(5):
            broken.send()
            sound.send()
            await asyncio.sleep(0)
            forwarder._drain()
        assert broken.peer.closed_reason == "internal"
        assert sound.peer.closed_reason is None
        assert sound.peer.uplinks[0].packets_received == 5
        broken.close()
        sound.close()
