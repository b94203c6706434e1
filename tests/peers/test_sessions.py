"""WHEP sessions of real peers: joining late, leaving, restarting ICE, and a certificate that does not fit."""

from __future__ import annotations

import asyncio
import secrets
import socket

import aiohttp
import pytest

from liveserver.rtp import stun
from loadtest.viewer import Viewer
from tests.drivers.process import until
from tests.drivers.server import request
from tests.peers.conftest import SOME_FRAMES

pytestmark = pytest.mark.usefixtures("network")


def track(server, lesson, name: str) -> dict:
    """The publisher's track as /debug/rooms shows it."""
    rooms = request("GET", f"{server.base_url}/debug/rooms").json["rooms"]
    stage = next(room["stage"] for room in rooms if room["lesson"] == lesson.id)
    return next(one for one in stage["publisher"]["tracks"] if one["track"] == name) | {
        "sample": stage["sample"]
    }


class TestJoiningLate:
    async def test_the_first_picture_comes_from_the_cache_not_from_the_source(
        self, server, lesson, watching, on_air
    ):
        for token in server.more_tokens(lesson, 3):
            before = track(server, lesson, "camera").get("keyframes_asked", 0)
            async with Viewer(server.whep_url(lesson), token) as late:
                await late.frames(3)
                shown = track(server, lesson, "camera")
                assert shown.get("keyframes_asked", 0) - before <= 1  # the 2 s cadence may fall in between
                replayed = [
                    link.get("replayed", 0)
                    for viewer in shown["sample"]
                    for link in viewer["downlinks"]
                    if link["track"] == "camera"
                ]
                assert len(replayed) == 2
                assert min(replayed) > 0

    async def test_it_catches_up_with_who_was_there_before(self, server, lesson, watching):
        token = server.more_tokens(lesson, 1)[0]
        async with Viewer(server.whep_url(lesson), token) as late:
            await late.frames(2 * SOME_FRAMES)
            await watching.frames(1)
            ages = late.seen.ages_ms[-1], watching.seen.ages_ms[-1]
            assert abs(ages[0] - ages[1]) < 1000, "half the distance of keyframes, for a busy machine"
            states = [
                link["live"] for v in track(server, lesson, "camera")["sample"] for link in v["downlinks"]
            ]
            assert states and all(states)


class TestLeaving:
    async def test_delete_ends_the_session_and_its_address_is_unknown_then(self, server, lesson, watching):
        session = watching.session
        async with aiohttp.ClientSession() as http:
            async with http.delete(session._resource, headers=session._headers) as answer:
                assert answer.status == 200
            async with http.delete(session._resource, headers=session._headers) as answer:
                assert answer.status == 404
        await asyncio.to_thread(server.wait_lesson, lesson, viewers=0)


class TestRestartingIce:
    async def test_new_credentials_are_answered_old_ones_are_not_and_the_picture_goes_on(
        self, server, lesson, watching, media_address
    ):
        address, session = media_address(watching), watching.session
        old = credentials(watching._connection.remoteDescription.sdp)
        fragment = "a=ice-ufrag:wxyz\r\na=ice-pwd:zzzzzzzzzzzzzzzzzzzzzzzz\r\n"
        headers = session._headers | {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
        async with aiohttp.ClientSession() as http:
            async with http.patch(session._resource, data=fragment, headers=headers) as answer:
                assert answer.status == 200
                new = credentials(await answer.text())
                etag = answer.headers["ETag"]
            stale = headers | {"If-Match": '"stale"'}
            async with http.patch(session._resource, data="a=candidate:1\r\n", headers=stale) as answer:
                assert answer.status == 412
            current = headers | {"If-Match": etag}
            async with http.patch(session._resource, data="a=candidate:1\r\n", headers=current) as answer:
                assert answer.status == 204
        assert new != old
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            for ufrag, pwd in (old, new):
                sock.sendto(
                    stun.binding_request(secrets.token_bytes(12), f"{ufrag}:wxyz", pwd.encode()), address
                )
            found = stun.parse(await asyncio.to_thread(sock.recv, 2048))
            assert found.verify_integrity(new[1].encode())
            assert found.mapped[1] == sock.getsockname()[1]
        await watching.frames(SOME_FRAMES)


def credentials(sdp: str) -> tuple[str, str]:
    lines = sdp.splitlines()
    ufrag = next(line for line in lines if line.startswith("a=ice-ufrag:"))
    pwd = next(line for line in lines if line.startswith("a=ice-pwd:"))
    return ufrag.partition(":")[2], pwd.partition(":")[2]


class TestAnotherCertificate:
    async def test_than_the_offer_named_gets_no_media_and_is_closed(self, server, lesson, on_air):
        """REL-A1."""
        token = server.more_tokens(lesson, 1)[0]
        viewer = Viewer(server.whep_url(lesson), token)
        viewer.session._http = Liar(viewer.session._http)
        async with viewer:
            resource = viewer.session._resource
            headers = viewer.session._headers | {"Content-Type": "application/trickle-ice-sdpfrag"}

            async def status() -> int:
                async with viewer._http.patch(resource, data="", headers=headers) as answer:
                    return answer.status

            async with asyncio.timeout(15):
                while await status() != 404:  # noqa: ASYNC110 - the server has no way to tell
                    await asyncio.sleep(0.1)
            assert viewer.seen.frames == viewer.seen.audio_frames == 0
        until(lambda: server.lesson(lesson)["viewers"] == 0, "nobody counted")


class Liar:
    """Posts offers with another fingerprint than the certificate has."""

    def __init__(self, http: aiohttp.ClientSession):
        self._http = http

    def post(self, url: str, *, data: str, **how: object):
        lines = [
            "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
            if line.startswith("a=fingerprint:sha-256")
            else line
            for line in data.splitlines()
            if not line.startswith(("a=fingerprint:sha-384", "a=fingerprint:sha-512"))
        ]
        return self._http.post(url, data="\r\n".join(lines) + "\r\n", **how)

    def delete(self, url: str, **how: object):
        return self._http.delete(url, **how)
