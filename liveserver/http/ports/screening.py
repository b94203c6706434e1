"""What the HTTP edge needs of screening: its rules, what people decide, the wall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from liveserver.core.screening import Policy
from liveserver.http.ports import Object
from liveserver.store.incidents import Wanted
from liveserver.tokens import Claims


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
