"""The code an administrator gives somebody for his first passkey, where his role takes one.

A password alone may be stolen before its owner has a passkey; whoever has it would make himself the second
factor. So the first passkey takes a code as well, which reaches the owner another way. It is short, to be
read out: what is kept of it is keyed (`log_in/passkey_codes.py`), and it may be wrong five times in all.
Time is an argument.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 that are told apart when they are read out: neither 0 and O nor 1 and I."""
LENGTH = 10
GOOD_MS = 3_600_000
TRIES = 5


@dataclass(frozen=True, slots=True)
class PasskeyCode:
    """`mark`: what is kept of it, 32 bytes. `by`: who gave it. `tries`: that were not right, so far."""

    person: str
    mark: bytes
    by: str
    until_ms: int
    tries: int = 0

    def is_open(self, now_ms: int) -> bool:
        """Whether a try is looked at at all."""
        return now_ms < self.until_ms and self.tries < TRIES


def folded(text: str) -> str:
    """As it was made, however it was typed: small letters, spaces and hyphens do not matter."""
    return "".join(text.upper().replace("-", " ").split())


def shown(code: str) -> str:
    """In two groups, to be read out."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def fits(code: PasskeyCode, mark: bytes) -> bool:
    """Whether this is the mark of what was given; how long that takes says nothing."""
    return hmac.compare_digest(code.mark, mark)
