"""What an entry of the ledger is, to the byte: anybody with an export can hash it again.

A leaf of the Merkle log is over the RFC 8785 canonical JSON of the whole entry:

    {"at_ms":1772415000123,"data":{"person":"p7"},"index":41,"lesson":"01K…",
     "recorded_at_ms":1772415000130,"type":"join"}

without the white space. Numbers are whole: lengths and times are integer milliseconds, so the difficult
part of RFC 8785, how to print a fraction, never arises.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from liveserver.core.errors import PeerError
from liveserver.core.merkle import leaf_hash

JSON: TypeAlias = "bool | int | str | Sequence[JSON] | Mapping[str, JSON] | None"

WHOLE_MAX = 2**53 - 1
"""The largest number every JSON reader keeps exactly (RFC 8785 3.2.2.3, RFC 7493 2.2)."""
DATA_MAX_BYTES = 65_536
"""One fact's data. A presence tick of 1,000 people who changed in one second has some 40 kB."""
_NESTING_MAX = 16
_NAMES_MAX = 16  # whose order is remembered

# Made once: json.dumps with these arguments builds an encoder for every call.
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened, before the ledger has it."""

    type: str
    lesson: str | None
    at_ms: int
    """When it happened, milliseconds since 1970, by the server's clock."""
    data: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact in the ledger."""

    index: int
    type: str
    lesson: str | None
    at_ms: int
    recorded_at_ms: int
    """When it was written; entries are ordered by `index`, clocks may jump."""
    data: Mapping[str, JSON]
    leaf: bytes
    """32 bytes, SHA-256."""

    @property
    def fact(self) -> Fact:
        """What it records, without its place in the ledger."""
        return Fact(self.type, self.lesson, self.at_ms, self.data)


def canonical_json(value: JSON) -> str:
    """`value` as RFC 8785 writes it; always encodable as UTF-8.

    Raises ValueError for what has no canonical form here, our own mistake: fractions, numbers beyond
    2^53, keys that are not strings, nesting deeper than 16. Raises PeerError as `storable` does.
    """
    return _ENCODE(_ordered(value, _NESTING_MAX))


def entry_leaf(
    index: int, kind: str, lesson: str | None, at_ms: int, recorded_at_ms: int, data_json: str
) -> bytes:
    """The leaf of an entry whose data is given in its canonical form."""
    # The keys in order of code units, as RFC 8785 3.2.3 sorts them.
    text = (
        f'{{"at_ms":{at_ms:d},"data":{data_json},"index":{index:d},"lesson":{_ENCODE(lesson)},'
        f'"recorded_at_ms":{recorded_at_ms:d},"type":{_ENCODE(kind)}}}'
    )
    return leaf_hash(text.encode())


def commitment(salt: bytes, text: str) -> str:
    """What the ledger keeps of a person's words: HMAC-SHA256 under a salt of their own, as hex.

    Once the salt is erased the words can no longer be guessed from it, and every proof still holds.
    """
    return hmac.digest(salt, storable(text).encode(), "sha256").hex()


def storable(text: str) -> str:
    """`text`, or PeerError `bad_message` for what neither UTF-8 nor PostgreSQL can hold.

    JSON lets a peer write half a surrogate pair and the character NUL.
    """
    if "\0" in text:
        raise PeerError("bad_message", "a text holds the character NUL")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise PeerError("bad_message", "a text holds half a surrogate pair") from error
    return text


def _ordered(value: JSON, depth: int) -> JSON:
    """`value` with every object's keys in the order of their UTF-16 code units, checked on the way."""
    if depth == 0:
        raise ValueError(f"nested deeper than {_NESTING_MAX}")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, (dict, Mapping)):  # dict first: far cheaper to ask
        sort = _sorted_names if len(value) <= _NAMES_MAX else _sorted_keys
        return {key: _ordered(value[key], depth - 1) for key in sort(tuple(value))}
    if isinstance(value, (list, tuple)):
        return [_ordered(item, depth - 1) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -WHOLE_MAX <= value <= WHOLE_MAX:
            raise ValueError(f"{value} is not kept exactly by every JSON reader")
        return value
    raise ValueError(f"a {type(value).__name__} has no canonical form")


def _sorted_keys(keys: tuple[object, ...]) -> list[str]:
    names = list(map(_key, keys))
    if "".join(names).isascii():
        return sorted(names)
    return sorted(names, key=lambda key: key.encode("utf-16-be"))


_sorted_names = lru_cache(maxsize=256)(_sorted_keys)
"""Objects of a kind have the same names: a challenge to a class has 10,000 of one kind."""


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"a key is a string, not a {type(key).__name__}")
    return storable(key)
