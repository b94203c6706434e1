"""One who misbehaves, or vanishes, is noticed by nobody else: their pictures go on coming."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.browser.classroom import Classroom
from tests.drivers.chromium import Chromium
from tests.drivers.server import request
from tests.drivers.tab import Tab

GARBAGE = random.Random(1)
# A WHEP client that sends `bodies` on the control channel and gives back the codes it is answered.
RUDE_CLIENT = """({ url, token, bodies }) => new Promise(async (done) => {
  const pc = new RTCPeerConnection();
  const channel = pc.createDataChannel('control');
  const codes = [];
  channel.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'error') codes.push(message.code);
    if (codes.length === bodies.length) { pc.close(); done(codes); }
  };
  channel.onopen = () => bodies.forEach((body) => channel.send(body));
  pc.addTransceiver('audio', { direction: 'recvonly' });
  await pc.setLocalDescription();
  const headers = { 'Content-Type': 'application/sdp', Authorization: `Bearer ${token}` };
  const answer = await fetch(url, { method: 'POST', body: pc.localDescription.sdp, headers });
  await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
})"""


@pytest.fixture
def unharmed(classroom: Classroom) -> Iterator[Callable[[], None]]:
    """A lesson with one good learner; calling it shows that his pictures and sound still come."""
    classroom.teach()
    learner: Tab = classroom.learn(token=classroom.server.more_tokens(classroom.lesson, 1)[0])
    learner.wait_moving()

    def look() -> None:
        learner.wait_frames(50)
        learner.wait_moving()
        learner.wait_heard()

    return look


def media_address(tab: Tab) -> tuple[str, int]:
    """Where the server receives media: the remote candidate in use."""
    found = tab.until(lambda: tab.evaluate("() => watch.stats('remote-candidate')"), "WebRTC", timeout_s=20)
    entry = found[0]
    return entry["address"], entry["port"]


class TestAVanishedLearner:
    def test_a_killed_browser_is_noticed_only_in_the_count(self, classroom: Classroom, unharmed):
        """The count follows when its consent to receive has expired, 30 s later (RFC 7675 section 5.1)."""
        with Chromium() as browser:
            tab = browser.tab(classroom.server.learn_link(classroom.lesson))
            tab.wait_moving()
            assert classroom.server.lesson(classroom.lesson)["viewers"] == 2
            browser.kill()
            unharmed()
        classroom.server.wait_lesson(classroom.lesson, timeout_s=60, viewers=1)


class TestTheMediaPort:
    def test_datagrams_from_strangers_do_nothing(self, classroom: Classroom, unharmed):
        address = media_address(classroom.tabs[-1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for length in (0, 1, 2, 11, 12, 20, 27, 100, 1200, 1500, 9000):
                for first in (None, 0, 1, 2, 20, 22, 63, 64, 80, 127, 128, 144, 191, 192, 200, 255):
                    content = GARBAGE.randbytes(length)
                    if first is not None and length:
                        content = bytes([first]) + content[1:]
                    stranger.sendto(content, address)
        unharmed()

    def test_datagrams_with_a_forged_stun_header_do_nothing(self, classroom: Classroom, unharmed):
        address = media_address(classroom.tabs[-1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(200):
                length = GARBAGE.choice([0, 4, 8, 64, 400])
                header = b"\x00\x01" + length.to_bytes(2, "big") + b"\x21\x12\xa4\x42" + os.urandom(12)
                stranger.sendto(header + GARBAGE.randbytes(length), address)
        unharmed()


class TestTheHttpPort:
    @pytest.mark.parametrize(
        "body",
        [b"", b"v=0", b"\xff" * 100, b"v=0\r\n" * 5000, b"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 400],
        ids=["empty", "cut short", "not text", "long", "endless media"],
    )
    @pytest.mark.parametrize("way", ["whip", "whep"])
    def test_a_malformed_offer_is_refused_by_name(self, server, lesson, way, body):
        token = lesson.tokens["instructor" if way == "whip" else "learner"]
        url = server.whip_url(lesson) if way == "whip" else server.whep_url(lesson)
        reply = request("POST", url, token=token, body=body, content_type="application/sdp")
        assert reply.status in (400, 413, 422)
        assert reply.json["code"] in ("sdp_malformed", "sdp_too_large", "sdp_unsupported", "no_common_codec")

    def test_a_malformed_offer_does_not_disturb_the_lesson_it_names(self, classroom: Classroom, unharmed):
        server, lesson = classroom.server, classroom.lesson
        for token, url in (
            (lesson.tokens["instructor"], server.whip_url(lesson)),
            (lesson.tokens["learner"], server.whep_url(lesson)),
        ):
            for body in (b"", b"v=0\r\nm=", GARBAGE.randbytes(3000)):
                request("POST", url, token=token, body=body, content_type="application/sdp")
        unharmed()

    @pytest.mark.parametrize("body", [b"{", b"[]", b'"cut"', b"\xff\xfe", b"[" * 5000, b'{"level": 7}'])
    def test_malformed_json_is_refused_by_name(self, server, lesson, body):
        reply = request(
            "POST",
            f"{server.base_url}/api/v1/lessons/{lesson.id}/cut",
            token=server.token("moderator"),
            body=body,
        )
        assert reply.status in (400, 422)
        assert reply.json["code"] in ("bad_json", "bad_message", "bad_request")


class TestTheControlChannel:
    def test_malformed_messages_are_answered_and_harm_nobody(self, classroom: Classroom, unharmed):
        rude = classroom.learn()
        codes = rude.evaluate(
            RUDE_CLIENT,
            {
                "url": classroom.server.whep_url(classroom.lesson),
                "token": classroom.server.more_tokens(classroom.lesson, 1)[0],
                "bodies": ["{", "[]", '{"type": 1}', '{"type": "fly"}', '{"type": "chat"}'],
            },
        )
        assert codes == ["bad_json", "bad_message", "bad_message", "unknown_type", "bad_message"]
        unharmed()
