"""The first passkey of somebody whose role takes one: a stolen password alone registers none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from liveserver.config.sections import AccountsConfig
from liveserver.core.passkey_code import GOOD_MS, LENGTH, TRIES, PasskeyCode, fits, folded, shown
from liveserver.core.permissions import SEPARATE, Role
from liveserver.http import links
from liveserver.store.model.people import Assignment, Person
from tests.log_in.authenticator import Authenticator
from tests.log_in.door import PASSWORD, Door, Reply
from tests.log_in.door import door as opened
from tests.log_in.test_passkeys import Phone

WRONG = "22222-22222"


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    """Of a moderator who has a password and no passkey, where the role takes one."""
    rule = replace(AccountsConfig(), second_factor=("moderator", "system"))
    async with opened(tmp_path, accounts=rule) as door, door.browser() as browser:
        await door.account(role=Role.MODERATOR)
        await browser.sign_in()
        yield Phone(door, browser, Authenticator(str(door.url).rstrip("/"), "127.0.0.1"))


async def asked(door: Door, role: Role = Role.SECURITY, person: str = "p1", by: str = "boss") -> Reply:
    """An administrator asks for a code."""
    async with door.browser() as browser:
        browser.token = door.staff(role, by)
        return await browser.send("POST", f"/accounts/{person}/passkey-code")


async def code(door: Door) -> str:
    return str((await asked(door)).json["code"])


class TestACode:
    def test_is_read_however_it_is_typed(self) -> None:
        assert folded(" abcde fghjk ") == folded("ABCDE-FGHJK") == "ABCDEFGHJK"
        assert shown("ABCDEFGHJK") == "ABCDE-FGHJK"

    def test_is_open_for_an_hour_and_five_tries(self) -> None:
        one = PasskeyCode("p1", b"m" * 32, "boss", GOOD_MS)
        assert one.is_open(GOOD_MS - 1) and not one.is_open(GOOD_MS)
        assert replace(one, tries=TRIES - 1).is_open(0) and not replace(one, tries=TRIES).is_open(0)
        assert fits(one, b"m" * 32) and not fits(one, b"n" * 32)


class TestTheFirstPasskey:
    async def test_takes_a_code_and_no_authenticator_is_asked_without_one(self, phone: Phone) -> None:
        assert (await phone.browser.refresh()).json["needs"] == ["passkey", "code"]
        reply = await phone.browser.send("POST", "/session/passkeys/options", {})
        assert (reply.status, reply.code) == (403, "passkey_code_needed")
        assert (await phone.register(code=(await code(phone.door)).lower().replace("-", " "))).status == 201
        assert (await phone.sign_in()).json["role"] == "moderator"

    async def test_takes_it_for_the_registering_as_well(self, phone: Phone) -> None:
        given = await code(phone.door)
        options = await phone.browser.send("POST", "/session/passkeys/options", {"code": given})
        body = {
            "ticket": options.json["ticket"],
            "label": "x",
            "credential": phone.authenticator.create(options.json["public_key"]),
        }
        assert (await phone.browser.send("POST", "/session/passkeys", body)).code == "passkey_code_needed"
        assert (await phone.browser.send("POST", "/session/passkeys", {**body, "code": given})).status == 201

    async def test_uses_the_code_up(self, phone: Phone) -> None:
        given = await code(phone.door)
        assert (await phone.register(code=given)).status == 201
        await phone.door.store.accounts.remove_passkeys("p1")
        assert (await phone.register(code=given)).code == "passkey_code_refused"

    async def test_of_two_at_one_moment_is_one(self, phone: Phone) -> None:
        given = await code(phone.door)
        thief = Phone(phone.door, phone.browser, Authenticator(phone.authenticator.origin, "127.0.0.1"))
        replies = await asyncio.gather(phone.register(code=given), thief.register(code=given))
        assert sum(reply.status == 201 for reply in replies) == 1
        assert len(await phone.door.store.accounts.passkeys_of("p1")) == 1

    async def test_takes_none_where_the_role_takes_no_passkey(self, phone: Phone) -> None:
        await phone.door.store.accounts.change("p1", role=Role.INSPECTOR)
        assert (await phone.register()).status == 201

    async def test_of_who_came_by_the_link_of_the_first_start_takes_none(self, tmp_path: Path) -> None:
        """There is nobody yet who could give one."""
        rule = replace(AccountsConfig(), second_factor=("admin",))
        async with opened(tmp_path / "first", accounts=rule) as door, door.browser() as browser:
            link = door.tokens.sign_link(links.SETUP, "first-administrator", door.clock.wall_s(), 600)
            body = {"token": link, "name": "赵", "sign_in_name": "zhao", "password": PASSWORD}
            browser.token = (await browser.send("POST", "/setup", body)).json["token"]
            first = Phone(door, browser, Authenticator(str(door.url).rstrip("/"), "127.0.0.1"))
            assert (await first.register()).status == 201
            assert (await first.sign_in()).json["role"] == "admin"

    async def test_takes_one_though_the_role_rests(self, tmp_path: Path) -> None:
        """Three administrators may be two again some day, and then he acts as everything."""
        rule = replace(AccountsConfig(), second_factor=("admin",))
        async with opened(tmp_path / "resting", accounts=rule) as door, door.browser() as browser:
            for role in SEPARATE:
                await door.account(role, role, person=role)
            await door.account(role=Role.ADMIN)
            reply = await browser.sign_in()
            assert (reply.json["role"], reply.json["needs"]) == ("member", ["separate"])
            stolen = Phone(door, browser, Authenticator(str(door.url).rstrip("/"), "127.0.0.1"))
            assert (await stolen.register()).code == "passkey_code_needed"
            assert (await stolen.register(code=await code(door))).status == 201

    async def test_takes_one_of_an_inspector_who_teaches(self, tmp_path: Path) -> None:
        """It would count at the doors of his lessons."""
        rule = replace(AccountsConfig(), second_factor=("instructor",))
        async with opened(tmp_path / "teaching", accounts=rule) as door, door.browser() as browser:
            await door.account(role=Role.INSPECTOR)
            teacher, row = Person("p1", "赵丽", salt=b"s"), Assignment("c1", "p1")
            await door.store.people.teachers.put(row, teacher, "test", 1, "assigned")
            assert (await browser.sign_in()).json["role"] == "inspector"
            stolen = Phone(door, browser, Authenticator(str(door.url).rstrip("/"), "127.0.0.1"))
            assert (await stolen.register()).code == "passkey_code_needed"
            assert (await stolen.register(code=await code(door))).status == 201

    async def test_from_before_the_role_was_given_counts_no_more(self, phone: Phone) -> None:
        """Whoever stole a learner's password would wait for the role in vain."""
        await phone.door.store.accounts.change("p1", role="")
        assert (await phone.register()).status == 201
        async with phone.door.browser() as browser:
            browser.token = phone.door.staff(Role.SECURITY)
            granted = await browser.send("PUT", "/accounts/p1/role", {"role": "moderator"})
            assert (granted.status, granted.json["passkeys"]) == (200, 0)
        assert (await phone.sign_in()).code == "sign_in_refused"


class TestAWrongCode:
    async def test_is_refused_and_on_record(self, phone: Phone) -> None:
        await code(phone.door)
        assert (await phone.register(code=WRONG)).code == "passkey_code_refused"
        kinds = [fact.type for fact in await phone.door.facts("passkey_code_given", "passkey_code_refused")]
        assert kinds == ["passkey_code_given", "passkey_code_refused"]

    async def test_five_times_voids_the_right_one(self, phone: Phone) -> None:
        given = await code(phone.door)
        replies = await asyncio.gather(*(phone.register(code=WRONG) for _ in range(9)))
        assert {reply.code for reply in replies} == {"passkey_code_refused"}
        assert len(await phone.door.facts("passkey_code_refused")) == TRIES
        assert (await phone.register(code=given)).code == "passkey_code_refused"

    async def test_costs_nothing_where_the_right_one_was_given(self, phone: Phone) -> None:
        given = await code(phone.door)
        for _ in range(TRIES + 1):
            options = await phone.browser.send("POST", "/session/passkeys/options", {"code": given})
            assert options.status == 200

    async def test_is_one_that_was_given_to_another_or_before_or_an_hour_ago(self, phone: Phone) -> None:
        await phone.door.account("other", Role.MODERATOR, person="p2")
        others = str((await asked(phone.door, person="p2")).json["code"])
        before, given = await code(phone.door), await code(phone.door)
        for wrong in (others, before):
            assert (await phone.register(code=wrong)).code == "passkey_code_refused"
        phone.door.clock.pass_minutes(60)
        await phone.browser.sign_in()
        assert (await phone.register(code=given)).code == "passkey_code_refused"


class TestGivingOne:
    @pytest.mark.parametrize("role", [Role.SYSTEM, Role.AUDIT, Role.MODERATOR])
    async def test_is_for_whoever_gives_roles(self, phone: Phone, role: Role) -> None:
        """Who makes password links would come in as anybody with both."""
        assert (await asked(phone.door, role)).code == "forbidden"
        assert (await asked(phone.door, Role.ADMIN)).status == 201

    async def test_to_oneself_is_refused(self, phone: Phone) -> None:
        assert (await asked(phone.door, by="p1")).code == "same_person"

    async def test_is_refused_where_there_is_a_passkey_or_no_account(self, phone: Phone) -> None:
        assert (await asked(phone.door, person="nobody")).code == "no_account"
        assert (await phone.register(code=await code(phone.door))).status == 201
        assert (await asked(phone.door)).code == "has_passkey"

    async def test_keeps_no_code_and_says_until_when(self, phone: Phone) -> None:
        reply = await asked(phone.door)
        assert len(folded(reply.json["code"])) == LENGTH
        assert reply.json["until"].endswith("Z")
        kept = await phone.door.store.passkey_codes.tried("p1", phone.door.clock.wall_ms())
        assert kept is not None
        assert folded(reply.json["code"]).encode() not in kept.mark
        assert (kept.by, len(kept.mark)) == ("boss", 32)
