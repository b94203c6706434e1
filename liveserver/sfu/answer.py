"""The SDP answers of an ICE-lite, bundled, DTLS-passive server (RFC 8829 5.3, RFC 8445 2.5)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from liveserver.core.errors import PeerError
from liveserver.sfu.offer import Codec, Offer, OfferedMedia, choose_audio, choose_video
from liveserver.sfu.sdp import MID_URI

SCTP_PORT = 5000
MAX_MESSAGE_BYTES = 65536
_VIDEO_NAMES = ("h264", "vp8")
_PUBLISHER_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")
_SOUND_FEEDBACK = ("nack",)  # our pages offer it; browsers would not by themselves
_VIEWER_FEEDBACK = ("nack", "nack pli", "ccm fir")
# libwebrtc begins at 300 kbit/s and a quarter of the picture unless told otherwise; others ignore this.
_START_KBPS = {"x-google-start-bitrate": 1200}
_HOST_PRIORITY = 2130706431  # RFC 8445 5.1.2.1: type preference 126, local preference 65535, component 1
_TCP_PRIORITY = (90 << 24) + (65535 << 8) + 255  # a lower type preference, as RFC 6544 4.2 has it: UDP first


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """Our ufrag and password for one peer; the ufrag tells peers apart on the one port."""

    ufrag: str
    pwd: str

    @classmethod
    def new(cls) -> IceCredentials:
        """RFC 8445 5.3: at least 24 bits and 128 bits of randomness."""
        return cls(secrets.token_hex(6), secrets.token_hex(16))


class Candidate(NamedTuple):
    """Where this server is reached: `protocol` "udp" or "tcp" (passive, RFC 6544)."""

    address: str
    port: int
    protocol: str = "udp"


@dataclass(frozen=True, slots=True)
class ServerSide:
    """What every answer says of this server. `candidates`: the best first."""

    fingerprint: str
    candidates: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Inbound:
    """An accepted m-line of a publisher. `codec.name` is what will arrive on it."""

    kind: str
    mid: str
    codec: Codec
    rtx_payload_type: int
    mid_extension: int
    ssrcs: tuple[int, ...]
    repairs: dict[int, int]


@dataclass(frozen=True, slots=True)
class Outbound:
    """An accepted m-line of a viewer: the SSRCs we send on and a payload type for each codec."""

    kind: str
    mid: str
    ssrc: int
    rtx_ssrc: int
    codecs: dict[str, tuple[int, int]]  # name → (payload type, RTX payload type or 0)
    clock_rate: int
    mid_extension: int


@dataclass(slots=True)
class Answer:
    """An answer and what was agreed in it. `control` is whether a data channel was accepted."""

    sdp: str = ""
    inbound: list[Inbound] = field(default_factory=list)
    outbound: list[Outbound] = field(default_factory=list)
    control: OfferedMedia | None = None


def answer_publisher(offer: Offer, server: ServerSide, ice: IceCredentials) -> Answer:
    """Answer a WHIP offer: one audio codec (Opus), one video codec (H.264 where offered, else VP8).

    Raises PeerError("no_common_codec", 422) when no m-line can be received.
    """
    answer = Answer()
    sections = [_section_of_publisher(media, answer) for media in offer.media]
    if not answer.inbound:
        raise PeerError("no_common_codec", "Opus and H.264 or VP8 are needed", status=422)
    answer.sdp = _assemble(offer, server, ice, sections)
    return answer


def answer_viewer(offer: Offer, server: ServerSide, ice: IceCredentials, cname: str) -> Answer:
    """Answer a WHEP offer: every codec of ours that the viewer has, so that a change of the source
    needs no new negotiation. Raises PeerError("no_common_codec", 422)."""
    answer = Answer()
    sections = [_section_of_viewer(media, answer, cname) for media in offer.media]
    if not answer.outbound and answer.control is None:
        raise PeerError("no_common_codec", "Opus, H.264 or VP8 is needed", status=422)
    answer.sdp = _assemble(offer, server, ice, sections)
    return answer


def _section_of_publisher(media: OfferedMedia, answer: Answer) -> list[str]:
    if media.kind == "application":
        return _control_section(media, answer)
    codec = _publisher_codec(media) if media.direction in ("sendonly", "sendrecv") else None
    if codec is None:
        return _rejected(media)
    rtx = codec.repaired_by(media.codecs)
    mid_extension = media.extensions.get(MID_URI, 0)
    answer.inbound.append(
        Inbound(media.kind, media.mid, codec, rtx, mid_extension, media.ssrcs, dict(media.repairs))
    )
    if media.kind == "video":
        codec = replace(codec, parameters={**codec.parameters, **_START_KBPS})
    return _media_lines(media, [(codec, rtx)], "recvonly", _PUBLISHER_FEEDBACK)


def _publisher_codec(media: OfferedMedia) -> Codec | None:
    if media.kind == "audio":
        return choose_audio(media.codecs)
    if media.kind == "video":
        return choose_video(media.codecs, "h264") or choose_video(media.codecs, "vp8")
    return None


def _section_of_viewer(media: OfferedMedia, answer: Answer, cname: str) -> list[str]:
    if media.kind == "application":
        return _control_section(media, answer)
    codecs = _viewer_codecs(media) if media.direction in ("recvonly", "sendrecv") else []
    if not codecs:
        return _rejected(media)
    pairs = [(codec, codec.repaired_by(media.codecs)) for codec in codecs]
    with_rtx = any(rtx for _, rtx in pairs)
    ssrc = secrets.randbits(31) | 1
    rtx_ssrc = (ssrc ^ 0x55555554) if with_rtx else 0
    mid_extension = media.extensions.get(MID_URI, 0)
    names = {codec.name: (codec.payload_type, rtx) for codec, rtx in pairs}
    answer.outbound.append(
        Outbound(media.kind, media.mid, ssrc, rtx_ssrc, names, codecs[0].clock_rate, mid_extension)
    )
    lines = _media_lines(media, pairs, "sendonly", _VIEWER_FEEDBACK)
    lines.append(f"a=msid:lectern {media.kind}-{media.mid}")
    if rtx_ssrc:
        lines.append(f"a=ssrc-group:FID {ssrc} {rtx_ssrc}")
    lines += [f"a=ssrc:{number} cname:{cname}" for number in (ssrc, rtx_ssrc) if number]
    return lines


def _viewer_codecs(media: OfferedMedia) -> list[Codec]:
    if media.kind == "audio":
        opus = choose_audio(media.codecs)
        return [opus] if opus else []
    if media.kind == "video":
        return [codec for name in _VIDEO_NAMES if (codec := choose_video(media.codecs, name))]
    return []


def _media_lines(
    media: OfferedMedia, pairs: Sequence[tuple[Codec, int]], direction: str, feedback: Sequence[str]
) -> list[str]:
    payload_types = [str(pt) for codec, rtx in pairs for pt in (codec.payload_type, rtx) if pt]
    lines = [
        f"m={media.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(payload_types)}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{media.mid}",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
    ]
    if MID_URI in media.extensions:
        lines.append(f"a=extmap:{media.extensions[MID_URI]} {MID_URI}")
    for codec, rtx in pairs:
        lines += _codec_lines(codec, feedback if media.kind == "video" else _SOUND_FEEDBACK)
        if rtx:
            lines.append(f"a=rtpmap:{rtx} rtx/{codec.clock_rate}")
            lines.append(f"a=fmtp:{rtx} apt={codec.payload_type}")
    return lines


_NAMES = {"h264": "H264", "vp8": "VP8", "opus": "opus"}


def _codec_lines(codec: Codec, feedback: Sequence[str]) -> list[str]:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    lines = [f"a=rtpmap:{codec.payload_type} {_NAMES[codec.name]}/{codec.clock_rate}{channels}"]
    lines += [f"a=rtcp-fb:{codec.payload_type} {item}" for item in feedback if item in codec.feedback]
    parameters = ";".join(k if v is None else f"{k}={v}" for k, v in codec.parameters.items())
    if parameters:
        lines.append(f"a=fmtp:{codec.payload_type} {parameters}")
    return lines


def _control_section(media: OfferedMedia, answer: Answer) -> list[str]:
    if answer.control is not None or not media.sctp_port:
        return ["m=application 0 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", f"a=mid:{media.mid}"]
    answer.control = media
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{media.mid}",
        f"a=sctp-port:{SCTP_PORT}",
        f"a=max-message-size:{MAX_MESSAGE_BYTES}",
    ]


def _rejected(media: OfferedMedia) -> list[str]:
    payload_type = media.codecs[0].payload_type if media.codecs else 0
    return [
        f"m={media.kind} 0 UDP/TLS/RTP/SAVPF {payload_type}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{media.mid}",
        "a=inactive",
    ]


def _assemble(offer: Offer, server: ServerSide, ice: IceCredentials, sections: list[list[str]]) -> str:
    accepted = [
        media.mid for media, lines in zip(offer.media, sections, strict=True) if lines[0].split()[1] != "0"
    ]
    lines = [
        "v=0",
        f"o=- {secrets.randbits(62)} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        f"a=group:BUNDLE {' '.join(accepted)}",
        "a=msid-semantic:WMS *",
    ]
    for section in sections:
        lines += section
        if section[0].split()[1] == "0":
            continue
        lines += transport_lines(ice)
        lines += [f"a=fingerprint:sha-256 {server.fingerprint}", "a=setup:passive"]
        if section is sections[[m.mid for m in offer.media].index(accepted[0])]:
            lines += candidate_lines(server.candidates)
    return "\r\n".join(lines) + "\r\n"


def transport_lines(ice: IceCredentials) -> list[str]:
    """`a=` lines that carry our credentials, for an answer or a trickle fragment."""
    return [f"a=ice-ufrag:{ice.ufrag}", f"a=ice-pwd:{ice.pwd}"]


def candidate_lines(candidates: Sequence[Candidate]) -> list[str]:
    """Host candidates (RFC 8839 5.1, RFC 6544 4.5), the first with the highest priority; TCP last."""
    lines = []
    for index, (address, port, protocol) in enumerate(candidates):
        first = _HOST_PRIORITY if protocol == "udp" else _TCP_PRIORITY
        line = f"a=candidate:{index + 1} 1 {protocol} {first - 256 * index} {address} {port} typ host"
        lines.append(line if protocol == "udp" else f"{line} tcptype passive")
    return [*lines, "a=end-of-candidates"]
