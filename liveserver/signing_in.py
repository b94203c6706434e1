"""Signing in, staying signed in, signing out.

Whoever asks is charged for an attempt before anything is looked at (`core.sign_in`), and gets the same answer
after the same work whether the name is unknown, the password wrong, or the account closed. A stay
(`core.log_in`) gives short access tokens for its handle; only SHA-256 of a handle is kept.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace

from liveserver.accounts import Accounts
from liveserver.clock import Clock
from liveserver.config_sections import AccountsConfig, SessionsConfig
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact
from liveserver.core.log_in import Ended, Lengths, Method, Need, digest, exchange, needs, over
from liveserver.core.permissions import SEPARATE, Role
from liveserver.core.sign_in import AddressRate, Attempts, Charged, LockOut, charge, folded_name
from liveserver.log import Event, get_logger
from liveserver.metrics import Metrics
from liveserver.passwords import Passwords
from liveserver.store import Store
from liveserver.store.accounts import Account, StayRow
from liveserver.tokens import ALL_LESSONS, Claims, Tokens

NO_LESSON = ""
"""What a token covers before its bearer enters a lesson: none."""
AGENT_MOST = 200
_RETRY_S = 60
_FRESH_MS = 900_000
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from: an address (IPv6: its /64) and what the browser calls itself."""

    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Somebody is signed in. `handle` is new, or "" where the browser's is the newest."""

    account: Account
    role: Role
    needs: tuple[Need, ...]
    method: Method
    token: str
    expires_at_s: int
    handle: str


class SigningIn:
    """`key`: of the installation, for the hashes that attempts are kept under."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tokens: Tokens,
        passwords: Passwords,
        accounts: Accounts,
        metrics: Metrics,
        config: AccountsConfig,
        sessions: SessionsConfig,
    ):
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._passwords = passwords
        self._accounts = accounts
        self._config = config
        self._rule = LockOut(config.attempts, config.window.ms, config.lock.ms)
        self._rate = AddressRate(config.address_per_minute, config.address_burst)
        self._lengths = Lengths(sessions.idle.ms, sessions.longest.ms)
        self._access_s = int(sessions.access.s)
        self._key = tokens.derive("sign-in attempts")
        self._counts = dict.fromkeys(("signed_in", "refused", "locked", "copied"), 0)
        metrics.watch("sign_in", lambda: {f"{name}_total": float(n) for name, n in self._counts.items()})

    # By password

    async def by_password(self, name: str, password: str, client: Client, before: str = "") -> Opened:
        """`before`: the handle the browser still has; that stay ends.

        Raises PeerError `sign_in_refused` (401) whatever is wrong, `too_many_attempts` (429), `busy` (503).
        """
        account = await self._proved(name, password, client)
        if account.password and self._passwords.is_outdated(account.password):
            hashed = await self._passwords.hash(password)
            await self._store.accounts.change(account.person, password=hashed)
        return await self.open(account, Method.PASSWORD, client, before)

    async def change_password(self, claims: Claims, old: str, new: str, client: Client, handle: str) -> None:
        """Raises as `by_password` does, and `password_weak` (422), `no_account` (404)."""
        account = await self._accounts.known(claims.person)
        await self._proved(account.name, old, client)
        await self._accounts.change_password(account, new, spared=_stay_of(handle))

    async def is_locked(self, account: Account) -> bool:
        attempts = await self._store.accounts.attempts(self._name_key(account.name))
        return attempts.locked_until_ms > self._clock.wall_ms()

    async def _proved(self, name: str, password: str, client: Client) -> Account:
        """The account of that name, whose password this is."""
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

    # What every way of signing in has in common

    def charged(self, client: Client) -> _Charge:
        """`with`: the address is charged for an attempt, which is forgiven when it succeeds."""
        return _Charge(self._rate, client.address, self._clock.monotonic_ns() // 1_000_000)

    def refused(self) -> PeerError:
        """One answer for everything that is wrong with who signs in."""
        self._counts["refused"] += 1
        return PeerError("sign_in_refused", "the name or the proof of it is wrong", status=401)

    async def open(self, account: Account, method: Method, client: Client, before: str = "") -> Opened:
        """A new stay of somebody who has proved who he is; its handle is new whatever the browser had."""
        now_ms = self._clock.wall_ms()
        if before:
            await self._drop(before, now_ms)
        stay, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        row = StayRow(
            stay, account.person, digest(secret), b"", now_ms, now_ms, now_ms,
            method, client.address, client.agent[:AGENT_MOST],
        )  # fmt: skip
        await self._store.accounts.begin(row)
        opened = await self._opened(account, row, f"{stay}.{secret}")
        data = {"person": account.person, "stay": stay, "method": method, "role": opened.role}
        await self._store.append([Fact("signed_in", None, now_ms, data)])
        self._counts["signed_in"] += 1
        return opened

    async def refresh(self, handle: str) -> Opened:
        """The next token for a handle, and the next handle.

        Raises PeerError `signed_out` (401): the stay is over, whyever.
        """
        stay, _, secret = handle.partition(".")
        row = await self._store.accounts.stay(stay)
        if row is None or row.ended_at_ms is not None:
            raise _signed_out()
        now_ms = self._clock.wall_ms()
        verdict = exchange(row.stay, secret, self._lengths, now_ms)
        account = await self._store.accounts.account(row.person)
        if account is None or account.closed_at_ms is not None:
            verdict = Ended.CLOSED
        if isinstance(verdict, Ended):
            await self._end(row, verdict, now_ms)
            raise _signed_out()
        assert account is not None
        if not verdict:
            return await self._opened(account, row, "")
        fresh = secrets.token_urlsafe(32)
        if not await self._store.accounts.exchanged(stay, row.handle, digest(fresh), now_ms):
            return await self._opened(account, row, "")  # another tab was sooner; its handle is the newest
        return await self._opened(account, row, f"{stay}.{fresh}")

    async def fresh(self, person: str, handle: str) -> Account:
        """The account, if the browser signed in to it less than a quarter of an hour ago, and by a passkey
        where there is one: what an account can be taken over by is not changed with a token alone.

        Raises PeerError `sign_in_again` (403), `no_account` (404).
        """
        account = await self._accounts.known(person)
        stay, _, secret = handle.partition(".")
        row = await self._store.accounts.stay(stay)
        now_ms = self._clock.wall_ms()
        if row is None or row.person != person or row.ended_at_ms is not None:
            raise _sign_in_again()
        given, recent = digest(secret), 0 <= now_ms - row.began_at_ms < _FRESH_MS
        known = hmac.compare_digest(given, row.handle) or hmac.compare_digest(given, row.before)
        weaker = row.method != Method.PASSKEY and await self._store.accounts.passkeys_of(person)
        if not known or not recent or weaker:
            raise _sign_in_again()
        return account

    async def sign_out(self, handle: str) -> None:
        """End the stay of a handle, if it is one."""
        await self._drop(handle, self._clock.wall_ms())

    async def end(self, person: str, stay: str) -> bool:
        """One of a person's stays, by himself; whether it went on until now."""
        row = await self._store.accounts.stay(stay)
        if row is None or row.person != person or row.ended_at_ms is not None:
            return False
        await self._end(row, Ended.SIGNED_OUT, self._clock.wall_ms())
        return True

    async def stays(self, person: str) -> list[StayRow]:
        """A person's, newest first, with those marked that are over by now."""
        now_ms, rows = self._clock.wall_ms(), await self._store.accounts.stays_of(person)
        return [self._marked(row, now_ms) for row in rows]

    def _marked(self, row: StayRow, now_ms: int) -> StayRow:
        ended = over(row.stay, self._lengths, now_ms) if row.ended_at_ms is None else None
        return row if ended is None else replace(row, ended=ended, ended_at_ms=now_ms)

    async def _opened(self, account: Account, row: StayRow, handle: str) -> Opened:
        method = Method(row.method)
        role, missing = await self._role(account, method)
        now_s = self._clock.wall_s()
        ends_s = (row.began_at_ms + self._lengths.longest_ms) // 1000
        ttl_s = max(1, min(self._access_s, ends_s - now_s))
        lesson = NO_LESSON if role is Role.MEMBER else ALL_LESSONS
        token = self._tokens.issue(
            person=account.person, name=account.shown, role=role, lesson=lesson, now_s=now_s, ttl_s=ttl_s
        )
        return Opened(account, role, missing, method, token, now_s + ttl_s, handle)

    async def _role(self, account: Account, method: Method) -> tuple[Role, tuple[Need, ...]]:
        """What somebody acts as, and what keeps him from the role his account has."""
        if not account.role:
            return Role.MEMBER, ()
        role = Role(account.role)
        if role is Role.ADMIN and await self._store.accounts.roles_held() >= SEPARATE:
            return Role.MEMBER, (Need.SEPARATE,)
        missing = needs(
            role,
            method,
            passkeys=len(await self._store.accounts.passkeys_of(account.person)),
            factor=self._config.staff_factor,
            password_age_ms=self._clock.wall_ms() - account.password_at_ms,
            most_ms=self._config.password_age.ms,
        )
        return (Role.MEMBER, missing) if missing else (role, ())

    async def _drop(self, handle: str, now_ms: int) -> None:
        """End the stay whose handle this is; a wrong secret ends nothing."""
        stay, _, secret = handle.partition(".")
        row = await self._store.accounts.stay(stay)
        given = digest(secret)
        if row is None or row.ended_at_ms is not None:
            return
        if hmac.compare_digest(given, row.handle) or hmac.compare_digest(given, row.before):
            await self._end(row, Ended.SIGNED_OUT, now_ms)

    async def _end(self, row: StayRow, why: Ended, now_ms: int) -> None:
        if not await self._store.accounts.end(row.id, why, now_ms):
            return
        if why is Ended.COPIED:
            self._counts["copied"] += 1
            _log.warning(Event.SIGN_IN_COPIED, person=row.person)
        data = {"person": row.person, "stay": row.id, "why": why}
        await self._store.append([Fact("signed_out", None, now_ms, data)])


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


def _stay_of(handle: str) -> str:
    return handle.partition(".")[0]


def _too_many(retry_after_s: int) -> PeerError:
    return PeerError(
        "too_many_attempts",
        "too many attempts",
        status=429,
        retry_after_s=max(1, retry_after_s),
    )


def _sign_in_again() -> PeerError:
    return PeerError("sign_in_again", "sign in anew for this, with a passkey if you have one", status=403)


def _signed_out() -> PeerError:
    return PeerError("signed_out", "sign in again", status=401)
