"""Signing in by an identity provider: OpenID Connect, code flow with PKCE (RFC 7636), state and nonce.

The provider vouches for who somebody is; who he is here is said by the account whose sign-in name the
configured claim gives, and from then on by the provider's subject, which is bound to that account. Nobody
gets an account, or a role over all lessons, by it. State, nonce and verifier are in a signed cookie of the
browser that began.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from liveserver.clock import Clock
from liveserver.config.sections import OidcConfig
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact
from liveserver.core.log_in import Method
from liveserver.core.oidc import (
    Expected,
    Identity,
    challenge,
    claimed,
    endpoints,
    identity,
    refused,
    unavailable,
)
from liveserver.core.sign_in import folded_name
from liveserver.log import Event, get_logger
from liveserver.log_in.proving import Client
from liveserver.log_in.signing_in import Opened, SigningIn
from liveserver.store import Store
from liveserver.store.accounts import Account
from liveserver.tokens import SKEW_S, Tokens

TICKET_S = 600
CODE_MOST = 4096
_KIND = "oidc"
_ANSWER_MOST_BYTES = 262_144
_TIMEOUT = aiohttp.ClientTimeout(total=8, connect=4)
_METADATA_NS = 3_600_000_000_000
_KEYS_AGAIN_NS = 30_000_000_000  # a token under a key not known yet has them asked for, not more often
_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser is sent, and what it keeps until it comes back."""

    address: str
    ticket: str


@dataclass(frozen=True, slots=True)
class _Granted:
    id_token: str
    access_token: str
    """For the provider's userinfo; "" where there is none."""


@dataclass(slots=True)
class _Provider:
    """What is known of the provider; owned by `Oidc`."""

    endpoints: dict[str, str]
    known_at_ns: int
    keys: jwk.KeySet | None = None
    keys_at_ns: int = 0

    @property
    def userinfo(self) -> str | None:
        return self.endpoints.get("userinfo_endpoint")


class Oidc:
    """`secret`: of this client at the provider, "" for a public one."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tokens: Tokens,
        signing_in: SigningIn,
        config: OidcConfig,
        secret: str,
    ):
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._signing_in = signing_in
        self._config = config
        self._secret = secret
        self._issuer = config.issuer
        self._provider: _Provider | None = None
        self._asking = asyncio.Lock()
        self._http: aiohttp.ClientSession | None = None

    @property
    def label(self) -> str:
        """What the button says."""
        return self._config.label

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def begin(self, redirect_uri: str) -> Begun:
        """Raises PeerError `oidc_unavailable` (503)."""
        provider = await self._known()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        ticket = self._tokens.sign_link(_KIND, f"{state}.{nonce}.{verifier}", self._clock.wall_s(), TICKET_S)
        asked = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._config.scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        address = provider.endpoints["authorization_endpoint"]
        return Begun(f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}", ticket)

    async def finish(
        self, answer: Mapping[str, str], ticket: str, redirect_uri: str, client: Client, before: str
    ) -> Opened:
        """`answer`: what the provider sent the browser back with.

        Raises PeerError `oidc_refused` (401), `oidc_unknown_person` (403), `oidc_unavailable` (503),
        `too_many_attempts` (429).
        """
        with self._signing_in.proving.charged(client):
            nonce, verifier = await self._spent(ticket, answer.get("state", ""))
            if answer.get("iss", self._issuer) != self._issuer:  # RFC 9207
                raise refused("iss")
            code = answer.get("code", "")
            if not 0 < len(code) <= CODE_MOST:
                raise refused("code")
            granted = await self._exchange(code, verifier, redirect_uri)
            claims = await self._claims(granted.id_token)
            expected = Expected(self._issuer, self._config.client_id, nonce, self._config.claim)
            found = identity(claims, expected, self._clock.wall_s())
            account = await self._account(found, granted.access_token)
            return await self._signing_in.open(account, Method.OIDC, client, before)

    async def _spent(self, ticket: str, state: str) -> tuple[str, str]:
        """Nonce and verifier of the ticket, which is used from now on."""
        link = self._tokens.verify_link(_KIND, ticket, self._clock.wall_s())
        kept, nonce, verifier = link.subject.split(".")
        if not hmac.compare_digest(kept.encode(), state.encode()):
            raise refused("state")
        if not await self._store.links.use_once(link.token_id, (link.expires_at_s + SKEW_S) * 1000):
            raise refused("state")
        return nonce, verifier

    async def _account(self, found: Identity, access_token: str) -> Account:
        """Whose account it is: the bound one, else the one the claim names, which is bound then."""
        person = await self._store.accounts.subject(self._issuer, found.subject)
        if person is not None:
            account = await self._store.accounts.account(person)
        else:
            name = found.name or await self._told(found.subject, access_token)
            account = await self._claimed(found.subject, name)
        if account is None or account.closed_at_ms is not None:
            raise PeerError("oidc_unknown_person", "nobody here is known by that identity", status=403)
        return account

    async def _told(self, subject: str, access_token: str) -> str:
        """The claim's value from the provider's userinfo, where the ID token lacks it (5.3, 5.4)."""
        provider = await self._known()
        if not access_token or provider.userinfo is None:
            return ""
        claims = await self._ask("GET", provider.userinfo, auth=f"Bearer {access_token}")
        return claimed(claims, subject, self._config.claim)

    async def _claimed(self, subject: str, name: str) -> Account | None:
        try:
            account = await self._store.accounts.named(folded_name(name))
        except ValueError:
            return None
        now_ms = self._clock.wall_ms()
        if account is None or account.closed_at_ms is not None:
            return None
        if not await self._store.accounts.bind(self._issuer, subject, account.person, now_ms):
            return None  # the account is another subject's
        data = {"person": account.person, "issuer": self._issuer}
        await self._store.append([Fact("oidc_bound", None, now_ms, data)])
        return account

    # What is asked of the provider

    async def _known(self) -> _Provider:
        """Its addresses, asked for once an hour."""
        async with self._asking:
            now_ns = self._clock.monotonic_ns()
            if self._provider is None or now_ns - self._provider.known_at_ns >= _METADATA_NS:
                address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
                document = await self._ask("GET", address)
                told = "userinfo_endpoint" in document if isinstance(document, dict) else False
                names = (*_ENDPOINTS, "userinfo_endpoint") if told else _ENDPOINTS
                self._provider = _Provider(endpoints(document, self._issuer, names), now_ns)
            return self._provider

    async def _exchange(self, code: str, verifier: str, redirect_uri: str) -> _Granted:
        """The tokens for a code (RFC 6749 4.1.3)."""
        provider = await self._known()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self._config.client_id,
        }
        auth = None
        if self._secret:
            auth = aiohttp.encode_basic_auth(quote(self._config.client_id), quote(self._secret))
        answer = await self._ask("POST", provider.endpoints["token_endpoint"], form, auth)
        given = answer if isinstance(answer, dict) else {}
        token, access = given.get("id_token"), given.get("access_token", "")
        fits = isinstance(access, str) and access.isascii() and access.isprintable()
        if not isinstance(token, str) or not fits:
            raise refused("id_token")
        return _Granted(token, access)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token whose signature is the provider's."""
        for again in (False, True):
            keys = await self._keys(again)
            try:
                return jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            except (JoseError, ValueError, TypeError, KeyError) as error:
                if again:
                    raise refused("signature") from error
        raise AssertionError("one of two attempts returns or raises")

    async def _keys(self, again: bool) -> jwk.KeySet:
        """The provider's keys; `again`: anew, since none of them fitted, if the last time is not just now."""
        provider = await self._known()
        async with self._asking:
            now_ns = self._clock.monotonic_ns()
            stale = provider.keys is None or (again and now_ns - provider.keys_at_ns >= _KEYS_AGAIN_NS)
            if stale:
                document = await self._ask("GET", provider.endpoints["jwks_uri"])
                try:
                    provider.keys = jwk.KeySet.import_key_set(document)
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise unavailable("the provider's keys cannot be read") from error
                provider.keys_at_ns = now_ns
            assert provider.keys is not None
            return provider.keys

    async def _ask(
        self, method: str, address: str, form: Mapping[str, str] | None = None, auth: str | None = None
    ) -> Any:
        """JSON of the provider: bounded in size and time, from the address itself and no other."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if auth is not None:
            headers["Authorization"] = auth
        try:
            async with self._http.request(
                method, address, data=form, headers=headers, allow_redirects=False
            ) as answer:
                body = await answer.content.read(_ANSWER_MOST_BYTES + 1)
                while len(body) <= _ANSWER_MOST_BYTES and not answer.content.at_eof():
                    body += await answer.content.read(_ANSWER_MOST_BYTES + 1 - len(body))
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning(Event.OIDC_FAILED, reason=type(error).__name__)
            raise unavailable("the identity provider does not answer") from error
        if status >= 500 or len(body) > _ANSWER_MOST_BYTES:
            _log.warning(Event.OIDC_FAILED, reason=f"status {status}")
            raise unavailable("the identity provider does not answer")
        if status != 200:
            raise refused("code")
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise unavailable("the identity provider's answer is not JSON") from error
