"""SDP fragments of PATCH (RFC 8840 9): a new ufrag is an ICE restart, candidates are not needed."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.sfu.answer import Candidate, IceCredentials
from liveserver.sfu.fragment import read_fragment, restarted_fragment

TRICKLE = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1\r\n"


class TestReading:
    def test_the_ufrag_of_the_peer(self):
        assert read_fragment(TRICKLE) == "EsAw"

    def test_a_fragment_without_credentials(self):
        assert read_fragment("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\n") is None
        assert read_fragment("") is None

    @pytest.mark.parametrize(
        "text", ["hello", "x=1\r\n", "a=ice-ufrag:abc", "a=ice-ufrag:" + "x" * 257, "\0"]
    )
    def test_what_is_no_fragment_is_refused(self, text):
        with pytest.raises(PeerError) as raised:
            read_fragment(text)
        assert (raised.value.code, raised.value.status) == ("sdp_malformed", 400)

    def test_a_long_one_is_refused(self):
        with pytest.raises(PeerError, match="sdp_too_large"):
            read_fragment("a=candidate:1\n" * 101)

    def test_hostile_texts_are_read_or_refused(self, corpus):
        for body in corpus("sdp").values():
            try:
                read_fragment(body.decode("utf-8", "replace"))
            except PeerError as error:
                assert error.code in ("sdp_malformed", "sdp_too_large")


def test_our_answer_to_a_restart_has_new_credentials_and_the_candidates():
    text = restarted_fragment(IceCredentials("abcd", "secret"), [Candidate("192.0.2.1", 5000)])
    assert {"a=ice-lite", "a=ice-ufrag:abcd", "a=ice-pwd:secret", "a=end-of-candidates"} <= set(
        text.splitlines()
    )
    assert "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host" in text
