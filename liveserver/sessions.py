"""WHIP and WHEP sessions (RFC 9725): which peer an address stands for, and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from liveserver.core.errors import PeerError
from liveserver.sfu.answer import Candidate
from liveserver.sfu.fragment import read_fragment, restarted_fragment
from liveserver.sfu.peer import Peer
from liveserver.tokens import Claims, session_ended


@dataclass(frozen=True, slots=True)
class Answer:
    """A session that has begun."""

    session_id: str
    sdp: str
    etag: str


@dataclass(frozen=True, slots=True)
class Patched:
    """What a PATCH did: 204 without, or 200 with a fragment."""

    status: int
    body: str
    etag: str


@dataclass(frozen=True, slots=True)
class _Session:
    peer: Peer
    lesson: str
    claims: Claims
    remote_ufrag: str
    send_away: Callable[[PeerError], None]


class Sessions:
    """`candidates` are the addresses to offer again after an ICE restart."""

    def __init__(self, candidates: Callable[[], Sequence[Candidate]]):
        self._candidates = candidates
        self._sessions: dict[str, _Session] = {}
        self._arriving: dict[tuple[str, str], Peer] = {}  # a learner's newest session, until it has settled

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(
        self, peer: Peer, lesson: str, claims: Claims, sdp: str, send_away: Callable[[PeerError], None]
    ) -> Answer:
        """`send_away` tells who is there why, as far as that is possible, and ends it."""
        self._sessions[peer.id] = _Session(peer, lesson, claims, peer.remote_ufrag, send_away)
        return Answer(peer.id, sdp, peer.etag)

    def only_one_arrives(self, viewer: Peer, lesson: str, person: str) -> None:
        """A learner's newer attempt ends one that has not connected; connected ones the room ends."""
        previous = self._arriving.get((lesson, person))
        if previous is not None and not previous.is_connected:
            previous.close("replaced")
        self._arriving[lesson, person] = viewer

    def patch(self, session_id: str, claims: Claims, fragment: str, if_match: str | None) -> Patched:
        """Trickle (204; an ICE-lite server learns addresses from checks) or restart ICE (200).

        Raises PeerError unknown_session (404), forbidden (403), etag_mismatch (412), sdp_….
        """
        session = self._find(session_id, claims)
        peer = session.peer
        ufrag = read_fragment(fragment)
        if ufrag is not None and ufrag != session.remote_ufrag:
            if if_match not in ("*", peer.etag):
                raise PeerError("etag_mismatch", "an ICE restart needs If-Match: *", status=412)
            ice = peer.restart_ice()
            self._sessions[session_id] = replace(session, remote_ufrag=ufrag)
            return Patched(200, restarted_fragment(ice, self._candidates()), peer.etag)
        if if_match not in (None, "*", peer.etag):
            raise PeerError("etag_mismatch", "the session has been restarted", status=412)
        return Patched(204, "", peer.etag)

    def leave(self, session_id: str, claims: Claims) -> None:
        """End a session. Raises PeerError unknown_session (404), forbidden (403)."""
        session = self._find(session_id, claims)
        del self._sessions[session_id]
        session.peer.close("left")

    def end_void(self, is_void: Callable[[Claims], bool]) -> None:
        """End the sessions of those whose tokens have become void."""
        for session in list(self._sessions.values()):
            if session.peer.closed_reason is None and is_void(session.claims):
                session.send_away(session_ended())

    def forget_closed(self) -> None:
        """Now and then: drop what has ended by itself."""
        for session_id, session in list(self._sessions.items()):
            if session.peer.closed_reason is not None:
                del self._sessions[session_id]
        for key, peer in list(self._arriving.items()):
            if peer.is_connected or peer.closed_reason is not None:
                del self._arriving[key]

    def _find(self, session_id: str, claims: Claims) -> _Session:
        session = self._sessions.get(session_id)
        if session is None or session.peer.closed_reason is not None:
            raise PeerError("unknown_session", "no such session", status=404)
        if session.claims.person != claims.person or not claims.covers(session.lesson):
            raise PeerError("forbidden", "the session is somebody else's", status=403)
        return session
