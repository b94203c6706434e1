"""Accounts: who may sign in, by what name, in which role over all lessons. Nobody learns another's password.

An administrator makes an account and hands over a link; its owner sets the password. For an account with a
role nobody but `admin` makes such a link: who gives roles would take the role away first, so that no single
one of the three administrators can come in as another. Everything done here is a fact of the ledger.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.log_in import Ended
from liveserver.core.messages import Json
from liveserver.core.permissions import GRANTED_BY_SECURITY, Permission, Role, allows
from liveserver.core.sign_in import folded_name, weakness
from liveserver.log_in.passwords import Passwords
from liveserver.revocations import Revocations, Why
from liveserver.shapes import time
from liveserver.store import Store
from liveserver.store.accounts import Account, no_account
from liveserver.tokens import Claims, Tokens

LINK_KIND = "password"
PASSKEYS_MOST = 10


@dataclass(frozen=True, slots=True)
class Made:
    account: Account
    link: str


class Accounts:
    """`link_s`: how long a link to set a password is good. `forced`: roles that take a passkey."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        tokens: Tokens,
        revocations: Revocations,
        passwords: Passwords,
        link_s: int,
        forced: frozenset[Role] = frozenset(),
    ):
        self._store = store
        self._revocations = revocations
        self._clock = clock
        self._tokens = tokens
        self._passwords = passwords
        self._link_s = link_s
        self._forced = forced

    # What administrators do

    async def make(self, person: str, name: str, shown: str, by: str) -> Made:
        """An account without a password, and the link by which its owner sets one.

        Raises PeerError `bad_request`, `account_exists` (409).
        """
        account = Account(person, folded(name), shown, self._clock.wall_ms())
        await self._store.accounts.add(account)
        await self._fact("account_made", person=person, by=by)
        return Made(account, await self._link(account, by))

    async def make_for(self, person: str, name: str, by: str) -> Made:
        """The same for somebody of the register. Raises PeerError `not_found` (404) as well."""
        found = await self._store.people.persons.get(person)
        if found is None or found.status != "active":
            raise PeerError("not_found", "there is no such person", status=404)
        return await self.make(person, name, found.name, by)

    async def first(self, name: str, shown: str, password: str) -> Account:
        """The first administrator's account. Raises PeerError `bad_request`, `password_weak`,
        `account_exists`.
        """
        folded_as = folded(name)
        strong(password, folded_as)
        hashed = await self._passwords.hash(password)
        now_ms, person = self._clock.wall_ms(), f"admin-{secrets.token_hex(8)}"
        account = Account(person, folded_as, shown, now_ms, hashed, now_ms, role=Role.ADMIN)
        await self._store.accounts.add(account)
        await self._fact("administrator", person=person)
        return account

    async def link(self, person: str, by: Claims) -> str:
        """A new link to set the password; earlier ones are void. Raises PeerError 403, 404."""
        account = await self.known(person)
        self._require_rolefree(account, by)
        return await self._link(account, by.person)

    async def remove_passkeys(self, person: str, by: Claims) -> int:
        """All of them, when they are lost; how many. Raises as `link` does."""
        account = await self.known(person)
        self._require_rolefree(account, by)
        count = await self._store.accounts.remove_passkeys(person)
        await self._passkeys_removed(person, by, count)
        return count

    async def grant(self, person: str, role: Role | None, by: Claims) -> Account:
        """The one role an account has over all lessons, None for none; whoever acts in it is signed out.
        A role that takes a passkey begins without one: what was registered before took a password alone.

        Raises PeerError `same_person` (403) for oneself, `forbidden` (403) for a role nobody gives, 404.
        """
        account = await self.known(person)
        if person == by.person:
            raise PeerError("same_person", "nobody gives himself a role", status=403)
        if role is not None and role not in GRANTED_BY_SECURITY:
            raise PeerError("forbidden", f"the role {role} is not given to accounts", status=403)
        if account.role == Role.ADMIN and by.role is not Role.ADMIN:
            raise PeerError("forbidden", "the administrator of everything stays what he is", status=403)
        dropped = await self._store.accounts.give_role(person, role or "", self._forced)
        await self._sign_out(person, Ended.CLOSED, Why.ROLE_CHANGED, by.person)
        if dropped is not None:
            await self._passkeys_removed(person, by, dropped)
        await self._fact("role_granted", person=person, role=role or "", before=account.role, by=by.person)
        return await self.known(person)

    async def close(self, person: str, by: Claims, *, closed: bool) -> Account:
        """Close an account, or open it again. Raises PeerError `same_person` (403), 403, 404."""
        account = await self.known(person)
        if person == by.person:
            raise PeerError("same_person", "nobody closes his own account", status=403)
        self._require_rolefree(account, by)
        now_ms = self._clock.wall_ms()
        await self._store.accounts.change(person, closed_at_ms=now_ms if closed else None, link="")
        await self._sign_out(person, Ended.CLOSED, Why.ACCOUNT_CLOSED, by.person)
        await self._fact("account_closed" if closed else "account_opened", person=person, by=by.person)
        return await self.known(person)

    async def listed(self, after: str | None, limit: int, role: str | None) -> Json:
        accounts, cursor = await self._store.accounts.listed(after, limit, role)
        passkeys = await self._store.accounts.count_passkeys([account.person for account in accounts])
        items = [shape(account, passkeys.get(account.person, 0)) for account in accounts]
        return {"items": items, "next": cursor}

    # What an owner does

    async def set_password(self, link: str, password: str) -> None:
        """By a link, once; ends every stay.

        Raises PeerError `link_used` (410), `password_weak` (422), and as `Tokens.verify_link` does.
        """
        named = self._tokens.verify_link(LINK_KIND, link, self._clock.wall_s())
        account = await self._store.accounts.account(named.subject)
        if account is None or account.closed_at_ms is not None or account.link != named.token_id:
            raise _used()
        strong(password, account.name)
        hashed = await self._passwords.hash(password)
        if not await self._store.accounts.use_link(account.person, named.token_id):
            raise _used()
        await self._take(account, hashed, "link", spared="")

    async def change_password(self, account: Account, password: str, spared: str) -> None:
        """By its owner, who has proved to know the old one; ends every stay but `spared`."""
        strong(password, account.name)
        await self._take(account, await self._passwords.hash(password), "owner", spared)

    async def known(self, person: str) -> Account:
        """Raises PeerError `no_account` (404)."""
        account = await self._store.accounts.account(person)
        if account is None:
            raise no_account()
        return account

    async def _take(self, account: Account, hashed: str, how: str, spared: str) -> None:
        now_ms = self._clock.wall_ms()
        await self._store.accounts.change(account.person, password=hashed, password_at_ms=now_ms, link="")
        if account.password:  # the first one takes nothing back
            why = (Ended.PASSWORD_CHANGED, Why.PASSWORD_CHANGED)
            await self._sign_out(account.person, *why, account.person, spared)
        await self._fact("password_set", person=account.person, how=how)

    async def sign_out_everywhere(self, person: str, by: str) -> None:
        """By the owner, or an administrator who takes access back: every stay, and every token there is, of
        somebody with an account or without one."""
        why = Why.SIGNED_OUT if by == person else Why.BY_ADMINISTRATOR
        await self._sign_out(person, Ended.SIGNED_OUT, why, by)

    async def _sign_out(self, person: str, ended: Ended, why: Why, by: str, spared: str = "") -> None:
        """End a person's stays but `spared`, and void what was issued: no new token first, then the old."""
        await self._store.accounts.end_of(person, ended, self._clock.wall_ms(), spared)
        await self._revocations.person(person, why, by, spared=spared)

    async def _link(self, account: Account, by: str) -> str:
        now_s = self._clock.wall_s()
        link = self._tokens.sign_link(LINK_KIND, account.person, now_s, self._link_s, name=account.shown)
        token_id = self._tokens.verify_link(LINK_KIND, link, now_s).token_id
        await self._store.accounts.change(account.person, link=token_id)
        await self._fact("password_link", person=account.person, by=by)
        return link

    async def _passkeys_removed(self, person: str, by: Claims, count: int) -> None:
        await self._fact("passkeys_removed", person=person, by=by.person, count=count)

    def _require_rolefree(self, account: Account, by: Claims) -> None:
        if account.role and not allows(by.role, Permission.GRANT_ROLES):
            raise PeerError("staff_account", "take the account's role away first", status=403)

    async def _fact(self, kind: str, **data: JSON) -> None:
        await self._store.append([Fact(kind, None, self._clock.wall_ms(), data)])


def folded(name: str) -> str:
    """A sign-in name; PeerError `bad_request` for what is none."""
    try:
        return folded_name(name)
    except ValueError as error:
        raise PeerError("bad_request", str(error)) from error


def strong(password: str, name: str) -> None:
    """Pass, or raise PeerError `password_weak` (422) whose detail names what is wrong."""
    weak = weakness(password, name)
    if weak is not None:
        raise PeerError("password_weak", str(weak), status=422)


def shape(account: Account, passkeys: int) -> Json:
    """An account as the REST API shows it."""
    return {
        "person": account.person,
        "sign_in_name": account.name,
        "name": account.shown,
        "role": account.role or None,
        "has_password": bool(account.password),
        "passkeys": passkeys,
        "made_at": time(account.made_at_ms),
        "closed_at": time(account.closed_at_ms),
    }


def _used() -> PeerError:
    return PeerError("link_used", "this link was used, or a newer one was made", status=410)
