"""The key that signs the ledger: one per log, in the data folder's keys, handed on by a signed statement.

`ledger.key` signs. A rotation is asked for by putting a new key beside it (`ledger.next.key`, by
`liveserver ledger rotate`); at the next start the old key signs the hand-over, the new one accepts, and takes
the old one's place. A crash between any two of these steps is made up for at the start after it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from liveserver import keys
from liveserver.core import heads
from liveserver.core.heads import Head, LogKey, Receipt, Sealed, Witnessed
from liveserver.core.ledger import Entry, Fact
from liveserver.store import Store

_S = TypeVar("_S", Head, Receipt, LogKey, Sealed, Witnessed)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """`core.ed25519.verify` by OpenSSL: some fifty times as fast."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


class Key:
    """An Ed25519 key that signs documents of `core.heads`."""

    def __init__(self, secret: bytes):
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._private.public_key().public_bytes_raw()
        self.id = heads.key_id(self.public)

    def signature(self, signed: _S) -> str:
        """128 hexadecimal digits."""
        return self._private.sign(heads.signed_bytes(signed.body())).hex()

    def sign(self, signed: _S) -> _S:
        """`signed` with its signature."""
        return replace(signed, signature=self.signature(signed))


class LogSigner:
    """The log's key of today, and the log's name."""

    def __init__(self, log: str, key: Key):
        self.log = log
        self._key = key

    def head(self, previous: Head | None, size: int, root: str, at_ms: int) -> Head:
        """Sign the ledger as it is."""
        before = None if previous is None else previous.hash()
        return self._key.sign(Head(self.log, size, root, at_ms, self._key.id, before))

    def receipt(self, fact: Fact, at_ms: int, entry: Entry | None = None) -> Receipt:
        """Promise that `fact` is kept; `entry` is where, once the database has it."""
        place = (None, None) if entry is None else (entry.index, entry.leaf.hex())
        return self._key.sign(Receipt(self.log, heads.fact_hash(fact), at_ms, self._key.id, *place))

    def sealed(self, manifest: str, head: Head) -> Sealed:
        """Seal an evidence bundle of the ledger as `head` has it; `manifest`: SHA-256, hex."""
        return self._key.sign(Sealed(self.log, manifest, head.size, head.at_ms, self._key.id))


async def load_signer(folder: Path, store: Store, at_ms: int) -> LogSigner | None:
    """The signer of this store's log, its key made at the first start and handed on where that was asked for.

    None if the key in `folder` is not the log's: then heads cannot be signed until the right one is back.
    Raises ValueError, OSError for a key file that cannot be used, StoreError.
    """
    path, following = folder / "ledger.key", folder / "ledger.next.key"
    key = Key(keys.load_or_create(path))
    known = await store.heads.keys()
    size = (await store.head())[0]
    if not known:
        first = key.sign(LogKey(key.id, 0, key.public.hex(), at_ms, key.id, size))
        await store.heads.add_key(replace(first, accepted=first.signature))
        known = await store.heads.keys()
    if following.exists():
        new = Key(keys.load_or_create(following))
        if known[-1].public == key.public.hex():
            handed = key.sign(LogKey(known[0].log, len(known), new.public.hex(), at_ms, key.id, size))
            await store.heads.add_key(replace(handed, accepted=new.signature(handed)))
            known = await store.heads.keys()
        if known[-1].public == new.public.hex():
            following.replace(path)
            key = new
    return LogSigner(known[0].log, key) if known[-1].public == key.public.hex() else None
