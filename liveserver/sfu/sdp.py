"""Reading an SDP offer: the lines this server uses, well-formed; everything else is passed over.

RFC 8866 5.13 has a receiver ignore attributes it does not understand; a parser that refuses a whole offer
for one of them, or for one damaged codec among twenty, keeps good clients out. What is kept is bounded:
a payload type occurs once, with the four kinds of feedback that are ever answered.

A class sends the same few descriptions of codecs over and over: one is read once and then remembered by its
lines. What differs from learner to learner (credentials, fingerprint, SSRCs) is read each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from liveserver.core.errors import PeerError
from liveserver.sfu.offer import Codec, Offer, OfferedMedia, check_size

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
MAX_MID_BYTES = 16  # what fits a one-byte header extension (RFC 8285 4.2)

UNSAID_MESSAGE_BYTES = 65536  # RFC 8841 6.1
_REMEMBERED = 128  # descriptions of codecs
_REMEMBERED_CHARS = 16 * 1024  # longer ones are no browser's, whose are 1,000 to 6,000
_FORBIDDEN = range(72, 77)  # would read as RTCP on a shared port (RFC 5761 4)
_M_LINE = re.compile(r"m=([a-z]{1,16}) [0-9]{1,5}(?:/[0-9]{1,5})? [A-Z/]{1,32} (\S.*)")
_BUNDLE = re.compile(r"a=group:BUNDLE(?: \S+)+")
_OF_CODECS = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:", "a=extmap:")
_RTPMAP = re.compile(r"a=rtpmap:(\d{1,3}) ([^\s/]{1,32})/(\d{1,6})(?:/(\d{1,2}))?")
_FMTP = re.compile(r"a=fmtp:(\d{1,3}) (.+)")
_FEEDBACK = re.compile(r"a=rtcp-fb:(\d{1,3}|\*) (nack pli|nack|ccm fir|goog-remb)")
_EXTMAP = re.compile(rf"a=extmap:(\d{{1,3}})(?:/[a-z]+)? {re.escape(MID_URI)}")
_NUMBERED = frozenset({"apt", "max-fr", "max-fs", "maxplaybackrate", "minptime", "stereo", "useinbandfec"})
_NUMBER = re.compile(r"\d{1,9}")
_ATTRIBUTE = re.compile(
    r"a=(?:ice-ufrag:(?P<ufrag>\S{1,256})"
    r"|ice-pwd:(?P<pwd>\S{1,256})"
    r"|fingerprint:(?P<digest>\S+) (?P<fingerprint>\S+)"
    r"|setup:(?P<setup>actpass|active|passive)"
    r"|mid:(?P<mid>.+)"
    r"|(?P<direction>sendrecv|sendonly|recvonly|inactive)"
    r"|ssrc:(?P<ssrc>\d{1,10}) [a-z]+:.*"
    r"|ssrc-group:FID (?P<primary>\d{1,10}) (?P<repair>\d{1,10})"
    r"|sctp-port:(?P<port>\d{1,5})"
    r"|sctpmap:(?P<map>\d{1,5}) .+"
    r"|max-message-size:(?P<size>\d{1,10}))"
)


@dataclass(slots=True)
class _Transport:
    """What is said of the transport, for the whole session or for one m-line."""

    ufrag: str = ""
    pwd: str = ""
    setup: str = ""
    fingerprints: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Said:
    """What one m-line says beside its codecs and its transport."""

    mid: str
    direction: str = "sendrecv"
    ssrcs: dict[int, None] = field(default_factory=dict)
    repairs: dict[int, int] = field(default_factory=dict)
    sctp_port: int = 0
    sctp_map: int = 0
    max_message_bytes: int = UNSAID_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class _Described:
    """What the lines about codecs describe. Shared by offers: not to be changed."""

    codecs: tuple[Codec, ...]
    extensions: Mapping[str, int]


def parse_offer(sdp: str) -> Offer:
    """Read an SDP offer; raises PeerError sdp_too_large (413), sdp_malformed (400), sdp_unsupported (422)."""
    head, sections = _sections(check_size(sdp))
    session = _Transport()
    for line in head:
        found = _ATTRIBUTE.fullmatch(line)
        if found is not None:
            _note_transport(found, session)
    media, transports = [], []
    for number, section in enumerate(sections, start=1):
        transport = _Transport(session.ufrag, session.pwd, session.setup, [*session.fingerprints])
        media.append(_media(section, number, transport))
        transports.append(transport)
    bundled = frozenset(
        mid for line in head if line.startswith("a=group:BUNDLE ") for mid in line.split()[1:]
    )
    _check(media, bundled)
    first = transports[0]
    _check_transport(first)
    return Offer(
        media=tuple(media),
        ice_ufrag=first.ufrag,
        ice_pwd=first.pwd,
        fingerprints=tuple(first.fingerprints),
        bundled=bundled,
        is_firefox=any(line.startswith("o=") and "mozilla" in line.lower() for line in head),
    )


def _check(media: list[OfferedMedia], bundled: frozenset[str]) -> None:
    if not media:
        raise PeerError("sdp_malformed", "the offer has no m-lines")
    if len({line.mid for line in media}) != len(media):
        raise PeerError("sdp_malformed", "two m-lines share a mid")
    if len(media) > 1 and not bundled.issuperset(line.mid for line in media):
        raise PeerError("sdp_unsupported", "all m-lines must be in one BUNDLE group", status=422)


def _check_transport(transport: _Transport) -> None:
    if not transport.ufrag or not transport.pwd:
        raise PeerError("sdp_malformed", "ice-ufrag or ice-pwd is missing")
    if not transport.setup or not transport.fingerprints:
        raise PeerError("sdp_unsupported", "a=fingerprint and a=setup are required (DTLS-SRTP)", status=422)
    if transport.setup == "passive":
        raise PeerError("sdp_unsupported", "this server is always a=setup:passive", status=422)


def _sections(lines: Iterable[str]) -> tuple[list[str], list[list[str]]]:
    """The lines before the first m-line, and each m-line with what follows it."""
    head: list[str] = []
    sections: list[list[str]] = []
    current = head
    for line in lines:
        if line.startswith("m="):
            current = []
            sections.append(current)
        current.append(line.rstrip())
    return head, sections


def _media(section: list[str], number: int, transport: _Transport) -> OfferedMedia:
    """One m-line, counted from 1; what it says of the transport goes to `transport`."""
    m_line = _M_LINE.fullmatch(section[0])
    if m_line is None:
        raise PeerError("sdp_malformed", f"m-line {number} is not well-formed")
    kind, formats = m_line.groups()
    of_codecs = tuple(line for line in section if line.startswith(_OF_CODECS))
    read = _codecs if sum(map(len, of_codecs)) <= _REMEMBERED_CHARS else _codecs.__wrapped__
    described = read(kind, formats, of_codecs)
    if described is None:
        raise PeerError("sdp_malformed", f"m-line {number} lists no payload type")
    said = _Said(str(number - 1))
    for line in section:
        if not line.startswith(_OF_CODECS):
            _note(line, said, transport, number)
    return OfferedMedia(
        kind=kind,
        mid=said.mid,
        direction=said.direction,
        codecs=described.codecs,
        extensions=described.extensions,
        ssrcs=tuple(ssrc for ssrc in said.ssrcs if ssrc not in said.repairs),
        repairs=said.repairs,
        sctp_port=said.sctp_port or said.sctp_map,
        max_message_bytes=said.max_message_bytes,
    )


def _note(line: str, said: _Said, transport: _Transport, number: int) -> None:
    """Take one attribute of an m-line that is not about codecs."""
    found = _ATTRIBUTE.fullmatch(line)
    if found is None:
        if line.startswith("a=mid:"):
            raise _bad_mid(number)
        return
    name = found.lastgroup
    if name == "mid":
        if len(found["mid"].encode()) > MAX_MID_BYTES:
            raise _bad_mid(number)
        said.mid = found["mid"]
    elif name == "direction":
        said.direction = found["direction"]
    elif name == "ssrc":
        said.ssrcs[int(found["ssrc"])] = None
    elif name == "repair":
        said.repairs[int(found["repair"])] = int(found["primary"])
    elif name == "port":
        said.sctp_port = _port(found["port"]) or said.sctp_port
    elif name == "map":
        said.sctp_map = said.sctp_map or _port(found["map"])
    elif name == "size":
        said.max_message_bytes = int(found["size"])
    else:
        _note_transport(found, transport)


def _note_transport(found: re.Match[str], transport: _Transport) -> None:
    name = found.lastgroup
    if name == "ufrag":
        transport.ufrag = found["ufrag"]
    elif name == "pwd":
        transport.pwd = found["pwd"]
    elif name == "setup":
        transport.setup = found["setup"]
    elif name == "fingerprint":
        pair = (found["digest"], found["fingerprint"])
        if pair not in transport.fingerprints:
            transport.fingerprints.append(pair)


def _bad_mid(number: int) -> PeerError:
    return PeerError("sdp_malformed", f"the mid of m-line {number} has 1 to {MAX_MID_BYTES} bytes")


def _port(digits: str) -> int:
    """A port, or 0 for a number that is none."""
    return int(digits) if int(digits) < 65536 else 0


@lru_cache(_REMEMBERED)
def _codecs(kind: str, formats: str, lines: tuple[str, ...]) -> _Described | None:
    """The codecs and extensions of an m-line by its `lines` about them; None if it lists no payload type.

    A function of its arguments alone, so that what is remembered is what would be read again.
    """
    if kind not in ("audio", "video"):
        return _Described((), _extensions(lines))
    listed = [pt for pt in dict.fromkeys(formats.split()) if _is_payload_type(pt)]
    if not listed:
        return None
    mapped: dict[str, re.Match[str]] = {}
    parameters: dict[str, dict[str, int | str | None]] = {}
    feedback: dict[str, set[str]] = {}
    for line in dict.fromkeys(lines):
        if (found := _RTPMAP.fullmatch(line)) and found[1] in listed:
            mapped[found[1]] = found
        elif found := _FMTP.fullmatch(line):
            if read := _parameters(found[2]):
                parameters[found[1]] = read
        elif found := _FEEDBACK.fullmatch(line):
            feedback.setdefault(found[1], set()).add(found[2])
    for_all = feedback.get("*", set())
    codecs = tuple(
        Codec(
            payload_type=int(pt),
            name=found[2].lower(),
            clock_rate=int(found[3]),
            channels=int(found[4] or 1) or 1 if kind == "audio" else 1,
            parameters=parameters.get(pt, {}),
            feedback=frozenset(feedback.get(pt, set()) | for_all),
        )
        for pt, found in mapped.items()
    )
    return _Described(codecs, _extensions(lines))


def _extensions(lines: tuple[str, ...]) -> Mapping[str, int]:
    numbers = [int(found[1]) for line in lines if (found := _EXTMAP.fullmatch(line))]
    usable = [number for number in numbers if 0 < number < 15]
    return {MID_URI: usable[-1]} if usable else {}


def _is_payload_type(text: str) -> bool:
    return text.isdecimal() and len(text) <= 3 and int(text) < 128 and int(text) not in _FORBIDDEN


def _parameters(text: str) -> dict[str, int | str | None]:
    """`a=1;b` → {"a": "1", "b": None}; the well-formed ones, those that are numbers as such."""
    read: dict[str, int | str | None] = {}
    for part in map(str.strip, text.split(";")):
        name, equals, value = part.partition("=")
        if not name:
            continue
        if name not in _NUMBERED:
            read[name] = value if equals else None
        elif _NUMBER.fullmatch(value):
            read[name] = int(value)
    return read
