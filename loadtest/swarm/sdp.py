"""The offers and answers of light viewers and of the light publisher (RFC 8829), and the other side's."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
AUDIO, VIDEO = 0, 1
_H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
_FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")
MAX_CANDIDATES = 8


class UnsuitableError(Exception):
    """The other side's description is not one that can be worked with; the text says why."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What this side says of itself."""

    ufrag: str
    password: str
    fingerprint: str  # SHA-256 of the certificate, with colons

    @classmethod
    def new(cls, fingerprint: str) -> Ours:
        return cls(secrets.token_hex(4), secrets.token_hex(12), fingerprint)


@dataclass(frozen=True, slots=True)
class Media:
    """One m-line of the other side. `codecs`: payload type → lower-case name; `repairs`: RTX → what by it."""

    kind: str
    mid: str
    accepted: bool
    direction: str
    codecs: dict[int, str]
    rates: dict[int, int]
    repairs: dict[int, int]
    parameters: dict[int, str]
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Theirs:
    """An answer, or an offer, as far as it matters. `candidates` are UDP (host, port), the best first.

    `tcp_candidates` are those one may connect to (RFC 6544 4.5: passive).
    """

    ufrag: str
    password: str
    fingerprint: str
    setup: str
    candidates: tuple[tuple[str, int], ...]
    media: tuple[Media, ...] = field(default=())
    tcp_candidates: tuple[tuple[str, int], ...] = ()

    def types(self) -> dict[int, int]:
        """Payload type → 2 x stream + is RTX, of the accepted m-lines: sound is stream 0, pictures 1."""
        found: dict[int, int] = {}
        for media in self.media:
            stream = {"audio": AUDIO, "video": VIDEO}.get(media.kind)
            if stream is None or not media.accepted:
                continue
            for number, name in media.codecs.items():
                if name != "rtx" or number in media.repairs:
                    found.setdefault(number, 2 * stream + (name == "rtx"))
        return found


def viewer_offer(ours: Ours, *, control: bool = False) -> str:
    """Sound and one picture to receive, with the codecs and the feedback that browsers offer; with `control`
    the data channel too."""
    audio = _rtp_section(ours, "audio", "0", "recvonly", ("opus", "red"))
    video = _rtp_section(ours, "video", "1", "recvonly", ("h264", "vp8"))
    if not control:
        return _session(audio, video)
    return _session(audio, video, _control_section(ours, "2"), mids="0 1 2")


def channel_offer(ours: Ours) -> str:
    """The data channel alone."""
    return _session(_control_section(ours, "0"), mids="0")


def publisher_offer(ours: Ours, ssrcs: tuple[int, int, int]) -> str:
    """Sound and H.264 to send, on the SSRCs of sound, picture and its RTX."""
    audio = _rtp_section(ours, "audio", "0", "sendonly", ("opus",))
    video = _rtp_section(ours, "video", "1", "sendonly", ("h264",))
    audio += ["a=msid:source audio", f"a=ssrc:{ssrcs[0]} cname:source"]
    video += ["a=msid:source video", f"a=ssrc-group:FID {ssrcs[1]} {ssrcs[2]}"]
    video += [f"a=ssrc:{number} cname:source" for number in ssrcs[1:]]
    return _session(audio, video)


def _repaired(number: str, rtx: str, name: str, parameters: str) -> tuple[list[str], list[str]]:
    """The payload types of a codec and its RTX (RFC 4588 8.6), and their lines."""
    lines = [f"a=rtpmap:{number} {name}/90000", *(f"a=rtcp-fb:{number} {item}" for item in _FEEDBACK)]
    lines += [f"a=fmtp:{number} {parameters}"] if parameters else []
    return [number, rtx], [*lines, f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={number}"]


_CODECS = {
    "opus": (["111"], ["a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1"]),
    "red": (["63"], ["a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111"]),
    "h264": _repaired("102", "103", "H264", _H264),
    "vp8": _repaired("96", "97", "VP8", ""),
}


def _rtp_section(ours: Ours, kind: str, mid: str, direction: str, codecs: Sequence[str]) -> list[str]:
    types = [number for name in codecs for number in _CODECS[name][0]]
    lines = [line for name in codecs for line in _CODECS[name][1]]
    return [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(types)}",
        *_transport(ours, "actpass"),
        f"a=mid:{mid}",
        f"a=extmap:4 {MID_URI}",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *lines,
    ]


def _transport(ours: Ours, setup: str) -> list[str]:
    return [
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{ours.ufrag}",
        f"a=ice-pwd:{ours.password}",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {ours.fingerprint}",
        f"a=setup:{setup}",
    ]


def _control_section(ours: Ours, mid: str) -> list[str]:
    return [
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        *_transport(ours, "actpass"),
        f"a=mid:{mid}",
        "a=sctp-port:5000",
        "a=max-message-size:65536",
    ]


def _session(*sections: list[str], mids: str = "0 1") -> str:
    lines = ["v=0", f"o=- {secrets.randbits(62)} 2 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines += [f"a=group:BUNDLE {mids}", "a=msid-semantic: WMS"]
    return "\r\n".join(lines + [line for section in sections for line in section]) + "\r\n"


def answer(ours: Ours, offer: Theirs) -> str:
    """What a viewer says to a server that offers: all of it is taken, to receive, as the DTLS client."""
    sections = [_answer_section(ours, media) for media in offer.media]
    return _session(*sections, mids=" ".join(media.mid for media in offer.media))


def _answer_section(ours: Ours, media: Media) -> list[str]:
    types = [number for number, name in media.codecs.items() if name in ("opus", "h264", "vp8", "rtx")]
    lines = [f"m={media.kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, types))}", *_transport(ours, "active")]
    lines += [f"a=mid:{media.mid}", "a=recvonly", "a=rtcp-mux"]
    for number in types:
        name = media.codecs[number]
        lines.append(f"a=rtpmap:{number} {name}/{media.rates[number]}{'/2' if name == 'opus' else ''}")
        if media.kind == "video" and name != "rtx":
            lines += [f"a=rtcp-fb:{number} {item}" for item in _FEEDBACK]
        if number in media.parameters:
            lines.append(f"a=fmtp:{number} {media.parameters[number]}")
    return lines


def read(sdp: str) -> Theirs:
    """The other side's description; UnsuitableError when the transport's part of it is incomplete."""
    lines = sdp.replace("\r\n", "\n").split("\n")
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line)
    fingerprint = _first(lines, "a=fingerprint:sha-256 ") or _first(lines, "a=fingerprint:SHA-256 ")
    found = Theirs(
        ufrag=_first(lines, "a=ice-ufrag:"),
        password=_first(lines, "a=ice-pwd:"),
        fingerprint=fingerprint.upper(),
        setup=_first(lines, "a=setup:"),
        candidates=_candidates(lines, "udp"),
        media=tuple(_media(section) for section in sections[1:]),
        tcp_candidates=_candidates([line for line in lines if "tcptype passive" in line], "tcp"),
    )
    if not (found.ufrag and found.password and found.fingerprint):
        raise UnsuitableError("no ICE credentials, or no SHA-256 fingerprint")
    if not found.candidates:
        raise UnsuitableError("no UDP candidate with an address in it")
    return found


def _first(lines: Sequence[str], prefix: str) -> str:
    return next((line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix)), "")


def _candidates(lines: Sequence[str], transport: str) -> tuple[tuple[str, int], ...]:
    found: dict[tuple[str, int], int] = {}
    for line in lines:
        parts = line.removeprefix("a=candidate:").split()
        if (
            not line.startswith("a=candidate:")
            or len(parts) < 8
            or parts[2].lower() != transport
            or parts[1] != "1"
        ):
            continue
        try:
            ipaddress.ip_address(parts[4])
        except ValueError:
            continue  # a name of mDNS
        found.setdefault((parts[4], int(parts[5])), int(parts[3]))
    return tuple(sorted(found, key=lambda address: -found[address])[:MAX_CANDIDATES])


def _media(section: Sequence[str]) -> Media:
    head = section[0].removeprefix("m=").split()
    codecs, rates, parameters = {}, {}, {}
    for line in section:
        number, _, rest = line.partition(":")[2].partition(" ")
        if line.startswith("a=rtpmap:") and number.isdecimal() and int(number) < 128:
            name, _, rate = rest.partition("/")
            codecs[int(number)] = name.lower()
            rates[int(number)] = int(rate.split("/")[0])
        elif line.startswith("a=fmtp:") and number.isdecimal():
            parameters[int(number)] = rest.strip()
    repairs = {
        number: int(text.removeprefix("apt=").split(";")[0])
        for number, text in parameters.items()
        if codecs.get(number) == "rtx" and text.startswith("apt=")
    }
    directions = ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")
    direction = next((line.strip()[2:] for line in section if line.strip() in directions), "sendrecv")
    numbers = [line.removeprefix("a=ssrc:").split()[0] for line in section if line.startswith("a=ssrc:")]
    return Media(
        kind=head[0],
        mid=_first(section, "a=mid:"),
        accepted=head[1] != "0" and direction != "inactive",
        direction=direction,
        codecs=codecs,
        rates=rates,
        repairs=repairs,
        parameters=parameters,
        ssrcs=tuple(dict.fromkeys(int(number) for number in numbers if number.isdecimal())),
    )
