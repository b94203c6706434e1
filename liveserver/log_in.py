"""The parts of signing in, put together."""

from __future__ import annotations

from dataclasses import dataclass

from liveserver.accounts import Accounts
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.metrics import Metrics
from liveserver.passwords import Passwords
from liveserver.signing_in import SigningIn
from liveserver.store import Store
from liveserver.tokens import Tokens


@dataclass(frozen=True, slots=True)
class LogIn:
    """What the HTTP edge reaches signing in by."""

    accounts: Accounts
    signing_in: SigningIn
    store: Store

    async def passkeys_of(self, person: str) -> int:
        """How many the person has."""
        return len(await self.store.accounts.passkeys_of(person))


def log_in(
    config: Config, store: Store, clock: Clock, tokens: Tokens, passwords: Passwords, metrics: Metrics
) -> LogIn:
    """Built once; `passwords` is its owner's to close."""
    accounts = Accounts(store, clock, tokens, passwords, int(config.accounts.password_link.s))
    signing_in = SigningIn(
        store, clock, tokens, passwords, accounts, metrics, config.accounts, config.sessions
    )
    metrics.watch("passwords", passwords.numbers)
    return LogIn(accounts, signing_in, store)
