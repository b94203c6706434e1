"""The parts of signing in, put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.config.checks import ConfigError
from liveserver.config.sections import OidcConfig
from liveserver.keys import load_or_create
from liveserver.log_in.accounts import Accounts
from liveserver.log_in.identities import PURPOSE, Identities
from liveserver.log_in.oidc import Oidc
from liveserver.log_in.passkey_codes import PasskeyCodes
from liveserver.log_in.passkeys import Passkeys
from liveserver.log_in.passwords import Passwords
from liveserver.log_in.proving import Proving
from liveserver.log_in.signing_in import SigningIn
from liveserver.metrics import Metrics
from liveserver.people.phones import PURPOSE as PHONES
from liveserver.people.phones import Phones
from liveserver.revocations import Revocations
from liveserver.store import Store
from liveserver.tokens import Tokens
from liveserver.vault import Vault

STAYS_KEPT_MS = 1_096 * 86_400_000


@dataclass(frozen=True, slots=True)
class LogIn:
    """What the HTTP edge reaches signing in by."""

    accounts: Accounts
    signing_in: SigningIn
    passkeys: Passkeys
    codes: PasskeyCodes
    oidc: Oidc | None
    """None where no identity provider is configured."""
    identities: Identities
    revocations: Revocations
    phones: Phones
    """Telephone numbers, under the key of identity numbers."""
    store: Store
    clock: Clock

    async def start(self) -> None:
        """Forget where people were signed in three years ago (MLPS 8.1.5.4 asks for six months); seal what an
        earlier version kept in clear."""
        before_ms = self.clock.wall_ms() - STAYS_KEPT_MS
        await self.store.accounts.forget_stays(before_ms)
        await self.phones.start()

    async def close(self) -> None:
        """Let go of the identity provider."""
        if self.oidc is not None:
            await self.oidc.close()

    async def passkeys_of(self, person: str) -> int:
        """How many the person has."""
        return len(await self.store.accounts.passkeys_of(person))


def log_in(
    config: Config,
    store: Store,
    clock: Clock,
    tokens: Tokens,
    revocations: Revocations,
    passwords: Passwords,
    metrics: Metrics,
) -> LogIn:
    """Built once; `passwords` is its owner's to close."""
    accounts = Accounts(
        store, clock, tokens, revocations, passwords, int(config.accounts.password_link.s),
        config.second_factor,
    )  # fmt: skip
    proving = Proving(store, clock, tokens, passwords, metrics, config.accounts)
    signing_in = SigningIn(
        store, clock, tokens, revocations, proving, accounts, metrics,
        config.second_factor, config.accounts.password_age.ms, config.sessions,
    )  # fmt: skip
    metrics.watch("passwords", passwords.numbers)
    codes = PasskeyCodes(store, clock, tokens)
    passkeys = Passkeys(store, clock, tokens, signing_in, codes)
    oidc = None
    if config.oidc.issuer:
        oidc = Oidc(store, clock, tokens, signing_in, config.oidc, _secret(config.oidc))
    key = load_or_create(config.identities_key_file)
    identities = Identities(store, clock, Vault(store, clock, key, PURPOSE), key)
    phones = Phones(store, Vault(store, clock, key, PHONES), key)
    return LogIn(accounts, signing_in, passkeys, codes, oidc, identities, revocations, phones, store, clock)


def _secret(oidc: OidcConfig) -> str:
    """The client's secret. Raises ConfigError."""
    if not oidc.client_secret_file:
        return oidc.client_secret
    try:
        return Path(oidc.client_secret_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read oidc.client_secret_file: {type(error).__name__}") from error
