"""Identity numbers: checked, sealed under a key of the person's own, shown masked; and the proof of them.

The ledger has commitments, of the keyed hash and under a salt that goes with the number, so erasing it leaves
every proof of the ledger as it was, and whoever copies the database finds no number by trying all there are.
The same number at two persons is found by the keyed hash, and said, not refused: two entries of one person
are a matter for people.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.identity import Act, State, move
from liveserver.core.ledger import JSON, Fact, commitment
from liveserver.core.masking import masked_number
from liveserver.core.messages import Json
from liveserver.shapes import time
from liveserver.store import Store
from liveserver.store.identities import Identity
from liveserver.vault import SealedError, Vault

PURPOSE = "identity"
KIND = "cn.ric"
"""The number of a resident's identity card (GB 11643)."""
_SALT_BYTES = 32


class Finding(StrEnum):
    """What a way of proving says at once."""

    PROVEN = "proven"
    SECOND_LOOK = "second_look"
    REFUSED = "refused"


class RealName(Protocol):
    """A way of proving that somebody is who his number says; a platform's service has this shape as well."""

    @property
    def method(self) -> str:
        """Its name, as it is kept."""

    async def look(self, name: str, number: str, note: str) -> Finding:
        """`name` as the register has it. Raises PeerError when it cannot say."""


class Manual:
    """An administrator has looked at the card; another looks after him."""

    method = "manual"

    async def look(self, name: str, number: str, note: str) -> Finding:
        return Finding.SECOND_LOOK


class Identities:
    """`key`: of the installation, for the hash that finds a number again; `ways`: how it may be proved."""

    def __init__(
        self, store: Store, clock: Clock, vault: Vault, key: bytes, ways: Sequence[RealName] = (Manual(),)
    ):
        self._store = store
        self._clock = clock
        self._vault = vault
        self._key = hmac.digest(key, b"identity marks", "sha256")
        self._ways = {way.method: way for way in ways}

    async def enter(self, person: str, number: str, by: str) -> Json:
        """A person's number; another one before it is forgotten, with its proof.

        Raises PeerError `bad_identity_number` (422), `not_found` (404).
        """
        await self._person(person)
        compact = self.checked(number)
        await self.enter_all({person: compact}, by)
        return await self._shape(await self._known(person))

    async def enter_all(self, numbers: Mapping[str, str], by: str) -> None:
        """As `enter`, of some hundred persons who are there and numbers that were `checked`: all or none."""
        known = await self._store.identities.of_all(list(numbers))
        marks = {person: self._mark(number) for person, number in numbers.items()}
        news = [
            (person, number)
            for person, number in numbers.items()
            if person not in known or not hmac.compare_digest(known[person].mark, marks[person])
        ]
        sealed = await self._vault.seal_all(
            [(person, _name(person, "number"), number.encode()) for person, number in news]
        )
        now_ms = self._clock.wall_ms()
        made = []
        for (person, _), data in zip(news, sealed, strict=True):
            salt = secrets.token_bytes(_SALT_BYTES)
            identity = Identity(person, KIND, data, marks[person], salt, State.UNPROVEN, now_ms, now_ms)
            # Of the mark: the salt stands in the same database, and of numbers there are few enough to try.
            said = {"person": person, "kind": KIND, "number": commitment(salt, marks[person].hex()), "by": by}
            made.append((identity, Fact("identity_entered", None, now_ms, said)))
        await self._store.identities.put_all(made)

    @staticmethod
    def checked(number: str) -> str:
        """A number in one spelling. Raises PeerError `bad_identity_number` (422)."""
        try:
            return str(ric.validate(number))
        except ValidationError as error:
            raise PeerError("bad_identity_number", _why(error), status=422) from error

    async def bearers(self, numbers: Sequence[str]) -> dict[str, list[str]]:
        """Who has numbers that were `checked`; some hundred at most."""
        marks = {self._mark(number): number for number in numbers}
        found = await self._store.identities.bearers(list(marks))
        return {marks[mark]: people for mark, people in found.items()}

    async def number(self, person: str) -> str:
        """The whole number, for what two persons agreed to; nothing where there is none."""
        identity = await self._store.identities.of(person)
        return await self._open(identity, "number", identity.sealed) if identity is not None else ""

    async def shown(self, person: str) -> Json:
        """Raises PeerError `not_found` (404)."""
        return await self._shape(await self._known(person))

    async def prove(self, person: str, method: str, note: str, by: str) -> Json:
        """`note`: what was looked at. Raises PeerError `not_found`, `wrong_step`, `identity_refused`."""
        identity = await self._known(person)
        way = self._ways.get(method)
        if way is None:
            raise PeerError("bad_request", f"one of {', '.join(sorted(self._ways))} is expected")
        number = await self._open(identity, "number", identity.sealed)
        finding = await way.look((await self._person(person)), number, note)
        if finding is Finding.REFUSED:
            raise PeerError("identity_refused", "the number is not that person's", status=422)
        act = Act.NOTE if finding is Finding.SECOND_LOOK else Act.CONFIRM
        sealed = await self._vault.seal(person, _name(person, "note"), note.encode())
        said: dict[str, JSON] = {"note": commitment(identity.salt, note), "method": method}
        changes = {"method": method, "note": sealed, "noted_by": by, "seconded_by": ""}
        return await self._moved(identity, act, by, said, **changes)

    async def second(self, person: str, by: str, *, confirmed: bool) -> Json:
        """The second look. Raises PeerError `not_found`, `wrong_step`, `same_person` (403)."""
        identity = await self._known(person)
        if confirmed:
            return await self._moved(identity, Act.SECOND, by, {}, seconded_by=by)
        return await self._moved(identity, Act.REFUSE, by, {}, note=b"", noted_by="", method="")

    async def revoke(self, person: str, reason: str, by: str) -> Json:
        """Raises PeerError `not_found`, `wrong_step`."""
        identity = await self._known(person)
        said: dict[str, JSON] = {"reason": commitment(identity.salt, reason)}
        return await self._moved(identity, Act.REVOKE, by, said)

    async def note_of(self, person: str) -> str:
        """What was noted, for the second look. Raises PeerError `not_found`."""
        identity = await self._known(person)
        return await self._open(identity, "note", identity.note) if identity.note else ""

    async def erase(self, person: str, by: str) -> bool:
        """Number, note and key, for ever (PIPL 47); whether there was anything."""
        await self._vault.destroy(person)
        fact = Fact("identity_erased", None, self._clock.wall_ms(), {"person": person, "by": by})
        return await self._store.identities.erase(person, fact)

    async def _moved(
        self, before: Identity, act: Act, by: str, said: dict[str, JSON], **changes: object
    ) -> Json:
        state = move(State(before.state), act, by, before.noted_by)
        now_ms = max(self._clock.wall_ms(), before.changed_at_ms + 1)
        after = replace(before, state=state, changed_at_ms=now_ms, **changes)  # type: ignore[arg-type]
        data = {"person": before.person, "act": act, "state": state, "by": by, **said}
        await self._store.identities.move(before, after, Fact("identity_proof", None, now_ms, data))
        return await self._shape(after)

    async def _shape(self, identity: Identity) -> Json:
        number = await self._open(identity, "number", identity.sealed)
        return {
            "person": identity.person,
            "kind": identity.kind,
            "number": masked_number(number),
            "state": identity.state,
            "method": identity.method or None,
            "noted_by": identity.noted_by or None,
            "noted_at": time(identity.noted_at_ms),
            "seconded_by": identity.seconded_by or None,
            "changed_at": time(identity.changed_at_ms),
            "same_number": await self._store.identities.marked(identity.mark, identity.person),
        }

    async def _open(self, identity: Identity, part: str, sealed: bytes) -> str:
        try:
            name = _name(identity.person, part)
            return (await self._vault.unseal(identity.person, name, sealed)).decode()
        except SealedError as error:
            raise PeerError("not_found", "the number was erased", status=404) from error

    async def _known(self, person: str) -> Identity:
        identity = await self._store.identities.of(person)
        if identity is None:
            raise PeerError("not_found", "no identity number is known of that person", status=404)
        return identity

    async def _person(self, person: str) -> str:
        """The name in the register. Raises PeerError `not_found` (404)."""
        found = await self._store.people.persons.get(person)
        if found is None or found.status != "active":
            raise PeerError("not_found", "there is no such person", status=404)
        return found.name

    def _mark(self, number: str) -> bytes:
        return hmac.digest(self._key, f"{KIND}/{number}".encode(), "sha256")


def _name(person: str, part: str) -> str:
    """What a sealed text is bound to: it opens as nobody else's and as nothing else."""
    return f"identity/{person}/{part}"


def _why(error: ValidationError) -> str:
    """What is wrong, without the number: InvalidChecksum → checksum."""
    return type(error).__name__.removeprefix("Invalid").lower()
