"""What is kept of an SDP offer before anything parses it: the lines this server uses, well-formed.

RFC 8866 5.13 has a receiver ignore attributes it does not understand; a parser that refuses a whole offer
for one of them, or for one damaged codec among twenty, keeps good clients out. What is kept is bounded:
a payload type occurs once, with the four kinds of feedback that are ever answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from liveserver.core.errors import PeerError

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
MAX_MID_BYTES = 16  # what fits a one-byte header extension (RFC 8285 4.2)

_M_LINE = re.compile(r"m=([a-z]{1,16}) (\d{1,5})(?:/\d{1,5})? ([A-Z/]{1,32}) (\S.*)")
_FORBIDDEN = range(72, 77)  # would read as RTCP on a shared port (RFC 5761 4)
_RTPMAP = re.compile(r"a=rtpmap:(\d{1,3}) ([^\s/]{1,32})/(\d{1,6})(?:/(\d{1,2}))?\s*")
_FMTP = re.compile(r"a=fmtp:(\d{1,3}) (.+)")
_FEEDBACK = re.compile(r"a=rtcp-fb:(\d{1,3}|\*) (nack pli|nack|ccm fir|goog-remb)\s*")
_EXTMAP = re.compile(rf"a=extmap:(\d{{1,3}})(?:/[a-z]+)? {re.escape(MID_URI)}\s*")
_NUMBERED = frozenset({"apt", "max-fr", "max-fs", "maxplaybackrate", "minptime", "stereo", "useinbandfec"})
_NUMBER = re.compile(r"\d{1,9}")
_KEPT = re.compile(
    r"o=.*"
    r"|a=group:BUNDLE( \S+)+\s*"
    r"|a=ice-lite"
    r"|a=(ice-ufrag|ice-pwd):\S{1,256}"
    r"|a=fingerprint:\S+ \S+"
    r"|a=setup:(actpass|active|passive)"
    r"|a=mid:.+"
    r"|a=(sendrecv|sendonly|recvonly|inactive)"
    r"|a=ssrc:\d{1,10} [a-z]+:.*"
    r"|a=ssrc-group:FID \d{1,10} \d{1,10}"
    r"|a=sctp-port:\d{1,5}"
    r"|a=sctpmap:\d{1,5} .+"
    r"|a=max-message-size:\d{1,10}"
)


def sieve(sdp: str) -> str:
    """The offer without what this server does not use. Raises PeerError sdp_malformed (400)."""
    sections: list[list[str]] = [[]]
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append([])
        sections[-1].append(line.rstrip())
    kept = [line for line in sections[0] if _KEPT.fullmatch(line)]
    for number, section in enumerate(sections[1:], start=1):
        kept += _media(section, number)
    return "\r\n".join(kept) + "\r\n"


def _media(section: list[str], number: int) -> Iterator[str]:
    """One m-line and what is kept of its attributes; `number` counts m-lines from 1."""
    found = _M_LINE.fullmatch(section[0])
    if found is None:
        raise PeerError("sdp_malformed", f"m-line {number} is not well-formed")
    kind, port, profile, formats = found.groups()
    is_rtp = kind in ("audio", "video")
    payload_types = [pt for pt in dict.fromkeys(formats.split()) if _is_payload_type(pt)] if is_rtp else []
    if is_rtp and not payload_types:
        raise PeerError("sdp_malformed", f"m-line {number} lists no payload type")
    yield f"m={kind} {port} {profile} {' '.join(payload_types) if is_rtp else formats}"
    mapped = {pt: line for line in section if (pt := _mapped(line)) in payload_types}
    yield from mapped.values()
    seen: set[str] = set()
    for line in section[1:]:
        text = _attribute(line, mapped, number)
        if text and text not in seen:
            seen.add(text)
            yield text


def _is_payload_type(text: str) -> bool:
    return text.isdecimal() and len(text) <= 3 and int(text) < 128 and int(text) not in _FORBIDDEN


def _mapped(line: str) -> str:
    """The payload type of a well-formed a=rtpmap line, else nothing."""
    found = _RTPMAP.fullmatch(line)
    return found[1] if found else ""


def _attribute(line: str, mapped: dict[str, str], number: int) -> str:
    """The line as it is kept, or nothing."""
    if found := _FMTP.fullmatch(line):
        parameters = [part for part in map(str.strip, found[2].split(";")) if _is_parameter(part)]
        return f"a=fmtp:{found[1]} {';'.join(parameters)}" if found[1] in mapped and parameters else ""
    if found := _FEEDBACK.fullmatch(line):
        return line if found[1] == "*" or found[1] in mapped else ""
    if found := _EXTMAP.fullmatch(line):
        return f"a=extmap:{found[1]} {MID_URI}"
    if line.startswith("a=mid:") and not 0 < len(line.removeprefix("a=mid:").encode()) <= MAX_MID_BYTES:
        raise PeerError("sdp_malformed", f"the mid of m-line {number} has 1 to {MAX_MID_BYTES} bytes")
    if line.startswith(("a=sctp-port:", "a=sctpmap:")) and not _is_port(line):
        return ""
    return line if not line.startswith("o=") and _KEPT.fullmatch(line) else ""


def _is_parameter(part: str) -> bool:
    name, _, value = part.partition("=")
    return bool(name) and (name not in _NUMBERED or _NUMBER.fullmatch(value) is not None)


def _is_port(line: str) -> bool:
    digits = line.partition(":")[2].partition(" ")[0]
    return digits.isdecimal() and 0 < int(digits[:6]) < 65536
