"""What the HTTP edge needs of this node's lessons: found, joined, published to, cut."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from liveserver.core.challenge import CheckKind
from liveserver.core.events.cut import Level
from liveserver.core.people import Placement
from liveserver.core.quiz import Question
from liveserver.core.retention import Programme
from liveserver.hls.playlist import Streams
from liveserver.hls.shelf import Rendition, Shelf
from liveserver.http.ports import Object
from liveserver.store import Lesson as StoredLesson
from liveserver.tokens import Claims


class Carrier(Protocol):
    """One way to a client for control messages, whatever carries them."""

    @property
    def kind(self) -> str:
        """`websocket` or `datachannel`."""

    def send(self, text: str) -> None:
        """Queue one message; never blocks. A reader too slow for its bounded queue is closed."""

    def close(self, code: int, reason: str) -> None:
        """Send what waits, then close with a code of docs/PROTOCOL.md."""


class Peer(Protocol):
    """Somebody connected to a lesson by a carrier."""

    @property
    def takes_pieces(self) -> bool: ...

    def receive(self, text: str | bytes) -> Awaitable[None]: ...

    def gone(self, reason: str) -> None: ...


class Answer(Protocol):
    """What a WHIP or WHEP offer was answered with."""

    @property
    def session_id(self) -> str: ...

    @property
    def sdp(self) -> str: ...

    @property
    def etag(self) -> str: ...


class Patched(Protocol):
    """What a PATCH of a session did: 204 without a body, or 200 with the server's new fragment."""

    @property
    def status(self) -> int: ...

    @property
    def body(self) -> str: ...

    @property
    def etag(self) -> str: ...


class Lesson(Protocol):
    @property
    def id(self) -> str: ...


class Broadcast(Protocol):
    """A lesson in the wide tier."""

    @property
    def shelf(self) -> Shelf: ...

    @property
    def streams(self) -> Streams: ...

    def check(self, rendition: Rendition | None) -> None: ...


class Lessons(Protocol):
    """Made, ended, shown."""

    async def create(
        self,
        title: str,
        by: Claims,
        programmes: frozenset[Programme] = frozenset(),
        *,
        preset: str = "default",
        planned_s: int | None = None,
        planned_start_ms: int | None = None,
        placed: Placement = ...,
    ) -> Lesson: ...

    def describe(self, lessons: Sequence[StoredLesson]) -> list[Object]: ...

    async def one(self, lesson_id: str) -> Object: ...

    async def page(self, state: str | None, after: str | None, limit: int) -> Object: ...

    async def end(self, lesson_id: str, claims: Claims) -> Object: ...


class Joining(Protocol):
    """Coming in and going."""

    async def publish(self, lesson_id: str, claims: Claims, offer: str) -> Answer: ...

    async def watch(self, lesson_id: str, claims: Claims, offer: str) -> Answer: ...

    async def wide(self, lesson_id: str, claims: Claims) -> Broadcast: ...

    def wide_at_once(self, lesson_id: str, claims: Claims) -> Broadcast | None: ...

    async def patch(
        self, session_id: str, claims: Claims, fragment: str, if_match: str | None
    ) -> Patched: ...

    async def leave(self, session_id: str, claims: Claims) -> None: ...

    async def connect(self, lesson_id: str, claims: Claims, carrier: Carrier) -> Peer: ...


class Moderating(Protocol):
    """Cuts."""

    async def cut(
        self,
        lesson_id: str,
        claims: Claims,
        level: Level,
        reason: str,
        person: str | None = None,
        began_ns: int | None = None,
    ) -> Object: ...

    async def cuts(self, lesson_id: str, after: str | None, limit: int) -> Object: ...

    async def restore(self, lesson_id: str, claims: Claims, reason: str) -> Object: ...


class Playback(Protocol):
    """Recordings, and who may play them."""

    async def recordings(self, lesson_id: str | None, after: str | None, limit: int) -> Object: ...

    async def recording(self, recording_id: str) -> Object: ...

    def may_play(self, lesson_id: str, person: str, role: str) -> None: ...

    async def reels(self, recording_id: str) -> list[Object]: ...


class Checking(Protocol):
    """Random checks, and consents to photos."""

    async def ask(
        self, lesson_id: str, claims: Claims, kind: CheckKind, person: str | None, question: Question | None
    ) -> Object: ...

    async def listed(self, lesson_id: str, after: int, limit: int, person: str | None) -> Object: ...

    def consents(self, claims: Claims) -> bool: ...

    async def agree(self, claims: Claims, text_sha256: str) -> None: ...

    async def withdraw(self, claims: Claims) -> None: ...

    async def photo(self, lesson_id: str, photo: str, claims: Claims, reason: str) -> bytes: ...

    async def review(
        self, lesson_id: str, claims: Claims, challenge: str, person: str, *, passed: bool
    ) -> None: ...


class Rooms(Protocol):
    """The lessons of this node. Everything raises `PeerError` for what is refused."""

    @property
    def lessons(self) -> Lessons: ...

    @property
    def joining(self) -> Joining: ...

    @property
    def moderating(self) -> Moderating: ...

    @property
    def playback(self) -> Playback: ...

    @property
    def checking(self) -> Checking: ...

    def debug(self) -> Object: ...


class Drills(Protocol):
    """What drills of the kill switch have seen."""

    async def keep(
        self,
        lesson: str,
        by: str,
        level: str,
        viewers: int,
        seen_udp_us: Sequence[int],
        seen_tcp_us: Sequence[int],
    ) -> Object: ...

    async def listed(self, after: str | None, limit: int) -> Object: ...
