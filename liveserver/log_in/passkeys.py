"""Passkeys (W3C WebAuthn Level 3): registered by who is signed in, and signed in with, user verification
always asked.

A challenge is a signed ticket, good for five minutes, for one purpose and (registering) one person, and once;
so nothing is kept for those who ask and do not come back. What attests an authenticator's make is not asked
for.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, generate_challenge, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.log_in import Method
from liveserver.core.messages import Json
from liveserver.log import Event, get_logger
from liveserver.log_in.accounts import PASSKEYS_MOST
from liveserver.log_in.passkey_codes import PasskeyCodes, refused
from liveserver.log_in.proving import Client
from liveserver.log_in.signing_in import Opened, SigningIn
from liveserver.shapes import time
from liveserver.store import Store
from liveserver.store.accounts import Account, Passkey
from liveserver.tokens import SKEW_S, Link, Tokens

TICKET_S = 300
_REGISTER = "passkey-register"
_SIGN_IN = "passkey-sign-in"
_NAME = "讲台 Lectern"
_TIMEOUT_MS = 120_000
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Party:
    """Whom passkeys are for: the host name they are bound to, and the origin of its pages."""

    rp_id: str
    origin: str


class Passkeys:
    """Part of signing in; what is wrong with a passkey is refused as a wrong password is."""

    def __init__(
        self, store: Store, clock: Clock, tokens: Tokens, signing_in: SigningIn, codes: PasskeyCodes
    ):
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._signing_in = signing_in
        self._codes = codes
        self._key = tokens.derive("passkey users")

    async def register_options(
        self, account: Account, method: Method, party: Party, code: str | None
    ) -> Json:
        """What `navigator.credentials.create` is given, with the ticket that comes back with its result.

        `method`: how the person signed in; `code`: an administrator's. Raises as `PasskeyCodes.require` does:
        before an authenticator keeps what would be refused.
        """
        await self._vouched(account, method, code)
        known = await self._store.accounts.passkeys_of(account.person)
        ticket, challenge = self._ticket(_REGISTER, account.person)
        options = generate_registration_options(
            rp_id=party.rp_id,
            rp_name=_NAME,
            user_id=self._user(account.person),
            user_name=account.name,
            user_display_name=account.shown,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.id)) for passkey in known
            ],
        )
        return {"ticket": ticket, "public_key": options_to_json_dict(options)}

    async def register(
        self,
        account: Account,
        method: Method,
        party: Party,
        ticket: str,
        credential: dict[str, Any],
        label: str,
        code: str | None,
    ) -> Json:
        """Raises PeerError `passkey_refused` (422), `passkey_exists`, `too_many_passkeys` (409), 401 for the
        ticket, and as `PasskeyCodes.require` does.
        """
        person = account.person
        mark = await self._vouched(account, method, code)
        challenge = await self._spent(_REGISTER, ticket, person)
        try:
            made = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=party.rp_id,
                expected_origin=party.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError) as error:
            raise PeerError("passkey_refused", "the passkey is not what was asked for", status=422) from error
        now_ms = self._clock.wall_ms()
        key = bytes_to_base64url(made.credential_id)
        passkey = Passkey(key, person, made.credential_public_key, made.sign_count, label, now_ms)
        if not await self._store.accounts.add_passkey(passkey, PASSKEYS_MOST, mark, account.role):
            raise refused()
        await self._fact("passkey_added", person=person, passkey=_short(key))
        return shape(passkey)

    async def sign_in_options(self, party: Party) -> Json:
        """What `navigator.credentials.get` is given: any passkey of this host, the browser asks which."""
        ticket, challenge = self._ticket(_SIGN_IN, "")
        options = generate_authentication_options(
            rp_id=party.rp_id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return {"ticket": ticket, "public_key": options_to_json_dict(options)}

    async def sign_in(
        self, party: Party, ticket: str, credential: dict[str, Any], client: Client, before: str
    ) -> Opened:
        """Raises as `SigningIn.by_password` does."""
        with self._signing_in.proving.charged(client):
            challenge = await self._spent(_SIGN_IN, ticket, "")
            account = await self._proved(party, challenge, credential)
            return await self._signing_in.open(account, Method.PASSKEY, client, before)

    async def listed(self, person: str) -> Json:
        return {
            "items": [shape(passkey) for passkey in await self._store.accounts.passkeys_of(person)],
            "next": None,
        }

    async def remove(self, person: str, passkey: str) -> bool:
        """One of one's own; whether there was it."""
        if not await self._store.accounts.remove_passkeys(person, passkey):
            return False
        await self._fact("passkey_removed", person=person, passkey=_short(passkey))
        return True

    async def _vouched(self, account: Account, method: Method, code: str | None) -> bytes | None:
        """The mark of the code that a passkey takes; None where it takes none."""
        if not await self._signing_in.needs_code(account, method):
            return None
        return await self._codes.require(account.person, code)

    async def _proved(self, party: Party, challenge: bytes, credential: dict[str, Any]) -> Account:
        """Whose passkey signed the challenge."""
        key = credential.get("id")
        passkey = await self._store.accounts.passkey(key) if isinstance(key, str) else None
        account = await self._store.accounts.account(passkey.person) if passkey is not None else None
        if passkey is None or account is None or account.closed_at_ms is not None:
            raise self._signing_in.proving.refused()
        try:
            proved = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=party.rp_id,
                expected_origin=party.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,  # looked at below: what goes back is said, not only refused
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError) as error:
            raise self._signing_in.proving.refused() from error
        await self._count(passkey, proved.new_sign_count)
        return account

    async def _count(self, passkey: Passkey, count: int) -> None:
        """An authenticator's counter that does not go on is a copy's (WebAuthn 6.1.1); 0 always is none."""
        if (count or passkey.count) and count <= passkey.count:
            _log.warning(Event.SIGN_IN_COPIED, person=passkey.person)
            await self._fact("passkey_copied", person=passkey.person, passkey=_short(passkey.id))
            raise self._signing_in.proving.refused()
        if not await self._store.accounts.passkey_used(
            passkey.id, passkey.count, count, self._clock.wall_ms()
        ):
            raise self._signing_in.proving.refused()

    def _ticket(self, kind: str, person: str) -> tuple[str, bytes]:
        challenge = generate_challenge()
        now_s = self._clock.wall_s()
        return (
            self._tokens.sign_link(kind, bytes_to_base64url(challenge), now_s, TICKET_S, person=person),
            challenge,
        )

    async def _spent(self, kind: str, ticket: str, person: str) -> bytes:
        """The ticket's challenge; it is used from now on. Raises PeerError 401 for one that is none."""
        link: Link = self._tokens.verify_link(kind, ticket, self._clock.wall_s())
        used = not await self._store.links.use_once(link.token_id, (link.expires_at_s + SKEW_S) * 1000)
        if used or link.person != person:
            raise PeerError("token_invalid", "the ticket was used, or is somebody else's", status=401)
        return base64url_to_bytes(link.subject)

    def _user(self, person: str) -> bytes:
        """What an authenticator knows the account by: says nothing about the person (WebAuthn 14.6.1)."""
        return hmac.digest(self._key, person.encode(), "sha256")

    async def _fact(self, kind: str, **data: JSON) -> None:
        await self._store.append([Fact(kind, None, self._clock.wall_ms(), data)])


def shape(passkey: Passkey) -> Json:
    return {
        "id": passkey.id,
        "label": passkey.label,
        "made_at": time(passkey.made_at_ms),
        "used_at": time(passkey.used_at_ms),
    }


def _short(key: str) -> str:
    """As much of a passkey's id as tells one person's apart."""
    return key[:16]
