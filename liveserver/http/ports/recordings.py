"""What the HTTP edge needs of recordings: where they are, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from liveserver.http.ports import Object


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
