"""ICE-TCP: a connection is a way to a peer like any address, and strangers do not keep it."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import AsyncIterator, Iterable

import pytest

from liveserver.rtp import header, stun
from liveserver.rtp.fanout import STREAM
from liveserver.rtp.flags import VIDEO
from liveserver.rtp.srtp import InboundSession, OutboundKeys
from liveserver.sfu import tcp
from liveserver.sfu.answer import Candidate, IceCredentials, candidate_lines
from liveserver.sfu.front import Event, Kind
from liveserver.sfu.tcp import STRANGER_S, TcpPort
from tests.sfu.hall import GCM, ROOM, Hall

DTLS = bytes([22, 254, 253]) + bytes(50)


class Client:
    """A learner's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    def send(self, *packets: bytes) -> None:
        self.writer.write(b"".join(len(packet).to_bytes(2) + packet for packet in packets))

    async def packet(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readexactly(int.from_bytes(await self.reader.readexactly(2)))

    async def check(self, ice: IceCredentials, *, nominate: bool = True) -> stun.Message:
        self.send(
            stun.binding_request(bytes(12), f"{ice.ufrag}:them", ice.pwd.encode(), use_candidate=nominate)
        )
        return stun.parse(await self.packet())

    async def is_closed(self) -> bool:
        async with asyncio.timeout(10):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


class Port:
    def __init__(self, hall: Hall):
        self.hall = hall
        self.events: list[Event] = []
        self.came = asyncio.Event()
        self.tcp = TcpPort.bind("127.0.0.1", hall.front.port, hall.front, self._take)
        self.tcp.start()
        self._clients: list[Client] = []

    def _take(self, events: Iterable[Event]) -> None:
        self.events += events
        self.came.set()

    async def event(self) -> Event:
        async with asyncio.timeout(10):
            while not self.events:
                self.came.clear()
                await self.came.wait()
        return self.events.pop(0)

    async def client(self) -> Client:
        made = Client(*await asyncio.open_connection("127.0.0.1", self.tcp.port))
        self._clients.append(made)
        return made

    async def close(self) -> None:
        self.tcp.stop()
        for client in self._clients:
            client.writer.close()


@pytest.fixture
async def port(hall: Hall) -> AsyncIterator[Port]:
    made = Port(hall)
    yield made
    await made.close()


class TestOffer:
    def test_candidates_are_passive_and_come_after_udp(self):
        lines = candidate_lines([Candidate("192.0.2.1", 7), Candidate("192.0.2.1", 7, "tcp")])
        assert lines[1] == "a=candidate:2 1 tcp 1526726399 192.0.2.1 7 typ host tcptype passive"
        assert int(lines[0].split()[3]) > int(lines[1].split()[3])

    async def test_it_listens_on_the_number_of_the_udp_port(self, port):
        assert port.tcp.port == port.hall.front.port

    async def test_or_on_another_when_that_is_taken(self, port):
        other = TcpPort.bind("127.0.0.1", port.tcp.port, port.hall.front, print)
        assert other.port != port.tcp.port
        other.start()
        other.stop()


class TestPeers:
    async def test_a_check_is_answered_with_the_address_it_was_seen_from(self, port):
        endpoint, client = port.hall.front.add(object(), IceCredentials.new()), await port.client()
        answer = await client.check(endpoint.ice)
        assert answer.cls is stun.Class.SUCCESS and answer.verify_integrity(endpoint.ice.pwd.encode())
        assert answer.mapped == client.writer.get_extra_info("sockname")
        assert endpoint.selected is not None and endpoint.selected[0] == "tcp"

    async def test_records_and_media_pass_both_ways(self, port):
        hall = port.hall
        endpoint, client = hall.front.add(object(), IceCredentials.new()), await port.client()
        await client.check(endpoint.ice)
        client.send(DTLS)
        assert await port.event() == Event(Kind.DTLS, endpoint, DTLS)
        endpoint.send(b"\x16answer")
        assert await client.packet() == b"\x16answer"
        key, salt = bytes(16), bytes(12)
        session = hall.fanout.add_session(GCM, bytes([1]) * 16, salt, "0.0.0.0", 0)
        endpoint.open(GCM, key, salt, session, is_viewer=False)
        keys = OutboundKeys(GCM, key, salt)
        head = header.build(payload_type=96, sequence=1, timestamp=1, ssrc=1)
        client.send(keys.rtp.protect(1, 1, head, b"media"))
        assert (await port.event()).data == head + b"media"
        table = hall.fanout.add_table(ROOM, VIDEO)
        hall.fanout.set_live(hall.fanout.add_row(table, session, 5, 102, 6, 103, 0, b""), True)
        hall.fanout.send(table, [head + b"media"], hall.clock.now_ns)
        inbound = InboundSession(GCM, bytes([1]) * 16, salt)
        assert header.parse(inbound.unprotect(await client.packet())).payload == b"media"

    async def test_packets_arrive_in_any_pieces(self, port):
        endpoint, client = port.hall.front.add(object(), IceCredentials.new()), await port.client()
        await client.check(endpoint.ice)
        whole = b"".join(len(p).to_bytes(2) + p for p in (DTLS, DTLS + b"2", DTLS + b"3"))
        for octet in whole:
            client.writer.write(bytes((octet,)))
            await client.writer.drain()
        assert [len((await port.event()).data) for _ in range(3)] == [53, 54, 54]

    async def test_authenticated_media_moves_from_udp_to_tcp(self, port):
        hall = port.hall
        endpoint, client = hall.front.add(object(), IceCredentials.new()), await port.client()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            check = stun.binding_request(bytes(12), f"{endpoint.ice.ufrag}:x", endpoint.ice.pwd.encode())
            udp.sendto(check, hall.socket.getsockname())
            hall.front.poll()
            assert endpoint.selected == udp.getsockname()
        endpoint.open(GCM, bytes(16), bytes(12), 0, is_viewer=False)
        await client.check(endpoint.ice, nominate=False)
        head = header.build(payload_type=96, sequence=1, timestamp=1, ssrc=1)
        client.send(OutboundKeys(GCM, bytes(16), bytes(12)).rtp.protect(1, 1, head, b"media"))
        await port.event()
        assert endpoint.selected[0] == "tcp"

    async def test_who_leaves_is_not_reached_there_any_more(self, port):
        endpoint, client = port.hall.front.add(object(), IceCredentials.new()), await port.client()
        await client.check(endpoint.ice)
        client.writer.close()
        await _until_empty(port.tcp)
        assert (endpoint.selected, endpoint.addresses) == (None, [])
        endpoint.send(b"\x16nobody")


async def _until_empty(listener: TcpPort) -> None:
    async with asyncio.timeout(10):
        while listener.connections:  # noqa: ASYNC110 - there is nothing to wait for but the system
            await asyncio.sleep(0.01)


class TestStrangers:
    @pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff", b"\x05\xdd"])
    async def test_what_is_no_packet_ends_the_connection(self, port, data):
        client = await port.client()
        client.writer.write(data)
        assert await client.is_closed()
        assert port.tcp.counters["malformed"] == 1

    async def test_who_says_nothing_valid_is_closed_after_a_while(self, port):
        client, endpoint = await port.client(), port.hall.front.add(object(), IceCredentials.new())
        friend = await port.client()
        await friend.check(endpoint.ice)
        client.send(
            b"", b"\x16", DTLS, b"\x80" + bytes(50), stun.binding_request(bytes(12), "guess:x", b"guess")
        )
        await asyncio.sleep(0)
        port.tcp.tend(STRANGER_S)
        assert port.tcp.connections == 2
        port.tcp.tend(0.1)
        assert await client.is_closed()
        assert (port.tcp.connections, port.events) == (1, [])

    async def test_a_connection_outlives_its_peer_no_longer(self, port):
        endpoint, client = port.hall.front.add(object(), IceCredentials.new()), await port.client()
        await client.check(endpoint.ice)
        port.hall.front.remove(endpoint)
        port.tcp.tend(STRANGER_S + 0.1)
        assert await client.is_closed()

    async def test_one_address_has_a_bounded_number(self, port, monkeypatch):
        monkeypatch.setattr(tcp, "MAX_FROM_ONE_ADDRESS", 2)
        clients = [await port.client() for _ in range(3)]
        assert await clients[2].is_closed()
        assert (port.tcp.connections, port.tcp.counters["refused"]) == (2, 1)

    async def test_without_descriptors_the_loop_goes_on_and_later_they_are_accepted(self, port, monkeypatch):
        monkeypatch.setattr(tcp, "_ACCEPT_AGAIN_S", 0.05)
        client = socket.create_connection(("127.0.0.1", port.tcp.port))
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            await asyncio.sleep(0.12)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert 1 <= port.tcp.counters["accept_error"] <= 4, "it must not spin"
        async with asyncio.timeout(10):
            while not port.tcp.connections:  # noqa: ASYNC110 - there is nothing to wait for but the system
                await asyncio.sleep(0.01)
        client.close()

    async def test_who_does_not_read_loses_packets_and_nobody_else_does(self, port):
        hall = port.hall
        endpoint, client = hall.front.add(object(), IceCredentials.new()), await port.client()
        await client.check(endpoint.ice)
        for _ in range(20_000):
            endpoint.send(b"\x16" + bytes(1000))
        assert hall.fanout.stats.dropped > 0
        other, friend = hall.front.add(object(), IceCredentials.new()), await port.client()
        assert (await friend.check(other.ice)).cls is stun.Class.SUCCESS


class TestWhatTheKernelHolds:
    """For a cut: what was handed over and is not on the wire yet."""

    @pytest.fixture
    async def held(self, port: Port) -> AsyncIterator[tuple[socket.socket, int]]:
        """A client that does not read, and its stream, whose queue is full."""
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # less than its stream's queue
            client.connect(("127.0.0.1", port.tcp.port))
            async with asyncio.timeout(10):
                while not port.tcp.connections:  # noqa: ASYNC110 - the port has nobody to tell
                    await asyncio.sleep(0)
            (stream,) = port.tcp._connections
            while port.hall.fanout.post(STREAM, stream, bytes(1400)):
                pass
            client.settimeout(5)
            yield client, stream

    async def test_is_seen_until_it_has_left(self, port, held):
        client, stream = held
        assert port.tcp.unsent(stream) > 0
        while port.tcp.unsent(stream):
            await asyncio.to_thread(client.recv, 1 << 20)

    async def test_is_timed_by_the_kernel_when_it_leaves(self, port, held):
        client, stream = held
        before_ns = time.monotonic_ns()
        while port.tcp.unsent(stream):
            await asyncio.to_thread(client.recv, 1 << 20)
        await asyncio.sleep(0.3)  # looked at late, it is not thought to have left late
        looked_ns = time.monotonic_ns()
        assert before_ns <= port.tcp.last_sent_ns(stream, looked_ns) < looked_ns - 150_000_000

    async def test_never_leaves_once_the_connection_is_reset(self, port, held):
        client, stream = held
        port.tcp.reset(stream)
        assert (port.tcp.connections, port.tcp.unsent(stream)) == (0, 0)
        with pytest.raises(ConnectionResetError):
            while await asyncio.to_thread(client.recv, 1 << 20):
                pass

    async def test_a_connection_that_is_gone_holds_nothing(self, port):
        assert (port.tcp.unsent(99), port.tcp.last_sent_ns(99, 5)) == (0, 0)
        port.tcp.reset(99)
