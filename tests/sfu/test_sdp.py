"""Our reader of offers beside aiortc's, and beside itself without its memory."""

from __future__ import annotations

from typing import Any

from aiortc import sdp as aiortc_sdp
from hypothesis import given
from hypothesis import strategies as st

from liveserver.sfu import sdp
from liveserver.sfu.offer import OfferedMedia
from liveserver.sfu.sdp import MID_URI, parse_offer
from tests.sfu.sdp import AUDIO, CONTROL, VIDEO, VP8_ONLY, offer

ANSWERED = frozenset({"nack", "nack pli", "ccm fir", "goog-remb"})


def compared(media: OfferedMedia) -> dict[str, Any]:
    return {
        "kind": media.kind,
        "mid": media.mid,
        "direction": media.direction,
        "codecs": [
            (c.payload_type, c.name, c.clock_rate, c.channels, dict(c.parameters), set(c.feedback))
            for c in media.codecs
        ],
        "extensions": dict(media.extensions),
        "sources": {*media.ssrcs, *media.repairs},
        "repairs": dict(media.repairs),
        "port": media.sctp_port,
    }


def by_aiortc(line: Any) -> dict[str, Any]:
    def feedback(codec: Any) -> set[str]:
        said = {" ".join(filter(None, (f.type, f.parameter))) for f in codec.rtcpFeedback}
        return said & ANSWERED

    return {
        "kind": line.kind,
        "mid": line.rtp.muxId,
        "direction": line.direction or "sendrecv",
        "codecs": [
            (c.payloadType, c.name.lower(), c.clockRate, c.channels or 1, dict(c.parameters), feedback(c))
            for c in line.rtp.codecs
        ],
        "extensions": {x.uri: x.id for x in line.rtp.headerExtensions if x.uri == MID_URI},
        "sources": {x.ssrc for x in line.ssrc},
        "repairs": {g.items[1]: g.items[0] for g in line.ssrc_group if g.semantic == "FID"},
        "port": line.sctp_port or 0,
    }


@st.composite
def sections(draw: st.DrawFn) -> str:
    """A section of an offer with its attributes in any order, and with sources."""
    m_line, *attributes = draw(st.sampled_from([AUDIO, VIDEO, VP8_ONLY, CONTROL])).splitlines()
    if "SCTP" not in m_line:
        primary = draw(st.integers(1, 2**32 - 2))
        attributes += [
            f"a=ssrc:{ssrc} cname:{draw(st.text('abc', max_size=4))}" for ssrc in (primary, primary + 1)
        ]
        attributes += [f"a=ssrc-group:FID {primary} {primary + 1}"] if draw(st.booleans()) else []
    return "\n".join([m_line, *draw(st.permutations(attributes))]) + "\n"


@st.composite
def offers(draw: st.DrawFn) -> str:
    return offer(*draw(st.lists(sections(), min_size=1, max_size=4)))


class TestBesideAiortc:
    @given(offers())
    def test_the_same_is_understood(self, text):
        theirs = aiortc_sdp.SessionDescription.parse(text)
        ours = parse_offer(text)
        assert [compared(media) for media in ours.media] == [by_aiortc(line) for line in theirs.media]
        ice, dtls = theirs.media[0].ice, theirs.media[0].dtls
        assert (ours.ice_ufrag, ours.ice_pwd) == (ice.usernameFragment, ice.password)
        assert ours.fingerprints == tuple((f.algorithm, f.value) for f in dtls.fingerprints)


class TestMemory:
    @given(offers())
    def test_what_is_remembered_is_what_would_be_read_again(self, text):
        parse_offer(text)
        remembered = parse_offer(text)
        sdp._codecs.cache_clear()
        assert parse_offer(text) == remembered

    def test_a_class_with_one_browser_is_read_once(self):
        sdp._codecs.cache_clear()
        for number in range(50):
            parse_offer(offer(AUDIO, VIDEO, CONTROL) + f"a=ssrc:{number} cname:x\r\n")
        assert sdp._codecs.cache_info().misses == 3

    def test_it_is_bounded(self):
        for number in range(300):
            parse_offer(offer(VP8_ONLY + f"a=fmtp:96 x-google-start-bitrate={number}\n"))
        assert sdp._codecs.cache_info().currsize <= sdp._REMEMBERED

    def test_a_bomb_is_not_kept(self):
        sdp._codecs.cache_clear()
        parse_offer(offer(VP8_ONLY + "".join(f"a=fmtp:{n} a=1\n" for n in range(1500))))
        parse_offer(offer(VP8_ONLY + "a=fmtp:96 " + "a" * 40_000 + "\n"))
        assert sdp._codecs.cache_info().currsize == 0
