"""Persons and what they belong to, on both databases."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.ledger import canonical_json, commitment
from liveserver.store import ChatLine, Store
from liveserver.store.accounts import Account, Passkey, StayRow
from liveserver.store.model.people import Course, Enrolment, Person


def person(key: str, name: str = "王伟", phone: str = "", at_ms: int = 1) -> Person:
    return Person(key, name, phone, created_at_ms=at_ms, salt=b"s" * 16)


class TestAnAct:
    async def test_is_a_fact_that_names_who_did_it_and_nobody_whom_it_is_about(self, store: Store) -> None:
        await store.people.persons.add(person("p1", phone="13800001234"), "admin", 5)
        (entry,) = await store.entries()
        assert (entry.type, entry.at_ms) == ("person", 5)
        assert {key: entry.data[key] for key in ("by", "act", "id")} == {
            "by": "admin", "act": "added", "id": "p1",
        }  # fmt: skip
        text = canonical_json(entry.data)
        assert "王伟" not in text
        assert "13800001234" not in text

    async def test_of_change_says_what_was_and_what_is(self, store: Store) -> None:
        persons = store.people.persons
        await persons.add(person("p1"), "admin", 5)
        changed = await persons.change("p1", {"name": "王维", "enterprise": "o1"}, "boss", 6)
        assert (changed.name, changed.enterprise) == ("王维", "o1")
        assert await persons.get("p1") == changed
        fact = (await store.entries())[-1].data

        def committed(name: str) -> str:
            return commitment(b"s" * 16, canonical_json(["name", name]))

        assert fact["before"] == {"name": committed("王伟"), "enterprise": ""}
        assert fact["after"] == {"name": committed("王维"), "enterprise": "o1"}

    async def test_that_changes_nothing_leaves_no_fact(self, store: Store) -> None:
        await store.people.persons.add(person("p1"), "admin", 5)
        await store.people.persons.change("p1", {"name": "王伟"}, "admin", 6)
        assert await store.ledger_size() == 1

    async def test_that_is_refused_leaves_no_fact(self, store: Store) -> None:
        courses = store.people.courses
        await courses.add(Course("c1", "K1", "消防", created_at_ms=1), "admin", 1)
        with pytest.raises(PeerError, match="already_there"):
            await courses.add(Course("c2", "K1", "电工", created_at_ms=2), "admin", 2)
        await courses.add(Course("c3", "K3", "电工", created_at_ms=3), "admin", 3)
        with pytest.raises(PeerError, match="already_there"):
            await courses.change("c3", {"code": "K1"}, "admin", 4)
        with pytest.raises(PeerError, match="not_found"):
            await courses.change("nobody", {"code": "K9"}, "admin", 4)
        assert await store.ledger_size() == 2


class TestAList:
    async def test_finds_a_part_of_what_is_searched_and_takes_no_pattern(self, store: Store) -> None:
        persons = store.people.persons
        for number, name in enumerate(("王伟", "李%娜", "Wang Wei")):
            await persons.add(person(f"p{number}", name, at_ms=number), "admin", 1)

        async def found(wanted: str) -> list[str]:
            return [one.id for one in (await persons.page(wanted, None, 10))[0]]

        assert await found("wang") == ["p2"]
        assert await found("伟") == ["p0"]
        assert await found("%") == ["p1"]
        assert await found("") == ["p2", "p1", "p0"]

    async def test_goes_on_behind_its_cursor(self, store: Store) -> None:
        persons = store.people.persons
        for number in range(5):
            await persons.add(person(f"p{number}", at_ms=7), "admin", 1)
        first, after = await persons.page("", None, 3)
        rest, end = await persons.page("", after, 3)
        assert [one.id for one in first + rest] == ["p4", "p3", "p2", "p1", "p0"]
        assert end is None


class TestErasure:
    async def test_leaves_ids_and_commitments_that_say_nothing(self, store: Store) -> None:
        persons = store.people.persons
        await persons.add(person("p1", phone="138"), "admin", 5)
        row = Enrolment("c1", "p1", "07", target_group="退役军人", enrolled_at_ms=5)
        await store.people.roster.put(row, person("p1"), "admin", 5, "enrolled")
        line = ChatLine("m1", "l1", "p1", "王伟", "learner", "老师好", 6, b"salt")
        await store.append([], [line])
        for refusal in ("not_archived", "still_enrolled"):
            with pytest.raises(PeerError, match=refusal):
                await store.erasing.person("p1", "admin", "asked", 7)
            await persons.change("p1", {"status": "archived"}, "admin", 6)
        left = {"status": "left", "left_at_ms": 8}
        await store.people.roster.change("c1", person("p1"), left, "admin", 8, "left")
        await store.accounts.add(Account("p1", "wang.wei", "王伟", 1, password="$argon2id$", link="j1"))
        await store.accounts.begin(
            StayRow("s1", "p1", b"h", b"", 1, 1, 1, "password", "203.0.113.7", "Firefox")
        )
        await store.accounts.add_passkey(Passkey("k1", "p1", b"\x01", 0, "王伟的手机", 1), 10)
        await store.accounts.bind("https://idp", "wang", "p1", 1)
        size = await store.ledger_size()
        await store.erasing.person("p1", "admin", "asked", 9)
        account = await store.accounts.account("p1")
        assert account == Account("p1", "erased p1", "", 1, closed_at_ms=9)
        (stay,) = await store.accounts.stays_of("p1")
        assert (stay.address, stay.agent, stay.ended, stay.ended_at_ms) == ("", "", "closed", 9)
        assert await store.accounts.passkeys_of("p1") == []
        assert await store.accounts.subject("https://idp", "wang") is None
        gone = await persons.get("p1")
        assert gone is not None
        assert (gone.name, gone.phone, gone.salt, gone.status) == ("", "", b"", "archived")
        enrolment = await store.people.roster.get("c1", "p1")
        assert enrolment is not None
        assert (enrolment.student_no, enrolment.target_group, enrolment.left_at_ms) == ("", "", 8)
        (said,) = await store.chat.newest("l1")
        assert (said.person, said.name, said.text, said.salt) == ("p1", "", "", b"")
        (fact,) = await store.entries(after=size - 1)
        assert (fact.type, fact.data["act"], fact.data["id"]) == ("person", "erased", "p1")
        with pytest.raises(PeerError, match="not_found"):
            await store.erasing.person("nobody", "admin", "asked", 9)
