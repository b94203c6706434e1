"""The door's one request, byte for byte: what nginx sends is read, all else is refused (RELIABILITY F8)."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.http import door_wire as wire

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwIn0.c2ln-_"
SENT = (
    f"GET /hls/lesson-1/access?token={TOKEN} HTTP/1.1\r\nHost: class.example\r\n"
    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nLL-Edge: 1\r\n\r\n"
).encode()


def refused(head: bytes) -> PeerError:
    with pytest.raises(PeerError) as found:
        wire.read(head)
    return found.value


class TestWhatNginxSends:
    def test_is_a_question(self) -> None:
        asked = wire.read(SENT)
        assert (asked.lesson, asked.token, asked.is_last) == ("lesson-1", TOKEN, False)
        assert asked.forwarded() == ["192.0.2.7"]

    def test_without_a_token_is_one_too(self) -> None:
        assert wire.read(SENT.replace(TOKEN.encode(), b"")).token == ""

    def test_may_end_the_connection(self) -> None:
        assert wire.read(SENT.replace(b"LL-Edge: 1", b"connection: close")).is_last


class TestAnythingElse:
    @pytest.mark.parametrize(
        ("was", "now"),
        [
            (b"GET", b"POST"),
            (b"GET", b"get"),
            (b"HTTP/1.1", b"HTTP/1.0"),
            (b"GET /", b"GET  /"),
            (b"GET /", b"GET http://class.example/"),
            (b"/access?", b"/video.m3u8?"),
            (b"/access?", b"/../x/access?"),
            (b"lesson-1", b""),
            (b"lesson-1", b"l" * 65),
            (b"lesson-1", b"%2e%2e"),
            (b"token=", b"token=%41"),
            (b"token=", b"_HLS_msn=1&token="),
            (b" HTTP/1.1", b"&more=1 HTTP/1.1"),
            (b"Host: class.example\r\n", b""),
            (b"LL-Edge: 1", b"Host: other.example"),
            (b"LL-Edge: 1", b"Content-Length: 0"),
            (b"LL-Edge: 1", b"content-length: 5"),
            (b"LL-Edge: 1", b"Transfer-Encoding: chunked"),
            (b"LL-Edge: 1", b"Upgrade: websocket"),
            (b"LL-Edge: 1", b"Expect: 100-continue"),
            (b"LL-Edge: 1", b"LL-Edge : 1"),
            (b"LL-Edge: 1", b" folded"),
            (b"LL-Edge: 1", b"LL-Edge"),
            (b"LL-Edge: 1", b": 1"),
            (b"LL-Edge: 1", b"LL-Edge: \x00"),
            (b"LL-Edge: 1\r\n", b"LL-Edge: 1\n"),
            (b"LL-Edge: 1", b"LL-Edge: 1\rX: 2"),
        ],
    )
    def test_is_refused(self, was: bytes, now: bytes) -> None:
        head = SENT.replace(was, now)
        assert head != SENT
        error = refused(head)
        assert (error.code, error.status) == ("bad_request", 400)

    def test_too_long_is_said_so(self) -> None:
        long = SENT.replace(b"LL-Edge: 1", b"X: " + b"x" * wire.HEAD_MOST)
        assert (refused(long).code, refused(long).status) == ("too_large", 431)
        token = SENT.replace(TOKEN.encode(), b"x" * 2049)
        assert refused(token).status == 400

    @given(st.binary(max_size=600) | st.binary(max_size=40).map(lambda more: SENT[:-2] + more + b"\r\n\r\n"))
    @example(SENT * 2)
    def test_is_read_or_refused(self, head: bytes) -> None:
        try:
            wire.read(head)
        except PeerError as error:
            assert error.status in (400, 431)


class TestAnAnswer:
    def test_of_204_has_no_length(self) -> None:
        assert wire.answer(204, {"LL-Run": "0a0b0c0d"}) == (
            b"HTTP/1.1 204 No Content\r\nServer: liveserver\r\nX-Content-Type-Options: nosniff\r\n"
            b"LL-Run: 0a0b0c0d\r\n\r\n"
        )

    def test_of_a_refusal_says_its_length_and_its_end(self) -> None:
        said = wire.answer(403, {}, b"{}", is_last=True)
        assert said.endswith(b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
