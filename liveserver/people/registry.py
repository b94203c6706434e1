"""Organisations, projects, courses, classes and persons: added, changed, archived, searched, taken away."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.masking import masked_name, masked_number
from liveserver.core.messages import Json
from liveserver.core.people import Status, require_order
from liveserver.hours.csv_table import csv_bytes
from liveserver.people.kinds import KINDS, Kind, shown
from liveserver.people.phones import Phones
from liveserver.store import Store
from liveserver.store.model.people import Person

ID_BYTES = 8
EXPORT_MOST = 100_000
_PAGE = 1_000
_SALT_BYTES = 16


def new_id() -> str:
    """16 hexadecimal digits, as every person has them."""
    return secrets.token_hex(ID_BYTES)


def new_salt() -> bytes:
    return secrets.token_bytes(_SALT_BYTES)


class Registry:
    """Owned by the main loop. Raises PeerError for what is refused."""

    def __init__(self, store: Store, clock: Clock, phones: Phones):
        self._people = store.people
        self._phones = phones
        self._clock = clock

    async def add(self, name: str, values: Mapping[str, Any], by: str) -> Json:
        """Raises PeerError `unknown_…` (422) for what is referred to and not there, `already_there` (409)."""
        kind = KINDS[name]
        checked = self._checked(kind, values)
        await self._require_references(kind, checked)
        now_ms = self._clock.wall_ms()
        salt = {"salt": new_salt()} if "salt" in kind.model.__dataclass_fields__ else {}
        value = kind.model(id=new_id(), created_at_ms=now_ms, **checked, **salt)
        self._require_period(kind, value)
        if isinstance(value, Person):
            (value,) = await self._phones.seal([value])
        return shown(await kind.catalogue(self._people).add(value, by, now_ms))

    async def change(self, name: str, key: str, values: Mapping[str, Any], by: str) -> Json:
        """Of what was given; raises as `add`, and `not_found` (404)."""
        kind = KINDS[name]
        checked = self._checked(kind, values)
        await self._require_references(kind, checked)
        if kind.period:
            now = await self.get(name, key)
            first, last = (checked.get(day, getattr(now, day)) for day in kind.period)
            require_order(first, last)
        if name == "person" and "phone" in checked:
            before = await self.get(name, key)
            checked |= await self._phones.changes(key, checked.pop("phone"), before.phone_mark)
        changed = await kind.catalogue(self._people).change(key, checked, by, self._clock.wall_ms())
        return shown(await self._opened(changed))

    async def set_status(self, name: str, key: str, status: Status, by: str) -> Json:
        """Out of the way, or back."""
        act = "archived" if status is Status.ARCHIVED else "restored"
        catalogue = KINDS[name].catalogue(self._people)
        changed = await catalogue.change(key, {"status": str(status)}, by, self._clock.wall_ms(), act)
        return shown(await self._opened(changed))

    async def get(self, name: str, key: str) -> Any:
        """Raises PeerError `not_found` (404)."""
        found = await KINDS[name].catalogue(self._people).get(key)
        if found is None:
            raise PeerError("not_found", f"there is no such {name}", status=404)
        return found

    async def one(self, name: str, key: str, *, masked: bool) -> Json:
        return shown(await self._opened(await self.get(name, key)), masked=masked)

    async def page(
        self, name: str, wanted: str, after: str | None, limit: int, where: Mapping[str, Any]
    ) -> Json:
        """Telephone numbers are masked in lists, and of a person found by the whole number alone."""
        found, following = await self._page(name, wanted, after, limit, where)
        return {"items": [shown(one, masked=True) for one in found], "next": following}

    async def export(self, name: str, wanted: str, where: Mapping[str, Any]) -> bytes:
        """The whole list as CSV, the newest first; names and telephone numbers masked (003 L23)."""
        kind = KINDS[name]
        rows: list[list[object]] = []
        after = None
        while len(rows) < EXPORT_MOST:
            found, after = await self._page(name, wanted, after, _PAGE, where)
            rows += [[_cell(name, one, column) for column, _ in kind.columns] for one in found]
            if after is None:
                break
            await asyncio.sleep(0)
        return csv_bytes([head for _, head in kind.columns], rows)

    async def _page(
        self, name: str, wanted: str, after: str | None, limit: int, where: Mapping[str, Any]
    ) -> tuple[list[Any], str | None]:
        catalogue = KINDS[name].catalogue(self._people)
        if name != "person":
            return await catalogue.page(wanted, after, limit, where)
        marks = {"phone_mark": self._phones.wanted(wanted)}
        found, following = await catalogue.page(wanted, after, limit, where, marks)
        return await self._phones.open(found), following

    async def _opened(self, value: Any) -> Any:
        """With the telephone number, if it is a person's."""
        return (await self._phones.open([value]))[0] if isinstance(value, Person) else value

    def _checked(self, kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
        checks = kind.checks
        return {name: checks[name](value) if name in checks else value for name, value in values.items()}

    def _require_period(self, kind: Kind, value: Any) -> None:
        if kind.period:
            require_order(*(getattr(value, day) for day in kind.period))

    async def _require_references(self, kind: Kind, values: Mapping[str, Any]) -> None:
        for name, of in kind.references.items():
            key = values.get(name)
            if key and await KINDS[of].catalogue(self._people).get(key) is None:
                raise PeerError(f"unknown_{of}", f"{name}: there is no such {of}", status=422)


def _cell(kind: str, value: Any, column: str) -> object:
    content = getattr(value, column)
    if kind == "person" and column == "name":
        return masked_name(content)
    if column == "phone":
        return masked_number(content)
    return "是" if content is True else "" if content is False else content
