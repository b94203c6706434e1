"""The text of an answer (RFC 8829 5.3): ICE-lite, passive, bundled, nothing said that was not offered."""

from __future__ import annotations

import pytest
from aiortc.sdp import SessionDescription

from liveserver.core.errors import PeerError
from liveserver.sfu.answer import (
    Answer,
    Candidate,
    IceCredentials,
    ServerSide,
    answer_publisher,
    answer_viewer,
)
from liveserver.sfu.sdp import parse_offer
from tests.sfu.sdp import AUDIO, CONTROL, VIDEO, VP8_ONLY, offer

SERVER = ServerSide("AA:BB:CC", [Candidate("192.0.2.1", 5000), Candidate("2001:db8::1", 5000)])
ICE = IceCredentials("ufrag", "password")
G722 = "m=audio 9 UDP/TLS/RTP/SAVPF 9\na=mid:{mid}\na={direction}\na=rtpmap:9 G722/8000\n"


def published(*sections: str, **how: str) -> Answer:
    return answer_publisher(parse_offer(offer(*sections, **how)), SERVER, ICE)


def watched(*sections: str, direction: str = "recvonly") -> Answer:
    return answer_viewer(parse_offer(offer(*sections, direction=direction)), SERVER, ICE, "lesson-1")


def sections(sdp: str) -> list[list[str]]:
    """The session's lines, then each m-line's."""
    found: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            found.append([])
        found[-1].append(line)
    return found


class TestTransport:
    def test_it_is_ice_lite_and_passive_with_our_fingerprint(self):
        session, audio, video = sections(published(AUDIO, VIDEO).sdp)
        assert "a=ice-lite" in session
        for section in (audio, video):
            assert {"a=setup:passive", "a=fingerprint:sha-256 AA:BB:CC"} <= set(section)
            assert {"a=ice-ufrag:ufrag", "a=ice-pwd:password", "a=rtcp-mux"} <= set(section)

    def test_candidates_are_given_once_in_the_first_accepted_section(self):
        _, refused, audio, video = sections(published(G722, AUDIO, VIDEO).sdp)
        blocks = [[line for line in s if line.startswith("a=candidate:")] for s in (refused, audio, video)]
        assert [len(block) for block in blocks] == [0, 2, 0]
        assert blocks[1][0].split()[4:8] == ["192.0.2.1", "5000", "typ", "host"]
        assert int(blocks[1][0].split()[3]) > int(blocks[1][1].split()[3])
        assert audio[-1] == "a=end-of-candidates"

    def test_the_bundle_holds_the_accepted_m_lines_alone(self):
        answer = published(G722, AUDIO, VIDEO, CONTROL)
        assert "a=group:BUNDLE 1 2 3" in answer.sdp.splitlines()

    def test_m_lines_answer_in_the_order_of_the_offer(self):
        lines = [section[0] for section in sections(published(AUDIO, G722, VIDEO, CONTROL).sdp)[1:]]
        assert [line.split()[0] for line in lines] == ["m=audio", "m=audio", "m=video", "m=application"]
        assert [line.split()[1] for line in lines] == ["9", "0", "9", "9"]

    def test_lines_end_as_sdp_wants_them(self):
        assert published(AUDIO).sdp.endswith("\r\n")
        assert "\n" not in published(AUDIO).sdp.replace("\r\n", "")

    def test_another_implementation_reads_it(self):
        for answer in (published(AUDIO, VIDEO, CONTROL), watched(AUDIO, VIDEO, VIDEO, CONTROL)):
            described = SessionDescription.parse(answer.sdp)
            assert described.media[0].dtls.role == "server"
            assert described.media[0].ice.iceLite

    def test_every_peer_gets_credentials_of_its_own(self):
        one, other = IceCredentials.new(), IceCredentials.new()
        assert len(one.ufrag) >= 4 and len(one.pwd) >= 22  # RFC 8445 5.3
        assert one != other


class TestPublisher:
    def test_h264_alone_where_offered_with_the_profile_every_client_has(self):
        _, video = sections(published(VIDEO).sdp)
        assert video[0] == "m=video 9 UDP/TLS/RTP/SAVPF 104 105"
        assert {"a=rtpmap:104 H264/90000", "a=rtpmap:105 rtx/90000", "a=fmtp:105 apt=104"} <= set(video)
        fmtp = next(line for line in video if line.startswith("a=fmtp:104"))
        assert "profile-level-id=42e01f" in fmtp and "packetization-mode=1" in fmtp

    def test_vp8_where_there_is_no_h264(self):
        answer = published(VP8_ONLY)
        assert [i.codec.name for i in answer.inbound] == ["vp8"]

    def test_we_receive_and_ask_for_loss_repair_and_a_bit_rate(self):
        _, video = sections(published(VIDEO).sdp)
        assert "a=recvonly" in video
        assert {"a=rtcp-fb:104 nack", "a=rtcp-fb:104 nack pli", "a=rtcp-fb:104 goog-remb"} <= set(video)

    def test_no_feedback_is_agreed_that_was_not_offered(self):
        assert "a=rtcp-fb" not in published(VP8_ONLY).sdp

    def test_nothing_is_said_of_extensions_or_rtx_that_were_not_offered(self):
        answer = published(VP8_ONLY)
        assert "extmap" not in answer.sdp and "rtx" not in answer.sdp
        assert (answer.inbound[0].rtx_payload_type, answer.inbound[0].mid_extension) == (0, 0)

    @pytest.mark.parametrize("direction", ["recvonly", "inactive"])
    def test_m_lines_that_send_nothing_are_refused(self, direction):
        with pytest.raises(PeerError) as raised:
            published(AUDIO, VIDEO, direction=direction)
        assert (raised.value.code, raised.value.status) == ("no_common_codec", 422)

    def test_a_data_channel_alone_publishes_nothing(self):
        with pytest.raises(PeerError, match="no_common_codec"):
            published(CONTROL)

    def test_a_second_data_channel_section_is_refused(self):
        lines = [section[0] for section in sections(published(AUDIO, CONTROL, CONTROL).sdp)[2:]]
        assert [line.split()[1] for line in lines] == ["9", "0"]


class TestViewer:
    def test_both_codecs_are_agreed_so_that_the_source_may_change(self):
        answer = watched(AUDIO, VIDEO)
        audio, video = answer.outbound
        assert audio.codecs == {"opus": (111, 0)}
        assert video.codecs == {"h264": (104, 105), "vp8": (96, 97)}

    def test_rtx_names_the_payload_type_it_repeats(self):
        _, video = sections(watched(VIDEO).sdp)
        assert {"a=fmtp:105 apt=104", "a=fmtp:97 apt=96"} <= set(video)
        assert video[0] == "m=video 9 UDP/TLS/RTP/SAVPF 104 105 96 97"

    def test_sources_are_announced_with_one_name_and_their_repair(self):
        answer = watched(VIDEO)
        outbound = answer.outbound[0]
        _, video = sections(answer.sdp)
        assert f"a=ssrc-group:FID {outbound.ssrc} {outbound.rtx_ssrc}" in video
        assert f"a=ssrc:{outbound.ssrc} cname:lesson-1" in video
        assert f"a=ssrc:{outbound.rtx_ssrc} cname:lesson-1" in video

    def test_without_rtx_there_is_one_source(self):
        outbound = watched(VP8_ONLY).outbound[0]
        assert (outbound.rtx_ssrc, outbound.codecs) == (0, {"vp8": (96, 0)})

    def test_sources_differ_between_m_lines_and_viewers(self):
        ssrcs = [
            s for _ in range(20) for o in watched(AUDIO, VIDEO).outbound for s in (o.ssrc, o.rtx_ssrc) if s
        ]
        assert len(set(ssrcs)) == len(ssrcs) and 0 not in ssrcs

    def test_we_send_only(self):
        assert "a=sendonly" in watched(VIDEO).sdp and "recvonly" not in watched(VIDEO).sdp

    def test_a_viewer_that_only_sends_is_refused(self):
        with pytest.raises(PeerError, match="no_common_codec"):
            watched(AUDIO, VIDEO, direction="sendonly")

    def test_a_data_channel_alone_may_join(self):
        assert watched(CONTROL).control is not None
