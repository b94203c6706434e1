"""What light viewers offer, and what they read of answers and of Janus' offers."""

from __future__ import annotations

import pytest

from loadtest.swarm import sdp
from loadtest.swarm.sdp import Ours, UnsuitableError

OURS = Ours("ufrag", "password", "AA:BB")
ANSWER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=ice-lite
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=sendonly
a=rtpmap:111 opus/48000/2
a=ice-ufrag:theirs
a=ice-pwd:secret
a=fingerprint:sha-256 0a:0b
a=setup:passive
a=candidate:1 1 udp 100 192.0.2.1 5000 typ host
a=candidate:2 1 udp 900 192.0.2.2 5001 typ host
a=candidate:3 1 tcp 999 192.0.2.2 9 typ host tcptype active
a=candidate:4 1 udp 950 3b2c.local 5001 typ host
m=video 9 UDP/TLS/RTP/SAVPF 102 103
a=mid:1
a=sendonly
a=rtpmap:102 H264/90000
a=fmtp:102 packetization-mode=1
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=ssrc:7 cname:x
"""


CANDIDATE = "a=candidate:1 1 udp 1 192.0.2.3 1 typ host\n"  # real offers have none: the server is ICE-lite


class TestOffer:
    def test_a_viewer_offers_to_receive_what_browsers_do(self):
        text = sdp.viewer_offer(OURS)
        offer = sdp.read(text + CANDIDATE)
        assert [(media.kind, media.direction) for media in offer.media] == [
            ("audio", "recvonly"),
            ("video", "recvonly"),
        ]
        assert list(offer.media[1].codecs.values()) == ["h264", "rtx", "vp8", "rtx"]
        assert "packetization-mode=1;profile-level-id=42e01f" in offer.media[1].parameters[102]
        for feedback in ("nack", "nack pli", "ccm fir", "goog-remb"):
            assert f"a=rtcp-fb:102 {feedback}\r\n" in text
        assert (offer.ufrag, offer.password, offer.setup) == ("ufrag", "password", "actpass")

    def test_a_publishers_offer_names_its_ssrcs(self):
        offer = sdp.read(sdp.publisher_offer(OURS, (1, 2, 3)) + CANDIDATE)
        assert [media.ssrcs for media in offer.media] == [(1,), (2, 3)]
        assert {media.direction for media in offer.media} == {"sendonly"}


class TestAnswer:
    def test_candidates_are_udp_addresses_best_first(self):
        assert sdp.read(ANSWER).candidates == (("192.0.2.2", 5001), ("192.0.2.1", 5000))

    def test_payload_types_lead_to_streams(self):
        assert sdp.read(ANSWER).types() == {111: 0, 102: 2, 103: 3}

    def test_a_rejected_line_leads_nowhere(self):
        assert sdp.read(ANSWER.replace("m=video 9", "m=video 0")).types() == {111: 0}

    def test_fingerprints_compare_in_upper_case(self):
        assert sdp.read(ANSWER).fingerprint == "0A:0B"

    def test_the_answer_to_an_offer_takes_it_as_the_dtls_client(self):
        answered = sdp.read(
            sdp.answer(OURS, sdp.read(ANSWER)) + "a=candidate:1 1 udp 1 192.0.2.3 1 typ host\n"
        )
        assert answered.setup == "active"
        assert answered.types() == {111: 0, 102: 2, 103: 3}
        assert {media.direction for media in answered.media} == {"recvonly"}

    @pytest.mark.parametrize("missing", ["a=ice-ufrag", "a=fingerprint", "a=candidate"])
    def test_without_its_transport_it_is_unsuitable(self, missing):
        kept = "\n".join(line for line in ANSWER.splitlines() if not line.startswith(missing))
        with pytest.raises(UnsuitableError):
            sdp.read(kept)
