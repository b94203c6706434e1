"""What the ledger signs, to the byte: heads, receipts, its keys; and what a witness signs.

Each is one flat JSON object. The signature (Ed25519, RFC 8032) is over the RFC 8785 canonical JSON of the
object without the members `signature` and `accepted`; `type` is among what is signed, so one can never be
taken for another:

    {"at_ms":1772415000123,"key":"<id>","log":"<id>","previous":"<hash>","root":"<hash>","size":42,
     "type":"liveserver/head/1"}

but without white space. Hashes, ids, keys and signatures are lower-case hexadecimal. A key's id is the
SHA-256 of its 32 bytes. A log's id is the id of its first key: who knows it can follow the hand-overs to the
key of today. Time is whole milliseconds since 1970, as everywhere in the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, ClassVar, Self

from liveserver.core import ed25519
from liveserver.core.ledger import JSON, WHOLE_MAX, Fact, canonical_json

UNSIGNED = frozenset({"signature", "accepted"})
_WHOLE = frozenset({"size", "at_ms", "number", "index"})
_OR_NULL = frozenset({"previous", "index", "leaf"})
_HEX = re.compile(r"[0-9a-f]+")

Verify = Callable[[bytes, bytes, bytes], bool]
"""(public key, message, signature) → whether it fits."""
Keys = Mapping[str, bytes]
"""Public keys (32 bytes) by their ids."""


class HeadError(ValueError):
    """Something signed is malformed, or not signed by whom it says; the message names the member."""


def key_id(public: bytes) -> str:
    """The id of a public key."""
    return sha256(public).hexdigest()


def signed_bytes(document: Mapping[str, Any]) -> bytes:
    """What the signature of `document` is over."""
    body = {name: value for name, value in document.items() if name not in UNSIGNED}
    return canonical_json(body).encode()


def fact_hash(fact: Fact) -> str:
    """What a receipt promises: SHA-256 of `{"at_ms", "data", "lesson", "type"}`, canonical.

    An entry has all four beside its index and the time it was written, so anybody can reckon it again.
    """
    body: JSON = {"at_ms": fact.at_ms, "data": fact.data, "lesson": fact.lesson, "type": fact.type}
    return sha256(canonical_json(body).encode()).hexdigest()


class _Signed:
    """A flat JSON object with a type, whose members are the fields of its dataclass."""

    __slots__ = ()
    TYPE: ClassVar[str]

    def body(self) -> dict[str, Any]:
        """The members that are signed."""
        return {name: value for name, value in self.document().items() if name not in UNSIGNED}

    def document(self) -> dict[str, Any]:
        """As it is shown, stored and sent."""
        return {"type": self.TYPE} | {name: getattr(self, name) for name in _members(type(self))}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """What `document` is, member by member; the signature is not checked yet. Raises HeadError."""
        if document.get("type") != cls.TYPE:
            raise HeadError(f"type: {cls.TYPE} is expected")
        for name in _members(cls):
            _expect(name, document.get(name))
        return cls(**{name: document.get(name) for name in _members(cls)})


@dataclass(frozen=True, slots=True)
class Head(_Signed):
    """The ledger as it was: `root` over its first `size` entries."""

    TYPE = "liveserver/head/1"

    log: str
    size: int
    root: str
    at_ms: int
    key: str
    """The id of the key that signed."""
    previous: str | None
    """`hash()` of the head that was signed before this one; None for the first."""
    signature: str = ""

    def hash(self) -> str:
        """What the next head calls `previous`, and a witness `head`: SHA-256 of what is signed."""
        return sha256(signed_bytes(self.body())).hexdigest()


@dataclass(frozen=True, slots=True)
class Receipt(_Signed):
    """The promise that a fact is kept. `index` and `leaf` are None while it waits for the database."""

    TYPE = "liveserver/receipt/1"

    log: str
    fact: str
    """`fact_hash`."""
    at_ms: int
    """When it was accepted: it was on a disk by then."""
    key: str
    index: int | None = None
    leaf: str | None = None
    signature: str = ""


@dataclass(frozen=True, slots=True)
class LogKey(_Signed):
    """A key of the log. The first signs itself; a later one is signed by the key before it, and by itself
    (`accepted`): a key nobody has cannot be handed the log."""

    TYPE = "liveserver/key/1"

    log: str
    number: int
    public: str
    at_ms: int
    key: str
    """The id of the key that signed: of the one before, the first's own."""
    size: int
    """How many entries there were when it began to sign."""
    signature: str = ""
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class Witnessed(_Signed):
    """A witness's answer: it saw the head, and that it only grew out of the one it had seen before."""

    TYPE = "liveserver/witnessed/1"

    log: str
    size: int
    root: str
    head: str
    """`Head.hash`."""
    at_ms: int
    """By the witness's own clock."""
    key: str
    """The id of the witness's key."""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Sealed(_Signed):
    """The seal of an evidence bundle (`core.bundle`): it was made of the ledger as that head has it."""

    TYPE = "liveserver/bundle/1"

    log: str
    manifest: str
    """SHA-256 of the bundle's manifest, which names everything else in it."""
    size: int
    at_ms: int
    """Of the head."""
    key: str
    signature: str = ""


def check(
    signed: Head | Receipt | Witnessed | Sealed,
    keys: Keys,
    log: str | None = None,
    verify: Verify = ed25519.verify,
) -> None:
    """Pass, or raise HeadError: unless one of `keys` signed it, and it is of `log` where that is given."""
    if log is not None and signed.log != log:
        raise HeadError("log: it is of another log")
    public = keys.get(signed.key)
    if public is None:
        raise HeadError("key: it is signed by a key that is not the log's")
    if not verify(public, signed_bytes(signed.body()), bytes.fromhex(signed.signature)):
        raise HeadError("signature: it does not fit")


def follow(log: str, keys: Iterable[LogKey], verify: Verify = ed25519.verify) -> dict[str, bytes]:
    """The log's public keys by their ids, each handed the log by the one before. Raises HeadError."""
    followed: dict[str, bytes] = {}
    last = log
    for number, key in enumerate(keys):
        public = bytes.fromhex(key.public)
        if key.log != log or key.number != number or key.key != last:
            raise HeadError(f"key {number}: it does not follow the one before")
        if number == 0 and key_id(public) != log:
            raise HeadError("key 0: it is not the key the log is named by")
        signer = public if number == 0 else followed[last]
        message = signed_bytes(key.body())
        signatures = ((signer, key.signature), (public, key.accepted))
        if not all(verify(by, message, bytes.fromhex(signature)) for by, signature in signatures):
            raise HeadError(f"key {number}: a signature does not fit")
        last = key_id(public)
        followed[last] = public
    return followed


def contradict(one: Head, other: Head) -> bool:
    """Whether two heads, both with signatures that fit, show a log of two faces (REL-E4)."""
    return one.log == other.log and one.size == other.size and one.root != other.root


def _members(kind: type[_Signed]) -> Iterator[str]:
    return (one.name for one in fields(kind))  # type: ignore[arg-type]


def _expect(name: str, value: object) -> None:
    """Raise HeadError unless `value` has the form of what is called so."""
    if value is None and name in _OR_NULL:
        return
    if name in _WHOLE:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= WHOLE_MAX:
            raise HeadError(f"{name}: a whole number is expected")
        return
    digits = 128 if name in UNSIGNED else 64
    if not isinstance(value, str) or len(value) != digits or _HEX.fullmatch(value) is None:
        raise HeadError(f"{name}: {digits} hexadecimal digits are expected")
