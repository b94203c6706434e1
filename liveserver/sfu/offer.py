"""What a peer offers, in our own words: the part of SDP (RFC 8866, RFC 8829) that this server uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from liveserver.core.errors import PeerError

MAX_SDP_BYTES = 65536
MAX_SDP_LINES = 2000
MAX_MEDIA = 64
MAX_CANDIDATES = 100
MAX_SSRC_LINES = 256
_BOUNDS = (
    ("m=", MAX_MEDIA, "m-lines"),
    ("a=candidate:", MAX_CANDIDATES, "candidates"),
    ("a=ssrc:", MAX_SSRC_LINES, "a=ssrc lines"),
)


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of an m-line; `name` is lower case ("h264", "vp8", "opus", "rtx", …)."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: Mapping[str, int | str | None] = field(default_factory=dict)
    feedback: frozenset[str] = frozenset()

    def repaired_by(self, codecs: tuple[Codec, ...]) -> int:
        """The RTX payload type that repeats this one (RFC 4588 8.6: apt), or 0."""
        for codec in codecs:
            if codec.name == "rtx" and str(codec.parameters.get("apt")) == str(self.payload_type):
                return codec.payload_type
        return 0


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One m-line. `ssrcs` are the primary ones, `repairs` maps an RTX SSRC to its primary (FID)."""

    kind: str
    mid: str
    direction: str
    codecs: tuple[Codec, ...] = ()
    extensions: Mapping[str, int] = field(default_factory=dict)
    ssrcs: tuple[int, ...] = ()
    repairs: Mapping[int, int] = field(default_factory=dict)
    sctp_port: int = 0
    max_message_bytes: int = 65536


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole offer. `fingerprints` are (algorithm, hex with colons) pairs of the peer's certificate."""

    media: tuple[OfferedMedia, ...]
    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[tuple[str, str], ...]
    bundled: frozenset[str]
    is_firefox: bool


def check_size(sdp: str) -> list[str]:
    """The lines of what is small enough to be honest; the rest is refused before any parsing (REL-G32)."""
    if len(sdp) > MAX_SDP_BYTES or len(sdp.encode()) > MAX_SDP_BYTES:
        raise PeerError("sdp_too_large", f"more than {MAX_SDP_BYTES} bytes", status=413)
    lines = sdp.splitlines()
    if len(lines) > MAX_SDP_LINES:
        raise PeerError("sdp_too_large", f"more than {MAX_SDP_LINES} lines", status=413)
    for mark, bound, name in _BOUNDS:
        # Counting in the whole text is quick and can only count too many: then the lines are looked at.
        if sdp.count(mark) > bound and sum(line.startswith(mark) for line in lines) > bound:
            raise PeerError("sdp_too_large", f"more than {bound} {name}", status=413)
    return lines


def choose_video(codecs: tuple[Codec, ...], name: str) -> Codec | None:
    """The payload type of `name` ("h264" or "vp8") to answer with.

    H.264: constrained baseline (42e0xx: profile_iop with set1) with packetization-mode 1 first, as
    GStreamer shows no picture with others; then any profile with mode 1, then mode 0 (RFC 6184 8.1).
    """
    matching = [codec for codec in codecs if codec.name == name]
    if name != "h264":
        return matching[0] if matching else None
    return min(matching, key=_h264_rank, default=None)


def _h264_rank(codec: Codec) -> tuple[bool, bool, bool]:
    profile = str(codec.parameters.get("profile-level-id", "42e01f")).lower()
    constrained = profile.startswith("42") and _hex(profile[2:4]) & 0x40 != 0
    mode_1 = str(codec.parameters.get("packetization-mode", 0)) == "1"
    return (not mode_1, not constrained, not profile.startswith("42"))


def _hex(digits: str) -> int:
    try:
        return int(digits, 16)
    except ValueError:
        return 0


def choose_audio(codecs: tuple[Codec, ...]) -> Codec | None:
    """Opus at 48 kHz (RFC 7587), the only audio codec forwarded."""
    return next((codec for codec in codecs if codec.name == "opus" and codec.clock_rate == 48000), None)
