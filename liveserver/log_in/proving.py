"""Proving who somebody is by name and password, and what every proof costs who tries.

Whoever asks is charged for an attempt before anything is looked at (`core.sign_in`), and gets the same answer
after the same work whether the name is unknown, the password wrong, or the account closed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from liveserver.clock import Clock
from liveserver.config.sections import AccountsConfig
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact
from liveserver.core.sign_in import AddressRate, Attempts, Charged, LockOut, charge, folded_name
from liveserver.log import Event, get_logger
from liveserver.log_in.passwords import Passwords
from liveserver.metrics import Metrics
from liveserver.store import Store
from liveserver.store.accounts import Account
from liveserver.tokens import Tokens

_RETRY_S = 60
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from: an address (IPv6: its /64) and what the browser calls itself."""

    address: str
    agent: str


class Proving:
    """Owns what is known of failures by address; those by name are in the store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tokens: Tokens,
        passwords: Passwords,
        metrics: Metrics,
        config: AccountsConfig,
    ):
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._rule = LockOut(config.attempts, config.window.ms, config.lock.ms)
        self._rate = AddressRate(config.address_per_minute, config.address_burst)
        self._key = tokens.derive("sign-in attempts")
        self._counts = {"refused": 0, "locked": 0}
        metrics.watch("proving", lambda: {f"{name}_total": float(n) for name, n in self._counts.items()})

    async def proved(self, name: str, password: str, client: Client) -> Account:
        """The account of that name, whose password this is; an older hash of it is replaced.

        Raises PeerError `sign_in_refused` (401) whatever is wrong, `too_many_attempts` (429), `busy` (503).
        """
        with self.charged(client):
            try:
                folded = folded_name(name)
            except ValueError:
                folded = ""  # nobody has it; the work that follows is the same
            key = self._name_key(folded)
            await self._charge_name(key)
            account = await self._store.accounts.named(folded)
            stored = account.password if account is not None and account.closed_at_ms is None else ""
            if not await self._passwords.fits(stored, password) or account is None:
                raise self.refused()
            await self._store.accounts.forgive(key)
            if self._passwords.is_outdated(stored):
                hashed = await self._passwords.hash(password)
                await self._store.accounts.change(account.person, password=hashed)
                return replace(account, password=hashed)
            return account

    async def _charge_name(self, key: str) -> None:
        now_ms = self._clock.wall_ms()

        def work(before: Attempts) -> tuple[Attempts, Charged]:
            charged = charge(self._rule, before, now_ms)
            return charged.attempts, charged

        charged = await self._store.accounts.attempt(key, now_ms, work)
        if charged.locked_now:
            self._counts["locked"] += 1
            _log.warning(Event.SIGN_IN_LOCKED, account=key[:16])
            await self._store.append([Fact("sign_in_locked", None, now_ms, {"account": key})])
        if not charged.allowed:
            raise _too_many(charged.retry_after_s)

    def _name_key(self, folded: str) -> str:
        return hmac.digest(self._key, folded.encode(), "sha256").hex()

    def charged(self, client: Client) -> _Charge:
        """`with`: the address is charged for an attempt, which is forgiven when it succeeds."""
        return _Charge(self._rate, client.address, self._clock.monotonic_ns() // 1_000_000)

    def refused(self) -> PeerError:
        """One answer for everything that is wrong with who signs in."""
        self._counts["refused"] += 1
        return PeerError("sign_in_refused", "the name or the proof of it is wrong", status=401)

    async def is_locked(self, account: Account) -> bool:
        attempts = await self._store.accounts.attempts(self._name_key(account.name))
        return attempts.locked_until_ms > self._clock.wall_ms()


class _Charge:
    """An address is charged when it is entered, forgiven when it is left without an error."""

    def __init__(self, rate: AddressRate, address: str, now_ms: int):
        self._rate = rate
        self._address = address
        self._now_ms = now_ms

    def __enter__(self) -> None:
        if not self._rate.allows(self._address, self._now_ms):
            raise _too_many(_RETRY_S)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self._rate.forgive(self._address)


def _too_many(retry_after_s: int) -> PeerError:
    return PeerError(
        "too_many_attempts",
        "too many attempts",
        status=429,
        retry_after_s=max(1, retry_after_s),
    )
