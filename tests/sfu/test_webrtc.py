"""aiortc's SCTP under our adapter: the bounds and the ends it lacks, and that nothing of it waits."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import AbortChunk, InitChunk, RTCSctpTransport, parse_packet

from liveserver.sfu import webrtc
from liveserver.sfu.webrtc import DataChannel, Sctp, open_sctp


class Association:
    """A server's end and a client's. What they say waits on the wire until `deliver`."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []  # all that the server has said
        self.texts: list[str | bytes] = []
        self.breaches: list[str] = []
        self.channels: list[DataChannel] = []
        self._to_client: deque[bytes] = deque()
        self._to_server: deque[bytes] = deque()
        self.server = open_sctp(
            self._say, 5000, 65536, self.channels.append, self.texts.append, self.breaches.append
        )
        self.client = Sctp(self._to_server.append, 5000, self.breaches.append)

    def _say(self, packet: bytes) -> None:
        self.sent.append(packet)
        self._to_client.append(packet)

    def deliver(self) -> None:
        while self._to_client or self._to_server:
            while self._to_server:
                self.server.receive(self._to_server.popleft())
            while self._to_client:
                self.client.receive(self._to_client.popleft())

    def join(self) -> RTCDataChannel:
        """The client initiates and opens `control`, all within this call."""
        self.client.begin(5000, 65536)
        webrtc._run_to_end(RTCSctpTransport._init(self.client))
        channel = self.open("control")
        self.deliver()
        return channel

    def open(self, label: str) -> RTCDataChannel:
        return RTCDataChannel(self.client, RTCDataChannelParameters(label=label))


@pytest.fixture
async def association() -> Association:
    return Association()


class TestBeginning:
    async def test_a_client_that_initiates_is_joined_without_a_turn_of_the_loop(self, association):
        tasks = len(asyncio.all_tasks())
        channel = association.join()
        assert [type(channel) for channel in association.channels] == [DataChannel]
        assert channel.readyState == "open"
        assert len(asyncio.all_tasks()) == tasks

    async def test_the_server_leaves_the_initiative_to_the_client(self, association):
        association.join()
        chunks = [chunk for packet in association.sent for chunk in parse_packet(packet)[3]]
        assert not any(isinstance(chunk, InitChunk) for chunk in chunks)

    async def test_a_client_that_waits_is_invited(self, monkeypatch):
        monkeypatch.setattr(webrtc, "_INIT_PATIENCE_S", 0.0)
        association, invited = Association(), asyncio.Event()
        association.server._t1_start = lambda chunk: invited.set()
        await asyncio.wait_for(invited.wait(), 10)
        assert isinstance(parse_packet(association.sent[0])[3][0], InitChunk)


class TestMessages:
    async def test_they_go_both_ways_in_order(self, association):
        channel = association.join()
        heard: list[str] = []
        channel.on("message", heard.append)
        for number in range(100):
            association.channels[0].send(str(number))
            channel.send(str(-number))
        association.deliver()
        assert heard == [str(number) for number in range(100)]
        assert association.texts == [str(-number) for number in range(100)]
        assert association.channels[0].backlog == 0

    async def test_one_that_is_too_long_ends_the_peer(self, association):
        channel = association.join()
        channel.send("x" * webrtc.MAX_MESSAGE_BYTES)
        association.deliver()
        assert association.breaches == []
        association.client._remote_max_message_size = 0
        channel.send("x" * (webrtc.MAX_MESSAGE_BYTES + 1))
        association.deliver()
        assert association.breaches[0] == "too_large"

    async def test_more_channels_than_allowed_end_the_peer(self, association):
        association.join()
        for _ in range(webrtc.MAX_STREAMS + 1):
            association.open("more")
        association.deliver()
        assert "sctp_flood" in association.breaches


class TestAfterTheEnd:
    async def test_a_packet_over_a_closed_session_is_not_sent_and_nobody_is_told(self):
        def closed(packet: bytes) -> None:
            raise ConnectionError("the DTLS session is closed")

        breaches: list[str] = []
        sctp = Sctp(closed, 5000, breaches.append)
        sctp.begin(5000, 65536)
        await sctp._send_chunk(AbortChunk())
        assert breaches == []

    async def test_the_client_is_told_of_the_end(self, association):
        channel = association.join()
        association.server.end()
        association.deliver()
        assert channel.readyState == "closed"

    async def test_words_for_a_closed_channel_are_dropped(self, association):
        association.join()
        association.server.end()
        sent = len(association.sent)
        association.channels[0].send("late")
        assert len(association.sent) == sent
