"""Passwords as Argon2id keeps them (RFC 9106), hashed beside the event loop and a few at a time.

Each hash takes 19 MiB and some 20 ms of one core (OWASP's least for Argon2id: t=2, p=1); RFC 9106's own
second choice, 64 MiB and t=3, takes eight times as long, and ten thousand learners sign in within minutes on
two cores that also forward their lesson. What is stored names its parameters, so they may be raised: a hash
of older ones is replaced at the next sign-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from liveserver.core.errors import PeerError

T = TypeVar("T")
AT_ONCE = 2
WAITING_MOST = 400  # some 4 s of work
_RETRY_S = 5

_hasher = PasswordHasher(
    time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""What a name without an account, or without a password, is compared with: no password fits, the work is the
same.
"""


class Passwords:
    """Hashes and compares. Belongs to one event loop; `close` ends its threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords")
        self._waiting = 0

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def numbers(self) -> dict[str, float]:
        return {"waiting": float(self._waiting)}

    async def hash(self, password: str) -> str:
        """Raises PeerError `busy` (503) as `fits` does."""
        return await self._beside(partial(_hasher.hash, password))

    async def fits(self, stored: str, password: str) -> bool:
        """Whether `password` is the one of `stored`; an empty `stored` takes as long and is never it.

        Raises PeerError `busy` (503) when too many wait.
        """
        return await self._beside(partial(_fits, stored or _NOBODYS, password)) and bool(stored)

    @staticmethod
    def is_outdated(stored: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return _hasher.check_needs_rehash(stored)

    async def _beside(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MOST:
            raise PeerError("busy", "too many sign in at once", status=503, retry_after_s=_RETRY_S)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _fits(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
