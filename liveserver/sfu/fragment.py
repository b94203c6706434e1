"""SDP fragments of PATCH requests (RFC 8840 9, RFC 9725 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

from liveserver.core.errors import PeerError
from liveserver.sfu.answer import Candidate, IceCredentials, candidate_lines, transport_lines
from liveserver.sfu.offer import check_size

_MAX_UFRAG = 256  # RFC 8839 5.4


def read_fragment(fragment: str) -> str | None:
    """The peer's ufrag in a trickle fragment, or None. Its candidates are not needed by an ICE-lite server.

    Raises PeerError sdp_too_large (413) or sdp_malformed (400).
    """
    check_size(fragment)
    ufrag = None
    for line in fragment.splitlines():
        if not line:
            continue
        if len(line) < 2 or line[1] != "=" or line[0] not in "amv":
            raise PeerError("sdp_malformed", "not an SDP fragment")
        if line.startswith("a=ice-ufrag:"):
            ufrag = line.removeprefix("a=ice-ufrag:").strip()
            if not 4 <= len(ufrag) <= _MAX_UFRAG:
                raise PeerError("sdp_malformed", "ice-ufrag has 4 to 256 characters")
    return ufrag


def restarted_fragment(ice: IceCredentials, candidates: Sequence[Candidate]) -> str:
    """Our answer to an ICE restart: new credentials, the same candidates."""
    lines = ["a=ice-lite", *transport_lines(ice), *candidate_lines(candidates)]
    return "\r\n".join(lines) + "\r\n"
