"""Telephone numbers of persons: sealed under a key of each person's own, found again by a keyed hash.

Whoever copies the database reads none of them, and finds none by trying all there are: the hash (`mark`) is
under the installation's key, and the ledger's commitments are of the mark. Only a whole number is found.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace

from liveserver.core.errors import PeerError
from liveserver.core.people import phone_of
from liveserver.log import Event, get_logger
from liveserver.store import Store
from liveserver.store.model.people import Person
from liveserver.vault import SealedError, Vault

PURPOSE = "phone"
_AT_ONCE = 200
_log = get_logger()


class Phones:
    """`key`: of the installation, for the marks. In `Person.phone` a number is in memory alone."""

    def __init__(self, store: Store, vault: Vault, key: bytes):
        self._people = store.people
        self._vault = vault
        self._key = hmac.digest(key, b"telephone marks", "sha256")

    async def start(self) -> None:
        """Seal what an earlier version kept in clear; goes on where it ended, should it be stopped."""
        count = 0
        while clear := await self._people.with_clear_phones(_AT_ONCE):
            sealed = await self.sealed({one.id: one.phone for one in clear})
            await self._people.seal_phones({one.id: (one.phone, *sealed[one.id]) for one in clear})
            count += len(clear)
        if count:
            _log.info(Event.PHONES_SEALED, count=count)

    def mark(self, phone: str) -> bytes:
        """By which the whole number is found; nothing of nothing. `phone`: as `core.people.phone_of`."""
        return hmac.digest(self._key, phone.encode(), "sha256") if phone else b""

    def wanted(self, text: str) -> bytes:
        """The mark of what somebody searches for; nothing where that is no telephone number."""
        try:
            return self.mark(phone_of(text))
        except PeerError:
            return b""

    async def sealed(self, phones: Mapping[str, str]) -> dict[str, tuple[bytes, bytes]]:
        """Person → the number sealed, and its mark; some hundred at most."""
        wanted = [(person, _name(person), phone.encode()) for person, phone in phones.items() if phone]
        try:
            made = await self._vault.seal_all(wanted)
        except SealedError:
            made = [await self._anew(*one) for one in wanted]
        found = {person: data for (person, _, _), data in zip(wanted, made, strict=True)}
        return {person: (found.get(person, b""), self.mark(phone)) for person, phone in phones.items()}

    async def _anew(self, person: str, name: str, phone: bytes) -> bytes:
        """Under a new key where the person's does not open: it is of another installation's, and all it has
        sealed is the number whose place this one takes."""
        try:
            return await self._vault.seal(person, name, phone)
        except SealedError:
            await self._vault.destroy(person)
            return await self._vault.seal(person, name, phone)

    async def changes(self, person: str, phone: str, before: bytes) -> dict[str, bytes]:
        """What of the row changes with this number; nothing where `before` is its mark already."""
        mark = self.mark(phone)
        if hmac.compare_digest(mark, before):
            return {}
        return dict(
            zip(("phone_sealed", "phone_mark"), (await self.sealed({person: phone}))[person], strict=True)
        )

    async def seal(self, people: Sequence[Person]) -> list[Person]:
        """As they are to be kept."""
        done: list[Person] = []
        for start in range(0, len(people), _AT_ONCE):
            part = people[start : start + _AT_ONCE]
            sealed = await self.sealed({one.id: one.phone for one in part})
            done += [
                replace(one, phone_sealed=sealed[one.id][0], phone_mark=sealed[one.id][1]) for one in part
            ]
        return done

    async def open(self, people: Sequence[Person]) -> list[Person]:
        """With their numbers, as far as there are any that open: erased ones do not, nor any without the
        installation's key."""
        closed = [(one.id, _name(one.id), one.phone_sealed) for one in people if one.phone_sealed]
        found = await self._vault.unseal_all(closed)
        return [replace(one, phone=found.get(one.id, b"").decode()) for one in people]

    async def erase(self, person: str) -> None:
        """Nothing opens any more."""
        await self._vault.destroy(person)


def _name(person: str) -> str:
    """What a sealed number is bound to."""
    return f"{PURPOSE}/{person}"
