"""Offers as clients write them, small enough to read."""

from __future__ import annotations

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
AUDIO = """\
m=audio 9 UDP/TLS/RTP/SAVPF 111 0
c=IN IP4 0.0.0.0
a=rtcp-mux
a=mid:{mid}
a={direction}
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:0 PCMU/8000
"""
VIDEO = """\
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 105 106 107 45
c=IN IP4 0.0.0.0
a=rtcp-mux
a=mid:{mid}
a={direction}
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=rtcp-fb:102 nack
a=rtcp-fb:102 nack pli
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=rtpmap:104 H264/90000
a=rtcp-fb:104 nack
a=rtcp-fb:104 nack pli
a=rtcp-fb:104 goog-remb
a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:105 rtx/90000
a=fmtp:105 apt=104
a=rtpmap:106 H264/90000
a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f
a=rtpmap:45 AV1/90000
"""
VP8_ONLY = """\
m=video 9 UDP/TLS/RTP/SAVPF 96
a=rtcp-mux
a=mid:{mid}
a={direction}
a=rtpmap:96 VP8/90000
"""
CONTROL = """\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:{mid}
a=sctp-port:5000
a=max-message-size:262144
"""
SESSION = """\
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE {mids}
a=ice-ufrag:abcd
a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
"""
FINGERPRINT = ":".join(["AB"] * 32)


def offer(*sections: str, direction: str = "sendonly", origin: str = "-", bundle: str | None = None) -> str:
    """The sections with mids 0, 1, … in one BUNDLE group (or the group `bundle` says)."""
    mids = " ".join(map(str, range(len(sections)))) if bundle is None else bundle
    head = SESSION.format(mids=mids, fingerprint=FINGERPRINT).replace("o=-", f"o={origin}")
    body = "".join(section.format(mid=mid, direction=direction) for mid, section in enumerate(sections))
    return (head + body).replace("\n", "\r\n")
