"""Signing in, staying signed in, signing out.

A stay (`core.log_in`) gives short access tokens for its handle; only SHA-256 of a handle is kept.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace

from liveserver.clock import Clock
from liveserver.config.sections import SessionsConfig
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact
from liveserver.core.log_in import Ended, Lengths, Method, Need, digest, exchange, needs, over
from liveserver.core.permissions import SEPARATE, Role
from liveserver.log import Event, get_logger
from liveserver.log_in.accounts import Accounts
from liveserver.log_in.proving import Client, Proving
from liveserver.metrics import Metrics
from liveserver.revocations import Revocations, Why
from liveserver.store import Store
from liveserver.store.accounts import Account, StayRow
from liveserver.tokens import ALL_LESSONS, Claims, Tokens

NO_LESSON = ""
"""What a token covers before its bearer enters a lesson: none."""
AGENT_MOST = 200
_FRESH_MS = 900_000
_TAKES_BACK = {
    Ended.SIGNED_OUT: Why.SIGNED_OUT,
    Ended.REPLACED: Why.SIGNED_OUT,
    Ended.COPIED: Why.COPIED,
    Ended.CLOSED: Why.ACCOUNT_CLOSED,
}
"""Ends of a stay at which a lesson entered with it ends as well; one that is only idle goes on."""
_log = get_logger()


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
    """`proving`: what proves a password, and charges every attempt. `forced`: roles that take a passkey."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tokens: Tokens,
        revocations: Revocations,
        proving: Proving,
        accounts: Accounts,
        metrics: Metrics,
        forced: frozenset[Role],
        password_age_ms: int,
        sessions: SessionsConfig,
    ):
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._revocations = revocations
        self.proving = proving
        self._accounts = accounts
        self._forced = forced
        self._password_age_ms = password_age_ms
        self._lengths = Lengths(sessions.idle.ms, sessions.longest.ms)
        self._access_s = int(sessions.access.s)
        self._counts = dict.fromkeys(("signed_in", "copied"), 0)
        metrics.watch("sign_in", lambda: {f"{name}_total": float(n) for name, n in self._counts.items()})

    # By password

    async def by_password(self, name: str, password: str, client: Client, before: str = "") -> Opened:
        """`before`: the handle the browser still has; that stay ends.

        Raises PeerError `sign_in_refused` (401) whatever is wrong, `too_many_attempts` (429), `busy` (503).
        """
        account = await self.proving.proved(name, password, client)
        return await self.open(account, Method.PASSWORD, client, before)

    async def change_password(self, claims: Claims, old: str, new: str, client: Client, handle: str) -> None:
        """Raises as `by_password` does, and `password_weak` (422), `no_account` (404)."""
        account = await self._accounts.known(claims.person)
        await self.proving.proved(account.name, old, client)
        await self._accounts.change_password(account, new, spared=_stay_of(handle))

    # What every way of signing in has in common

    async def open(self, account: Account, method: Method, client: Client, before: str = "") -> Opened:
        """A new stay of somebody who has proved who he is; its handle is new whatever the browser had."""
        now_ms, dated_s = self._clock.wall_ms(), self._dated(account.person)
        if before:
            await self._drop(before, now_ms, Ended.REPLACED, spared=account.person)
        stay, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        row = StayRow(
            stay, account.person, digest(secret), b"", now_ms, now_ms, now_ms,
            method, client.address, client.agent[:AGENT_MOST],
        )  # fmt: skip
        await self._store.accounts.begin(row)
        account = await self._still(account, row)
        opened = await self._opened(account, row, f"{stay}.{secret}", dated_s)
        data = {"person": account.person, "stay": stay, "method": method, "role": opened.role}
        await self._store.append([Fact("signed_in", None, now_ms, data)])
        self._counts["signed_in"] += 1
        return opened

    async def _still(self, proved: Account, row: StayRow) -> Account:
        """The account now that its new stay has begun: whatever ends all stays from here on ends this one.

        Raises PeerError `sign_in_refused` (401) where it was closed, or its password or role changed, since
        it was proved.
        """
        account = await self._store.accounts.account(proved.person)
        by_password = row.method == Method.PASSWORD
        if (
            account is None
            or account.closed_at_ms is not None
            or account.role != proved.role
            or (by_password and account.password != proved.password)
        ):
            await self._end(row, Ended.CLOSED, self._clock.wall_ms())
            raise self.proving.refused()
        return account

    async def refresh(self, handle: str) -> Opened:
        """The next token for a handle, and the next handle.

        Raises PeerError `signed_out` (401): the stay is over, whyever.
        """
        stay, _, secret = handle.partition(".")
        row = await self._store.accounts.stay(stay)
        if row is None or row.ended_at_ms is not None:
            raise _signed_out()
        now_ms, dated_s = self._clock.wall_ms(), self._dated(row.person)
        verdict = exchange(row.stay, secret, self._lengths, now_ms)
        account = await self._store.accounts.account(row.person)
        if account is None or account.closed_at_ms is not None:
            verdict = Ended.CLOSED
        if isinstance(verdict, Ended):
            await self._end(row, verdict, now_ms)
            raise _signed_out()
        assert account is not None
        if not verdict:
            return await self._opened(account, row, "", dated_s)
        fresh = secrets.token_urlsafe(32)
        if not await self._store.accounts.exchanged(stay, row.handle, digest(fresh), now_ms):
            # Another tab was sooner; its handle is the newest.
            return await self._opened(account, row, "", dated_s)
        return await self._opened(account, row, f"{stay}.{fresh}", dated_s)

    async def fresh(self, person: str, handle: str) -> tuple[Account, Method]:
        """The account and how, if the browser signed in to it less than a quarter of an hour ago, and by a
        passkey where there is one: what an account can be taken over by is not changed with a token alone.

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
        return account, Method(row.method)

    async def needs_code(self, account: Account, method: Method) -> bool:
        """Whether the next passkey of who signed in that way takes an administrator's code: the first that
        would count for a role that takes one, also where he does not act in that role now."""
        if method in (Method.PASSKEY, Method.SETUP) or await self._store.accounts.passkeys_of(account.person):
            return False
        return account.role in self._forced or await self._must_teach_by_passkey(account.person)

    async def sign_out(self, handle: str) -> None:
        """End the stay of a handle, if it is one, and everything that was entered with it."""
        await self._drop(handle, self._clock.wall_ms(), Ended.SIGNED_OUT)

    async def sign_out_everywhere(self, claims: Claims) -> None:
        """Every stay of the bearer's, and every token of his there is."""
        await self._accounts.sign_out_everywhere(claims.person, claims.person)

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

    def _dated(self, person: str) -> int:
        return self._tokens.revoked.dated(person, self._clock.wall_s())

    async def _opened(self, account: Account, row: StayRow, handle: str, dated_s: int) -> Opened:
        """`dated_s`: the token's date, from before what is looked up."""
        method = Method(row.method)
        role, missing = await self._role(account, method)
        now_s = self._clock.wall_s()
        ends_s = (row.began_at_ms + self._lengths.longest_ms) // 1000
        ttl_s = max(1, min(self._access_s, ends_s - now_s))
        lesson = NO_LESSON if role in (Role.MEMBER, Role.REGISTERING) else ALL_LESSONS
        token = self._tokens.issue(
            person=account.person, name=account.shown, role=role, lesson=lesson, now_s=now_s, ttl_s=ttl_s,
            stay=row.id, dated_s=dated_s,
        )  # fmt: skip
        return Opened(account, role, missing, method, token, now_s + ttl_s, handle)

    async def _role(self, account: Account, method: Method) -> tuple[Role, tuple[Need, ...]]:
        """What somebody acts as, and what keeps him from the role his account has."""
        if not account.role:
            registers = method is not Method.PASSKEY and await self._must_teach_by_passkey(account.person)
            if not registers:
                return Role.MEMBER, ()
            has_one = bool(await self._store.accounts.passkeys_of(account.person))
            return Role.REGISTERING, (Need.PASSKEY,) if has_one else (Need.PASSKEY, Need.CODE)
        role = Role(account.role)
        if role is Role.ADMIN and await self._store.accounts.roles_held() >= SEPARATE:
            return Role.MEMBER, (Need.SEPARATE,)
        missing = needs(
            role,
            method,
            passkeys=len(await self._store.accounts.passkeys_of(account.person)),
            forced=role in self._forced,
            password_age_ms=self._clock.wall_ms() - account.password_at_ms,
            most_ms=self._password_age_ms,
        )
        if Need.PASSKEY in missing:
            return Role.REGISTERING, missing
        return (Role.MEMBER, missing) if missing else (role, ())

    async def require_factor(self, claims: Claims, role: Role) -> None:
        """Pass, or raise PeerError `passkey_needed` (403) for who comes into a lesson in a role that takes a
        passkey, and signed in by less. Tokens that no sign-in brought are the operator's own."""
        if role not in self._forced or not claims.stay:
            return
        row = await self._store.accounts.stay(claims.stay)
        if row is None or row.method != Method.PASSKEY:
            raise PeerError("passkey_needed", f"the role {role} takes a sign-in with a passkey", status=403)

    async def _must_teach_by_passkey(self, person: str) -> bool:
        """An instructor is one by his place in a class."""
        return Role.INSTRUCTOR in self._forced and bool(await self._store.planned.taught_by(person))

    async def _drop(self, handle: str, now_ms: int, why: Ended, spared: str = "") -> None:
        """End the stay whose handle this is; a wrong secret ends nothing. `spared`: whose lessons go on."""
        stay, _, secret = handle.partition(".")
        row = await self._store.accounts.stay(stay)
        given = digest(secret)
        if row is None or row.ended_at_ms is not None:
            return
        if hmac.compare_digest(given, row.handle) or hmac.compare_digest(given, row.before):
            await self._end(row, why, now_ms, keeps=row.person == spared)

    async def _end(self, row: StayRow, why: Ended, now_ms: int, *, keeps: bool = False) -> None:
        """`keeps`: what was entered with the stay goes on, as it does where nobody asked for its end."""
        if not await self._store.accounts.end(row.id, why, now_ms):
            return
        if why in _TAKES_BACK and not keeps:
            await self._revocations.stay(row.id, row.person, _TAKES_BACK[why])
        if why is Ended.COPIED:
            self._counts["copied"] += 1
            _log.warning(Event.SIGN_IN_COPIED, person=row.person)
        data = {"person": row.person, "stay": row.id, "why": why}
        await self._store.append([Fact("signed_out", None, now_ms, data)])


def _stay_of(handle: str) -> str:
    return handle.partition(".")[0]


def _sign_in_again() -> PeerError:
    return PeerError("sign_in_again", "sign in anew for this, with a passkey if you have one", status=403)


def _signed_out() -> PeerError:
    return PeerError("signed_out", "sign in again", status=401)
