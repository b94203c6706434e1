"""Viewers by TCP: whole packets or none, whatever the far end reads."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from liveserver.core.errors import PeerError
from liveserver.rtp import header
from liveserver.rtp.fanout import STREAM
from liveserver.rtp.flags import VIDEO
from tests.rtp.stage import (
    NOW_NS,
    ROOM,
    source,
)


class TestStreams:
    """ICE-TCP: packets behind their lengths (RFC 4571), dropped whole when the peer does not read."""

    @pytest.fixture
    def ends(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        listener = socket.create_server(("127.0.0.1", 0))
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
        theirs.settimeout(5)
        yield ours, theirs
        for one in (listener, theirs, ours):
            one.close()

    def frames(self, data: bytes) -> list[bytes]:
        found = []
        while data:
            size = int.from_bytes(data[:2])
            found.append(data[2 : 2 + size])
            data = data[2 + size :]
        return found

    def test_media_reports_and_octets_leave_on_the_stream(self, stage, ends):
        ours, theirs = ends
        viewer, row = stage.row()
        stream = stage.fanout.add_stream(ours.fileno())
        stage.fanout.move_session(stage.sessions[viewer], STREAM, stream)
        assert stage.send(1, 2) == 2
        assert stage.fanout.post(STREAM, stream, b"stun")
        assert stage.fanout.report(row, 1, 1, b"x")
        frames = self.frames(theirs.recv(5000))
        assert [header.parse(viewer.session.unprotect(data)).sequence for data in frames[:2]] == [1, 2]
        assert frames[2] == b"stun" and header.is_rtcp(frames[3]) and len(frames) == 4
        assert viewer.datagrams() == []

    def test_who_does_not_read_loses_packets_whole(self, stage, ends):
        ours, theirs = ends
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        stream = stage.fanout.add_stream(ours.fileno())
        taken = [n for n in range(5000) if stage.fanout.post(STREAM, stream, n.to_bytes(2) + bytes(1000))]
        assert stage.fanout.stats.dropped == 5000 - len(taken) > 0
        assert stage.fanout.pace(NOW_NS) == (NOW_NS + 10_000_000, [])
        data = bytearray()
        while len(data) < len(taken) * 1004:
            data += theirs.recv(1 << 20)
            stage.fanout.pace(NOW_NS)
        assert [int.from_bytes(frame[:2]) for frame in self.frames(bytes(data))] == taken
        assert stage.fanout.pace(NOW_NS) == (-1, [])

    def test_a_broken_or_removed_stream_drops(self, stage, ends):
        ours, theirs = ends
        stream = stage.fanout.add_stream(ours.fileno())
        theirs.close()
        ours.shutdown(socket.SHUT_RDWR)
        assert not stage.fanout.post(STREAM, stream, b"gone")
        stage.fanout.remove_stream(stream)
        assert not stage.fanout.post(STREAM, stream, b"gone")
        assert stage.fanout.stats.dropped == 2

    def test_media_that_waits_is_taken_back_in_the_dark_and_what_has_begun_cannot_be_opened(
        self, stage, ends
    ):
        ours, theirs = ends
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        viewer, _ = stage.row()
        stream = stage.fanout.add_stream(ours.fileno())
        stage.fanout.move_session(stage.sessions[viewer], STREAM, stream)
        numbers = list(range(1, 200))
        for number in numbers:
            stage.fanout.send(stage.table, [source(number, payload=bytes(997))], NOW_NS)
        assert stage.fanout.stats.dropped > 0
        stage.flags.darken(ROOM, VIDEO)
        stage.flags.darken(ROOM, 0)  # light again before anybody looked
        assert stage.fanout.post(STREAM, stream, b"\x14 a farewell by DTLS")
        assert stage.fanout.stats.held > 0
        data = b""
        while b"farewell" not in data:
            data += theirs.recv(1 << 20)
            stage.fanout.pace(NOW_NS)
        *media, farewell = self.frames(data)
        assert farewell == b"\x14 a farewell by DTLS"
        opened = []
        for packet in media:
            with contextlib.suppress(PeerError):
                opened.append(header.parse(viewer.session.unprotect(packet)).sequence)
        assert opened == numbers[: len(opened)]
        assert len(media) - len(opened) <= 1
        assert len(opened) + stage.fanout.stats.held == stage.fanout.stats.sent - 1

    def test_only_media_is_taken_back(self, stage, ends):
        ours, theirs = ends
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        viewer, row = stage.row()
        stream = stage.fanout.add_stream(ours.fileno())
        stage.fanout.move_session(stage.sessions[viewer], STREAM, stream)
        while stage.fanout.pace(NOW_NS)[0] < 0:  # until something waits
            stage.fanout.post(STREAM, stream, bytes(4000))
        assert stage.send(1) == 1 and stage.fanout.report(row, 1, 1, b"x")
        stage.flags.darken(ROOM, VIDEO)
        data = b""
        while stage.fanout.pace(NOW_NS)[0] >= 0:
            data += theirs.recv(1 << 20)
        while not header.is_rtcp((frames := self.frames(data))[-1]):
            data += theirs.recv(1 << 20)
        assert set(frames[:-1]) == {bytes(4000)}
        assert stage.fanout.stats.held == 1
