"""Telephone numbers at rest: sealed, found by the whole number, gone with their key; on both databases."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import sqlalchemy as sa

from liveserver.bus import MemoryBus
from liveserver.clock import Clock
from liveserver.core.ledger import canonical_json
from liveserver.core.revocation import Revoked
from liveserver.people.people import People
from liveserver.people.phones import PURPOSE, Phones
from liveserver.revocations import Revocations
from liveserver.store import Store
from liveserver.store.model.people import Person
from liveserver.store.tables.people import PERSONS
from liveserver.vault import Vault

PHONE = "13800001234"
KEY = bytes(range(32))


def phones(store: Store, key: bytes = KEY) -> Phones:
    return Phones(store, Vault(store, Clock(), key, PURPOSE), key)


@pytest.fixture
def people(store: Store) -> People:
    bus = MemoryBus()
    revocations = Revocations(Revoked(), store, bus, Clock(), 86_400_000)
    return People(store, Clock(), bus, revocations, phones(store))


async def at_rest(store: Store) -> str:
    """Everything the database has of persons and of what was done to them."""
    async with store.reading() as connection:
        rows = [dict(row) for row in (await connection.execute(sa.select(PERSONS))).mappings()]
    facts = [canonical_json(entry.data) for entry in await store.entries(limit=100)]
    return str(
        [{key: bytes(v) if isinstance(v, memoryview) else v for key, v in row.items()} for row in rows]
    ) + str(facts)


async def found(people: People, wanted: str) -> list[str]:
    page = await people.registry.page("person", wanted, None, 10, {})
    return [one["phone"] for one in page["items"]]


class TestATelephoneNumber:
    async def test_is_nowhere_in_clear_and_shown_to_who_may_see_it(
        self, store: Store, people: People
    ) -> None:
        made = await people.registry.add("person", {"name": "王伟", "phone": "138 0000 1234"}, "boss")
        assert made["phone"] == PHONE
        assert set(made) & {"phone_sealed", "phone_mark", "salt"} == set()
        text = await at_rest(store)
        assert PHONE not in text and "1234" not in text and "王伟" in text
        assert (await people.registry.one("person", made["id"], masked=False))["phone"] == PHONE
        assert (await people.registry.one("person", made["id"], masked=True))["phone"] == "138****1234"
        assert PHONE[:3] + "****" in (await people.registry.export("person", "", {})).decode()

    async def test_is_found_whole_however_it_is_written_and_no_part_of_it(self, people: People) -> None:
        for name, phone in (("王伟", PHONE), ("李娜", "13900001234"), ("无", "")):
            await people.registry.add("person", {"name": name, "phone": phone}, "boss")
        assert await found(people, "138-0000-1234") == ["138****1234"]
        assert await found(people, "1234") == []
        assert len(await found(people, "")) == 3

    async def test_changes_with_a_fact_and_stays_without_one(self, store: Store, people: People) -> None:
        made = await people.registry.add("person", {"name": "王伟", "phone": PHONE}, "boss")
        size = await store.ledger_size()
        await people.registry.change("person", made["id"], {"phone": PHONE}, "boss")
        assert await store.ledger_size() == size
        changed = await people.registry.change("person", made["id"], {"phone": "13911112222"}, "boss")
        assert changed["phone"] == "13911112222"
        fact = (await store.entries(after=size - 1))[0].data
        assert set(fact["before"]) == set(fact["after"]) == {"phone"} and fact["before"] != fact["after"]
        emptied = await people.registry.change("person", made["id"], {"phone": ""}, "boss")
        assert (emptied["phone"], await found(people, "13911112222")) == ("", [])

    async def test_is_known_by_nobody_who_has_another_key(self, store: Store, people: People) -> None:
        await people.registry.add("person", {"name": "王伟", "phone": PHONE}, "boss")
        assert phones(store, bytes(32)).mark(PHONE) != phones(store).mark(PHONE)

    async def test_is_gone_when_its_person_is_erased(self, store: Store, people: People) -> None:
        made = await people.registry.add("person", {"name": "王伟", "phone": PHONE}, "boss")
        kept = await store.people.persons.get(made["id"])
        assert kept is not None and kept.phone_sealed
        await people.registry.change("person", made["id"], {"status": "archived"}, "boss")
        await people.erasure.erase(made["id"], "asked", "boss")
        gone = await store.people.persons.get(made["id"])
        assert gone is not None
        assert (gone.phone, bytes(gone.phone_sealed), bytes(gone.phone_mark)) == ("", b"", b"")
        (backup,) = await phones(store).open([kept])
        assert backup.phone == "", "a copy of the row opens no more"


class TestWithoutTheKeyOfTheInstallation:
    async def test_numbers_are_lost_and_nothing_else_is(self, store: Store, people: People) -> None:
        made = await people.registry.add("person", {"name": "王伟", "phone": PHONE}, "boss")
        bus = MemoryBus()
        revocations = Revocations(Revoked(), store, bus, Clock(), 86_400_000)
        restored = People(store, Clock(), bus, revocations, phones(store, bytes(32)))
        assert await found(restored, "王") == [""]
        assert (await restored.registry.one("person", made["id"], masked=False))["name"] == "王伟"
        changed = await restored.registry.change("person", made["id"], {"phone": "13911112222"}, "boss")
        assert changed["phone"] == "13911112222", "known again once it is entered again"
        assert await found(restored, "13911112222") == ["139****2222"]


class TestANumberOfAnEarlierVersion:
    async def test_is_sealed_at_the_start_and_found_as_before(self, store: Store, people: People) -> None:
        rows = [
            {**asdict(Person(f"p{n}", "王伟", created_at_ms=n, salt=b"s")), "phone": f"1380000{n:04}"}
            for n in range(205)
        ]
        await store.write(lambda connection: connection.execute(sa.insert(PERSONS), rows))
        await phones(store).start()
        assert "1380000" not in await at_rest(store)
        assert await found(people, "13800000007") == ["138****0007"]
        await phones(store).start()
        assert await store.people.with_clear_phones(1) == []
