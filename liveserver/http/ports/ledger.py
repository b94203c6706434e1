"""What the HTTP edge needs of the ledger: entries, heads, bundles, inspections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from liveserver.core.heads import Head, LogKey, Receipt
from liveserver.core.ledger import Entry, Fact
from liveserver.core.trail import Act, Look
from liveserver.http.ports import Object
from liveserver.http.ports.recordings import StoredRecording
from liveserver.tokens import Claims


class Heads(Protocol):
    """What was signed of the ledger."""

    async def latest(self) -> Head | None: ...

    async def since(self, size: int, limit: int) -> Sequence[Head]: ...

    async def keys(self) -> Sequence[LogKey]: ...

    async def index_of(self, leaf: bytes) -> int | None: ...


class Trail(Protocol):
    """What administrators did, and what they looked at."""

    async def acts(self, after: int, limit: int) -> Sequence[Act]: ...

    async def newest(self, limit: int) -> int: ...

    async def looks(self, after: int, limit: int) -> Sequence[Look]: ...

    async def newest_look(self, limit: int) -> int: ...

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


class Recordings(Protocol):
    """What the store has of recordings."""

    async def one(self, recording: str) -> StoredRecording | None: ...


class Links(Protocol):
    """Links that work once."""

    async def use_once(self, token_id: str, expires_at_ms: int) -> bool: ...


class Store(Protocol):
    """The parts of the store that are read without a room: the ledger, sealed files, used links."""

    @property
    def recordings(self) -> Recordings: ...

    @property
    def links(self) -> Links: ...

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
