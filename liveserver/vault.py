"""What belongs to one person is sealed under a key of his own: destroy the key, and it is gone (PIPL 47).

    nonce (12 bytes) ‖ AES-256-GCM of the data ‖ tag (16 bytes), the name of the thing authenticated with it

The person's key is random, and stands in the database wrapped by one that is derived (HKDF-SHA256, RFC 5869)
from the installation's, which is in no database: whoever copies the database alone opens nothing.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from liveserver.clock import Clock
from liveserver.store import Store

KEY_BYTES = 32
NONCE_BYTES = 12
_SLICE = 200


class SealedError(Exception):
    """It does not open: the key was destroyed, or these are not the bytes that were sealed."""


def seal(key: bytes, name: str, data: bytes) -> bytes:
    """`data` under `key`; it opens under the same `name` alone."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, name.encode())


def unseal(key: bytes, name: str, sealed: bytes) -> bytes:
    """What was sealed. Raises SealedError."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
    except (InvalidTag, ValueError) as error:
        raise SealedError(name) from error


class Vault:
    """`key`: the installation's, 32 bytes. `purpose`: what a person's key is for ("photos", "identity")."""

    def __init__(self, store: Store, clock: Clock, key: bytes, purpose: str):
        self._store = store
        self._clock = clock
        self._purpose = purpose
        self._wrapping = HKDF(
            SHA256(), length=KEY_BYTES, salt=None, info=b"persons/" + purpose.encode()
        ).derive(key)

    async def seal(self, person: str, name: str, data: bytes) -> bytes:
        """Under the person's key, made at its first use, and anew after it was destroyed."""
        return seal(await self._key(person), name, data)

    async def seal_all(self, things: Sequence[tuple[str, str, bytes]]) -> list[bytes]:
        """As `seal`, each (person, name, data); their keys are looked up together."""
        names = {person: f"{self._purpose}/{person}" for person, _, _ in things}
        new = {p: seal(self._wrapping, name, secrets.token_bytes(KEY_BYTES)) for p, name in names.items()}
        wrapped = await self._store.people_keys.keys(new, self._purpose, self._clock.wall_ms())
        keys = {person: unseal(self._wrapping, names[person], key) for person, key in wrapped.items()}
        return [seal(keys[person], name, data) for person, name, data in things]

    async def unseal(self, person: str, name: str, sealed: bytes) -> bytes:
        """Raises SealedError."""
        return unseal(await self._key(person), name, sealed)

    async def unseal_all(self, things: Sequence[tuple[str, str, bytes]]) -> dict[str, bytes]:
        """Of each (person, name, sealed), by person: what was sealed; what does not open is left out.

        In slices of the loop's time.
        """
        found: dict[str, bytes] = {}
        for start in range(0, len(things), _SLICE):
            part = things[start : start + _SLICE]
            keys = await self._store.people_keys.known([person for person, _, _ in part], self._purpose)
            for person, name, sealed in part:
                with contextlib.suppress(KeyError, SealedError):  # one person's, so the others' are shown
                    key = unseal(self._wrapping, f"{self._purpose}/{person}", keys[person])
                    found[person] = unseal(key, name, sealed)
        return found

    async def destroy(self, person: str) -> bool:
        """Nothing of the person's opens from now on; whether there was a key."""
        return await self._store.people_keys.destroy(person, self._purpose, self._clock.wall_ms())

    async def _key(self, person: str) -> bytes:
        name = f"{self._purpose}/{person}"
        new = seal(self._wrapping, name, secrets.token_bytes(KEY_BYTES))
        wrapped = await self._store.people_keys.key(person, self._purpose, new, self._clock.wall_ms())
        return unseal(self._wrapping, name, wrapped)
