"""Tokens that were verified before, so that a token asked about each second is not verified each second.

Two generations of at most `MOST` each: a token asked for again moves to the young one, the old one goes as a
whole. A token is known by its hash, so what lies here opens nothing; only what was verified gets in. Safe
from any thread: each step is one operation of a dict.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Generic, TypeVar

MOST = 16_384  # of each generation: a class of 10,000 and those who come and go

Claims = TypeVar("Claims")


class Verified(Generic[Claims]):
    """What the tokens said. Whoever asks checks the times anew."""

    def __init__(self, most: int = MOST):
        self._most = most
        self._young: dict[bytes, Claims] = {}
        self._old: dict[bytes, Claims] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, token: str) -> Claims | None:
        """What `token` said, None where it is not known. ASCII alone."""
        key = _key(token)
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self._keep(key, found)
        return found

    def keep(self, token: str, claims: Claims) -> None:
        """`token` was verified."""
        self._keep(_key(token), claims)

    def _keep(self, key: bytes, claims: Claims) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = claims


def _key(token: str) -> bytes:
    return blake2b(token.encode("ascii"), digest_size=32).digest()
