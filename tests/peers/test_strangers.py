"""Whoever is not a peer of the lesson can do nothing to it (RELIABILITY section 0, F1, F3, F4, F5)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.viewer import Viewer
from tests.drivers.server import Lesson, Server
from tests.peers.conftest import SOME_FRAMES
from tests.peers.wire import (
    Address,
    children,
    corpora,
    forge,
    forging,
    hear,
    listening,
    resident_bytes,
)

pytestmark = pytest.mark.usefixtures("network")
GROWTH_BYTES = 20_000_000  # RELIABILITY G26
ROUNDS = 3


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        yield sock


@pytest.fixture
def address(watching: Viewer, media_address) -> Address:
    return media_address(watching)


def node(server: Server) -> int:
    return children(server.process.pid)["liveserver.node"]


async def unharmed(server: Server, watching: Viewer, before_bytes: int) -> None:
    await watching.frames(SOME_FRAMES)
    assert resident_bytes(node(server)) - before_bytes < GROWTH_BYTES


def nothing_heard(sock: socket.socket) -> bool:
    try:
        return not sock.recv(2048)
    except BlockingIOError:
        return True


async def spray(sock: socket.socket, target: Address, datagrams: list[bytes]) -> None:
    for number, data in enumerate(datagrams):
        sock.sendto(data, target)
        if number % 100 == 0:
            await asyncio.sleep(0)


class TestDuringALesson:
    async def test_the_corpora(self, server, watching, address, stranger):
        before = resident_bytes(node(server))
        for _ in range(ROUNDS):
            await spray(stranger, address, corpora())
        await unharmed(server, watching, before)
        assert nothing_heard(stranger)

    async def test_the_corpora_while_others_join(self, server, lesson, watching, address, stranger):
        before = resident_bytes(node(server))
        token = server.more_tokens(lesson, 1)[0]
        spraying = asyncio.create_task(spray(stranger, address, corpora() * ROUNDS))
        async with Viewer(server.whep_url(lesson), token) as newcomer:
            await newcomer.frames(SOME_FRAMES)
        await spraying
        await unharmed(server, watching, before)

    async def test_empty_and_tiny_datagrams(self, server, watching, address, stranger):
        before = resident_bytes(node(server))
        await spray(stranger, address, [bytes([n % 256]) * (n % 4) for n in range(10_000)])
        await unharmed(server, watching, before)

    async def test_empty_and_tiny_datagrams_with_the_viewer_s_own_address(self, server, watching, address):
        before = resident_bytes(node(server))
        with listening() as wire, forging() as raw:
            known = {}
            async with asyncio.timeout(10):
                while len(known) < 2:  # the publisher and the viewer
                    heard = await asyncio.to_thread(hear, wire, address)
                    known[heard.source] = heard
            for heard in known.values():
                for n in range(1000):
                    forge(raw, heard._replace(payload=bytes([n % 256]) * (n % 4)))
        await unharmed(server, watching, before)

    async def test_the_corpora_with_the_peers_own_addresses(self, server, watching, address):
        before = resident_bytes(node(server))
        with listening() as wire, forging() as raw:
            heard = await asyncio.to_thread(hear, wire, address)
            for data in corpora():
                if len(data) <= 1400:  # what fits a packet
                    forge(raw, heard._replace(payload=data))
        await unharmed(server, watching, before)


class TestReplay:
    async def test_media_of_the_lesson_sent_again_goes_nowhere(self, server, watching, address, stranger):
        """REL-F5: from another address, from the same, whole or with a bit turned over."""
        before = resident_bytes(node(server))
        with listening() as wire, forging() as raw:
            heard = [await asyncio.to_thread(hear, wire, address) for _ in range(100)]
            media = [h for h in heard if h.payload and 127 < h.payload[0] < 192]
            assert media
            for _ in range(10):
                for packet in media:
                    turned = packet.payload[:20] + bytes([packet.payload[20] ^ 1]) + packet.payload[21:]
                    stranger.sendto(packet.payload, address)
                    forge(raw, packet)
                    forge(raw, packet._replace(payload=turned))
        await unharmed(server, watching, before)
        assert nothing_heard(stranger)

    async def test_a_connectivity_check_of_a_peer_moves_its_media_nowhere_else(
        self, server, watching, address, stranger
    ):
        """An old check is answered, as ICE must, but media keeps going where it is heard from."""
        with listening() as wire:
            while True:
                heard = await asyncio.to_thread(hear, wire, address)
                if heard.payload[:2] == b"\x00\x01":
                    break
        for _ in range(20):
            stranger.sendto(heard.payload, address)
        await watching.frames(SOME_FRAMES)
        while True:
            try:
                assert stranger.recv(2048)[:1] < b"\x04", "media was sent to a stranger"
            except BlockingIOError:
                break


class TestBeforeIce:
    async def test_handshakes_and_alerts_of_strangers_do_not_stop_a_join(
        self, server: Server, lesson: Lesson, watching: Viewer, address: Address, stranger: socket.socket
    ):
        """REL-F4: records of a handshake reach the port long before the viewer's own."""
        records = [d for d in corpora() if 19 < (d[:1] or b"\0")[0] < 64] + [b"\x15\xfe\xfd" + bytes(10), b""]
        stop = asyncio.Event()

        async def keep_spraying() -> None:
            while not stop.is_set():
                await spray(stranger, address, records)
                await asyncio.sleep(0.05)

        spraying = asyncio.create_task(keep_spraying())
        for token in server.more_tokens(lesson, 3):
            async with Viewer(server.whep_url(lesson), token) as newcomer:
                await newcomer.frames(5)
        stop.set()
        await spraying


def test_the_server_logs_nothing_of_all_that(shared_server: Server):
    """REL section 2: no log line per packet."""
    assert Path(shared_server.log).stat().st_size < 1_000_000
