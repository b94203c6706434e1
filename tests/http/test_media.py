"""WHIP and WHEP at their HTTP edge; the media itself is tested in tests/peers."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.drivers.server import Server, request
from tests.http.test_requests import is_problem

# A viewer's offer as a browser makes it, cut down to one codec: DTLS, ICE, bundle, one audio line.
OFFER = "\r\n".join(
    (
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "c=IN IP4 0.0.0.0",
        "a=rtcp-mux",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=mid:0",
        "a=recvonly",
        "a=rtpmap:111 opus/48000/2",
        "",
    )
).encode()
SDP = "application/sdp"


def watch(server: Server, **headers: str):
    return request(
        "POST",
        server.whep_url(server.demo),
        token=server.token("learner"),
        body=OFFER,
        content_type=SDP,
        headers=headers,
    )


class TestASession:
    def test_is_created_with_an_absolute_location_and_an_entity_tag(self, server: Server) -> None:
        reply = watch(server)
        assert (reply.status, reply.headers["Content-Type"]) == (201, SDP)
        assert reply.headers["Location"].startswith(f"{server.base_url}/whep/{server.demo.id}/")
        assert reply.headers["ETag"].startswith('"')
        assert b"a=setup:passive" in reply.body

    def test_is_patched_and_left_at_its_location(self, server: Server) -> None:
        reply = watch(server)
        where, token = reply.headers["Location"], server.token("learner")
        kind = "application/trickle-ice-sdpfrag"
        fragment = (
            b"a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        )
        etag = {"If-Match": reply.headers["ETag"]}
        patched = request("PATCH", where, token=token, body=fragment, content_type=kind, headers=etag)
        assert (patched.status, patched.body) == (204, b"")
        other = {"If-Match": '"other"'}
        stale = request("PATCH", where, token=token, body=fragment, content_type=kind, headers=other)
        assert is_problem(stale, 412, "etag_mismatch")
        assert request("DELETE", where, token=token).status == 200
        assert is_problem(request("DELETE", where, token=token), 404, "unknown_session")

    def test_belongs_to_who_made_it(self, server: Server, sign) -> None:
        where = watch(server).headers["Location"]
        other = sign(lesson=server.demo.id, person="somebody else")
        assert is_problem(request("DELETE", where, token=other), 403, "forbidden")


class TestAnOffer:
    @pytest.mark.parametrize("body", [b"", b"hello", b"\xff\xfe", b"v=0\r\n" * 3000, b"v=0\r\nm=audio\r\n"])
    def test_that_is_none_is_refused_by_name(self, server: Server, body: bytes) -> None:
        reply = request(
            "POST", server.whep_url(server.demo), token=server.token("learner"), body=body, content_type=SDP
        )
        assert reply.status in (400, 413, 422)
        assert reply.json["code"].startswith("sdp_")

    def test_over_64_kib_is_413(self, server: Server) -> None:
        body = OFFER + b"a=x\r\n" * 14_000
        reply = request(
            "POST", server.whep_url(server.demo), token=server.token("learner"), body=body, content_type=SDP
        )
        assert is_problem(reply, 413, "too_large")

    def test_of_the_corpora_never_fails_the_server(self, server: Server, corpus: Path) -> None:
        for file in sorted((corpus / "sdp").iterdir()):
            reply = request(
                "POST",
                server.whep_url(server.demo),
                token=server.token("learner"),
                body=file.read_bytes(),
                content_type=SDP,
            )
            assert reply.status < 500, (file.name, reply.body)


class TestOtherOrigins:
    @pytest.mark.parametrize("path", ["/whip/x", "/whep/x", "/whip/x/y"])
    def test_are_answered_on_preflight(self, server: Server, path: str) -> None:
        asked = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
        reply = request("OPTIONS", server.base_url + path, headers=asked)
        assert reply.status == 204
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in reply.headers
        for method in ("POST", "PATCH", "DELETE"):
            assert method in reply.headers["Access-Control-Allow-Methods"]
        for name in ("Authorization", "Content-Type", "If-Match"):
            assert name in reply.headers["Access-Control-Allow-Headers"]

    def test_may_read_answers_and_refusals(self, server: Server) -> None:
        origin = {"Origin": "https://other.example"}
        refused = request("POST", server.whep_url(server.demo), body=OFFER, content_type=SDP, headers=origin)
        for reply in (watch(server, **origin), refused):
            assert reply.headers["Access-Control-Allow-Origin"] == "*"
            exposed = reply.headers["Access-Control-Expose-Headers"]
            assert {"Location", "Link", "ETag"} <= set(exposed.replace(" ", "").split(","))

    def test_may_use_the_control_port_but_not_read_the_api(self, server: Server) -> None:
        path = f"/api/v1/lessons/{server.demo.id}/cut"
        asked = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
        assert request("OPTIONS", server.control_url + path, headers=asked).status == 204
        reply = server.api("GET", "/lessons")
        assert "Access-Control-Allow-Origin" not in reply.headers
        assert request("OPTIONS", server.base_url + path, headers=asked).status == 405


def test_links_lead_to_this_server(server: Server) -> None:
    """Whatever host the client used, the session's address is on it."""
    parts = urlsplit(server.base_url)
    reply = watch(server, Host=f"localhost:{parts.port}")
    assert reply.headers["Location"].startswith(f"http://localhost:{parts.port}/whep/")
    assert is_problem(watch(server, Host="a b/../c"), 400, "bad_request")
