"""What the HTTP edge needs of the rest of the node, as protocols: the seam it is typed against."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol

from liveserver.core.challenge import CheckKind
from liveserver.core.events.cut import Level
from liveserver.core.heads import Head, LogKey, Receipt
from liveserver.core.ledger import Entry, Fact
from liveserver.core.people import Placement, Status
from liveserver.core.quiz import Question
from liveserver.core.retention import Programme
from liveserver.core.screening import Policy
from liveserver.core.trail import Act
from liveserver.hls.playlist import Streams
from liveserver.hls.shelf import Rendition, Shelf
from liveserver.store import Lesson as StoredLesson
from liveserver.store.incidents import Wanted
from liveserver.tokens import Claims

Object = dict[str, Any]


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


class Rooms(Protocol):
    """The lessons of this node. Everything raises `PeerError` for what is refused."""

    async def create_lesson(
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

    async def lesson(self, lesson_id: str) -> Object: ...

    async def lessons(self, state: str | None, after: str | None, limit: int) -> Object: ...

    async def publish(self, lesson_id: str, claims: Claims, offer: str) -> Answer: ...

    async def watch(self, lesson_id: str, claims: Claims, offer: str) -> Answer: ...

    async def wide(self, lesson_id: str, claims: Claims) -> Broadcast: ...

    async def patch(
        self, session_id: str, claims: Claims, fragment: str, if_match: str | None
    ) -> Patched: ...

    async def leave(self, session_id: str, claims: Claims) -> None: ...

    async def connect(self, lesson_id: str, claims: Claims, carrier: Carrier) -> Peer: ...

    async def end(self, lesson_id: str, claims: Claims) -> Object: ...

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

    async def recordings(self, lesson_id: str | None, after: str | None, limit: int) -> Object: ...

    async def recording(self, recording_id: str) -> Object: ...

    def may_play(self, lesson_id: str, person: str, role: str) -> None: ...

    async def reels(self, recording_id: str) -> list[Object]: ...

    async def challenge(
        self, lesson_id: str, claims: Claims, kind: CheckKind, person: str | None, question: Question | None
    ) -> Object: ...

    async def challenges(self, lesson_id: str, after: int, limit: int, person: str | None) -> Object: ...

    def consents(self, claims: Claims) -> bool: ...

    async def agree(self, claims: Claims, text_sha256: str) -> None: ...

    async def withdraw(self, claims: Claims) -> None: ...

    async def photo(self, lesson_id: str, photo: str, claims: Claims, reason: str) -> bytes: ...

    async def review(
        self, lesson_id: str, claims: Claims, challenge: str, person: str, *, passed: bool
    ) -> None: ...

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


class StoredRecording(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def lesson(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def sha256(self) -> str | None: ...


class StoredObject(Protocol):
    """Where an object is, if it is in the bucket."""

    @property
    def key(self) -> str: ...

    @property
    def version(self) -> str | None: ...

    @property
    def size(self) -> int: ...


class Body(Protocol):
    """Bytes that come from elsewhere; reading blocks."""

    def read(self, size: int = -1, /) -> bytes: ...

    def close(self) -> None: ...


class Bucket(Protocol):
    """Blocking, but for `presigned`."""

    def open_range(self, key: str, start: int = 0, version: str | None = None) -> Body: ...

    def presigned(
        self, key: str, version: str | None, expires_s: int, file_name: str, public: str
    ) -> str: ...


class Keeper(Protocol):
    """What is kept, for how long, and where."""

    async def located(self, key: str) -> StoredObject | None: ...

    async def remote(self) -> Bucket: ...

    async def storage(self) -> Object: ...

    async def due(self, limit: int) -> list[Object]: ...

    async def hold(self, recording: str, by: str, reason: str) -> object: ...

    async def delete(self, wanted: Sequence[str], by: str) -> Object: ...


class Statistics(Protocol):
    """Settled hours over time."""

    async def learner(self, person: str, since: str | None, until: str | None) -> Object: ...

    async def course(self, course: str, since: str | None, until: str | None) -> Object: ...


class Hours(Protocol):
    """Attendance and lesson hours."""

    @property
    def statistics(self) -> Statistics: ...

    async def attendance(self, lesson_id: str, after: str, limit: int) -> Object: ...

    async def explained(self, lesson_id: str, person: str) -> Object: ...

    async def own(self, person: str, lesson_id: str) -> Object: ...

    async def settlements(self, lesson_id: str) -> Object: ...

    async def adjustments(self, lesson_id: str) -> Object: ...

    async def ask_adjustment(
        self, lesson_id: str, person: str, delta_s: int, reason: str, by: str
    ) -> Object: ...

    async def decide_adjustment(self, adjustment: str, *, approve: bool, words: str, by: str) -> Object: ...

    async def excuse(
        self, lesson_id: str, challenge: str, person: str, reason: str, by: str, *, excused: bool
    ) -> Object: ...

    async def export(self, lesson_id: str, kind: str, claims: Claims, grant: str | None) -> bytes: ...

    async def ask_export(self, lesson_id: str, reason: str, by: str) -> Object: ...

    async def agree_export(self, grant: str, by: str) -> Object: ...


class Questions(Protocol):
    """Banks of questions."""

    async def add(self, course: str, questions: Sequence[Question], by: str) -> list[Object]: ...

    async def set_status(self, key: str, status: Status, by: str) -> Object: ...

    async def page(self, wanted: str, after: str | None, limit: int, where: Mapping[str, Any]) -> Object: ...

    async def of_lesson(self, lesson: str) -> Object: ...


class Moderation(Protocol):
    """What people do with what screening found; raises `PeerError` for what is refused."""

    async def listed(self, claims: Claims, wanted: Wanted, after: str | None, limit: int) -> Object: ...

    async def one(self, claims: Claims, incident: str) -> Object: ...

    async def picture(self, claims: Claims, incident: str) -> bytes: ...

    async def decide(
        self, claims: Claims, incident: str, outcome: str, note: str, *, whitelist: bool = False
    ) -> Object: ...

    async def appeal(self, claims: Claims, incident: str, text: str) -> Object: ...

    async def statistics(self, claims: Claims, lesson: str | None, since_ms: int) -> Object: ...

    async def mute(self, claims: Claims, lesson: str, person: str, reason: str, *, on: bool) -> Object: ...

    async def remove_line(self, claims: Claims, lesson: str, line: str, reason: str) -> Object: ...


class Policies(Protocol):
    """Policies in versions."""

    @property
    def standard(self) -> Policy: ...

    async def listed(self) -> list[Object]: ...

    async def shown(self, name: str, version: int | None) -> Object: ...

    async def put(self, name: str, document: object, by: str) -> Policy: ...


class Lexicons(Protocol):
    """The operator's lists of words in versions."""

    async def listed(self) -> list[Object]: ...

    async def shown(self, name: str, version: int | None) -> Object: ...

    async def take(
        self, name: str, text: str, media_type: str, by: str, policy: Policy, *, dry_run: bool
    ) -> Object: ...

    async def roll_back(self, name: str, version: int, by: str) -> Object: ...


class Rules(Protocol):
    """What lessons are screened by."""

    @property
    def policies(self) -> Policies: ...

    @property
    def lexicons(self) -> Lexicons: ...

    async def of_lesson(self, lesson: str) -> Object: ...

    async def give(self, lesson: str, document: object, claims: Claims) -> Object: ...


class Spectator(Protocol):
    """Somebody before the moderators' wall."""

    def watch(self, lessons: Sequence[str]) -> None: ...

    def reply(self, text: str) -> None: ...

    async def next(self) -> str | bytes: ...


class Wall(Protocol):
    """What the moderators' wall shows; raises `PeerError` when too many look."""

    def stand(self, claims: Claims) -> Spectator: ...

    def leave(self, spectator: Any) -> None: ...


class Inventory(Protocol):
    """Which models are there."""

    async def listed(self) -> list[Object]: ...


class Heads(Protocol):
    """What was signed of the ledger."""

    async def latest(self) -> Head | None: ...

    async def since(self, size: int, limit: int) -> Sequence[Head]: ...

    async def keys(self) -> Sequence[LogKey]: ...

    async def index_of(self, leaf: bytes) -> int | None: ...


class Trail(Protocol):
    """What administrators did."""

    async def acts(self, after: int, limit: int) -> Sequence[Act]: ...

    async def newest(self, limit: int) -> int: ...

    async def last(self, kind: str) -> Entry | None: ...


class Watch(Protocol):
    """One witness and how far it is."""

    def state(self) -> Object: ...


class Notary(Protocol):
    """Who signs the ledger."""

    @property
    def watches(self) -> Sequence[Watch]: ...

    def receipt(self, fact: Fact, entry: Entry | None = None) -> Receipt | None: ...


class Bundle(Protocol):
    """An evidence bundle, to be read from its beginning and closed."""

    @property
    def file(self) -> BinaryIO: ...

    @property
    def size(self) -> int: ...

    @property
    def name(self) -> str: ...


class Bundles(Protocol):
    """Makes evidence bundles; raises `PeerError` for what is refused."""

    async def make(self, lesson_id: str, person: str | None, by: str, size: int | None = None) -> Bundle: ...


class Inspections(Protocol):
    """Samples for inspection, and what inspectors looked at."""

    async def draw(self, by: str, since: str, until: str, percent: int, seed: str | None) -> Object: ...

    async def samples(self) -> Object: ...

    async def views(self, by: str, after: int | None, limit: int) -> Object: ...

    async def saw(self, claims: Claims, what: str, lesson: str = "", subject: str = "") -> None: ...


class Store(Protocol):
    """The parts of the store that are read without a room: the ledger, sealed files, used links."""

    async def recording(self, recording_id: str) -> StoredRecording | None: ...

    async def head(self) -> tuple[int, bytes]: ...

    async def entries(
        self, after: int = -1, limit: int = 100, lesson: str | None = None
    ) -> Sequence[Entry]: ...

    async def proof(self, index: int, size: int) -> Sequence[bytes]: ...

    async def consistency(self, first: int, second: int) -> Sequence[bytes]: ...

    @property
    def heads(self) -> Heads: ...

    async def append(self, facts: Sequence[Fact]) -> Sequence[Entry]: ...

    async def keep(self, once: str, facts: Sequence[Fact]) -> Sequence[Entry] | None: ...

    @property
    def trail(self) -> Trail: ...

    async def use_once(self, token_id: str, expires_at_ms: int) -> bool: ...
