"""Codes for a first passkey (`core.passkey_code`): given by whoever gives roles, good once.

Who makes password links and who gives these codes are two persons where the work is shared by three: neither
comes in as somebody else alone.
"""

from __future__ import annotations

import hmac
import secrets

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.passkey_code import GOOD_MS, LENGTH, LETTERS, PasskeyCode, fits, folded, shown
from liveserver.store import Store
from liveserver.store.accounts import no_account
from liveserver.tokens import Claims, Tokens


class PasskeyCodes:
    """Every giving and every wrong try is a fact of the ledger."""

    def __init__(self, store: Store, clock: Clock, tokens: Tokens):
        self._store = store
        self._clock = clock
        self._key = tokens.derive("passkey codes")

    async def give(self, person: str, by: Claims) -> tuple[str, int]:
        """A code in the place of an earlier one, and until when it is good, ms since 1970.

        Raises PeerError `same_person` (403), `has_passkey` (409), `no_account` (404).
        """
        if await self._store.accounts.account(person) is None:
            raise no_account()
        if person == by.person:
            raise PeerError("same_person", "nobody gives himself a code", status=403)
        if await self._store.accounts.passkeys_of(person):
            raise PeerError("has_passkey", "the account has a passkey: no code is asked for", status=409)
        code, now_ms = "".join(secrets.choice(LETTERS) for _ in range(LENGTH)), self._clock.wall_ms()
        given = PasskeyCode(person, self._mark(person, code), by.person, now_ms + GOOD_MS)
        await self._store.passkey_codes.put(given, now_ms)
        await self._fact("passkey_code_given", person=person, by=by.person)
        return shown(code), given.until_ms

    async def require(self, person: str, text: str | None) -> bytes:
        """The mark of the person's code, if `text` is it; using it up is the store's.

        Raises PeerError `passkey_code_needed` (403) for none, `passkey_code_refused` (403) for one that is
        wrong, over, used, or was tried too often.
        """
        if not text:
            raise PeerError("passkey_code_needed", "the first passkey takes a code", status=403)
        # Charged before it is looked at, so that tries made side by side are not more than five.
        code = await self._store.passkey_codes.tried(person, self._clock.wall_ms())
        if code is None:
            raise refused()
        if not fits(code, self._mark(person, folded(text))):
            await self._fact("passkey_code_refused", person=person)
            raise refused()
        await self._store.passkey_codes.forgive(code)
        return code.mark

    def _mark(self, person: str, code: str) -> bytes:
        """Keyed: who reads the store alone does not find a short code by trying all."""
        return hmac.digest(self._key, f"{person}\0{code}".encode(), "sha256")

    async def _fact(self, kind: str, **data: JSON) -> None:
        await self._store.append([Fact(kind, None, self._clock.wall_ms(), data)])


def refused() -> PeerError:
    """One answer for everything that is wrong with a code."""
    return PeerError("passkey_code_refused", "the code is wrong, or no longer good", status=403)
