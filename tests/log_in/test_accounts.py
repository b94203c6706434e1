"""Accounts as administrators make them, and three administrators who cannot be one another (三员分立)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from liveserver.config.sections import AccountsConfig, HttpConfig
from liveserver.core.errors import PeerError
from liveserver.core.permissions import GRANTED_BY_SECURITY, Role
from liveserver.http import links
from liveserver.store.model.people import Assignment, Person
from tests.log_in.authenticator import Authenticator
from tests.log_in.door import NAME, PASSWORD, Browser, Door
from tests.log_in.door import door as opened
from tests.log_in.test_passkeys import Phone


async def made(door: Door, browser: Browser, name: str = NAME) -> dict[str, str]:
    """An account made by the system administrator, as the REST API answers it."""
    browser.token = door.staff(Role.SYSTEM)
    reply = await browser.send("POST", "/accounts", {"sign_in_name": name, "name": "赵丽"})
    assert reply.status == 201, reply
    return reply.json


async def code_for(door: Door, person: str = "p1") -> str:
    """An administrator's, for the first passkey."""
    claims = door.tokens.verify(door.staff(Role.SECURITY), door.clock.wall_s())
    return (await door.log_in.codes.give(person, claims))[0]


class TestMakingAnAccount:
    async def test_gives_a_link_by_which_the_owner_sets_the_password_once(
        self, door: Door, browser: Browser
    ) -> None:
        account = await made(door, browser)
        assert (account["sign_in_name"], account["has_password"], account["role"]) == ("zhao.li", False, None)
        page, _, link = account["link"].partition("#password=")
        assert page == f"{str(door.url).rstrip('/')}/"
        browser.token = ""
        assert (await browser.sign_in()).code == "sign_in_refused"
        weak = await browser.send("POST", "/session/password", {"link": link, "password": "short"})
        assert (weak.status, weak.code, weak.json["detail"]) == (422, "password_weak", "short")
        body = {"link": link, "password": PASSWORD}
        assert (await browser.send("POST", "/session/password", body)).status == 204
        again = await browser.send("POST", "/session/password", body)
        assert (again.status, again.code) == (410, "link_used")
        assert (await browser.sign_in()).status == 200

    async def test_is_for_a_person_of_the_register_under_his_name(self, door: Door, browser: Browser) -> None:
        await door.store.people.persons.add(Person("p7", "王伟", salt=b"s" * 16), "test", 1)
        browser.token = door.staff(Role.SYSTEM)
        body = {"sign_in_name": "wang", "person": "p7"}
        reply = await browser.send("POST", "/accounts", body)
        assert (reply.status, reply.json["person"], reply.json["name"]) == (201, "p7", "王伟")
        assert (await browser.send("POST", "/accounts", body)).code == "account_exists"
        other = await browser.send("POST", "/accounts", {"sign_in_name": "li", "person": "p8"})
        assert (other.status, other.code) == (404, "not_found")

    async def test_a_name_is_there_once_whatever_its_case(self, door: Door, browser: Browser) -> None:
        await made(door, browser)
        reply = await browser.send("POST", "/accounts", {"sign_in_name": "zhao.LI", "name": "x"})
        assert (reply.status, reply.code) == (409, "account_exists")

    async def test_a_newer_link_makes_the_older_void(self, door: Door, browser: Browser) -> None:
        account = await made(door, browser)
        newer = await browser.send("POST", f"/accounts/{account['person']}/link")
        links = [account["link"].partition("=")[2], newer.json["link"].partition("=")[2]]
        codes = [
            (await browser.send("POST", "/session/password", {"link": link, "password": PASSWORD})).status
            for link in links
        ]
        assert codes == [410, 204]

    async def test_a_link_is_good_for_three_days_and_for_nothing_else(
        self, door: Door, browser: Browser
    ) -> None:
        account = await made(door, browser)
        link = account["link"].partition("=")[2]
        door.clock.pass_minutes(72 * 60 + 2)
        late = await browser.send("POST", "/session/password", {"link": link, "password": PASSWORD})
        assert late.code == "token_expired"
        browser.token = link
        assert (await browser.send("GET", "/accounts")).code == "token_invalid"

    async def test_a_reset_ends_every_stay(self, door: Door, browser: Browser) -> None:
        person = await door.account()
        await browser.sign_in()
        browser.token = door.staff(Role.SYSTEM)
        link = (await browser.send("POST", f"/accounts/{person}/link")).json["link"].partition("=")[2]
        assert (await browser.refresh()).status == 200  # the link alone changes nothing
        await browser.send("POST", "/session/password", {"link": link, "password": "Another-Word-8"})
        assert (await browser.refresh()).code == "signed_out"

    async def test_closing_ends_every_stay_and_is_undone(self, door: Door, browser: Browser) -> None:
        person = await door.account()
        await browser.sign_in()
        async with door.browser() as office:
            office.token = door.staff(Role.SYSTEM)
            assert (await office.send("PUT", f"/accounts/{person}", {"closed": True})).status == 200
            assert (await browser.refresh()).code == "signed_out"
            assert (await browser.sign_in()).code == "sign_in_refused"
            await office.send("PUT", f"/accounts/{person}", {"closed": False})
        assert (await browser.sign_in()).status == 200

    async def test_who_is_locked_out_is_shown(self, door: Door, browser: Browser) -> None:
        person = await door.account()
        for _ in range(6):
            await browser.sign_in(NAME, "wrong-Word-7")
        browser.token = door.staff(Role.SECURITY)
        assert (await browser.send("GET", f"/accounts/{person}")).json["locked"] is True

    async def test_every_act_is_a_fact_without_a_name(self, door: Door, browser: Browser) -> None:
        account = await made(door, browser)
        await browser.send("PUT", f"/accounts/{account['person']}", {"closed": True})
        facts = await door.facts("account_made", "password_link", "account_closed")
        assert [fact.type for fact in facts] == ["account_made", "password_link", "account_closed"]
        assert all(fact.data["by"] == "boss" for fact in facts)
        assert "赵丽" not in str([fact.data for fact in facts])


class TestThreeAdministrators:
    async def test_one_makes_the_account_and_another_gives_the_role(
        self, door: Door, browser: Browser
    ) -> None:
        account = await made(door, browser)
        path = f"/accounts/{account['person']}/role"
        refused = await browser.send("PUT", path, {"role": "moderator"})
        assert (refused.status, refused.code) == (403, "forbidden")
        browser.token = door.staff(Role.SECURITY)
        assert (await browser.send("PUT", path, {"role": "moderator"})).json["role"] == "moderator"
        made_by_security = await browser.send("POST", "/accounts", {"sign_in_name": "x", "name": "x"})
        assert made_by_security.code == "forbidden"
        (fact,) = await door.facts("role_granted")
        assert fact.data == {
            "person": account["person"], "role": "moderator", "before": "", "by": "boss",
        }  # fmt: skip

    @pytest.mark.parametrize("role", sorted(set(Role) - GRANTED_BY_SECURITY))
    async def test_roles_of_a_lesson_and_all_in_one_hand_are_not_given(
        self, door: Door, browser: Browser, role: Role
    ) -> None:
        account = await made(door, browser)
        browser.token = door.staff(Role.SECURITY)
        reply = await browser.send("PUT", f"/accounts/{account['person']}/role", {"role": role})
        assert (reply.status, reply.code) == (403, "forbidden")

    async def test_nobody_gives_himself_a_role(self, door: Door, browser: Browser) -> None:
        person = await door.account(role=Role.SECURITY)
        await browser.sign_in()
        reply = await browser.send("PUT", f"/accounts/{person}/role", {"role": "system"})
        assert (reply.status, reply.code) == (403, "same_person")

    async def test_nobody_has_two(self, door: Door, browser: Browser) -> None:
        person = await door.account(role=Role.AUDIT)
        browser.token = door.staff(Role.SECURITY)
        reply = await browser.send("PUT", f"/accounts/{person}/role", {"role": "system"})
        assert reply.json["role"] == "system"  # in the place of the one before

    async def test_one_cannot_come_in_as_another_by_a_reset(self, door: Door, browser: Browser) -> None:
        person = await door.account(role=Role.SECURITY)
        browser.token = door.staff(Role.SYSTEM)
        for method, path, body in (
            ("POST", f"/accounts/{person}/link", None),
            ("DELETE", f"/accounts/{person}/passkeys", None),
            ("PUT", f"/accounts/{person}", {"closed": True}),
        ):
            reply = await browser.send(method, path, body)
            assert (reply.status, reply.code) == (403, "staff_account"), path

    async def test_a_role_given_or_taken_signs_its_holder_out(self, door: Door, browser: Browser) -> None:
        person = await door.account(role=Role.AUDIT)
        assert (await browser.sign_in()).json["role"] == "audit"
        token = browser.token
        browser.token = door.staff(Role.SECURITY)
        await browser.send("PUT", f"/accounts/{person}/role", {})
        browser.token = token
        assert (await browser.refresh()).code == "signed_out"
        assert (await browser.sign_in()).json["role"] == "member"

    async def test_a_link_made_before_the_role_was_given_is_void(self, door: Door, browser: Browser) -> None:
        account = await made(door, browser)
        browser.token = door.staff(Role.SECURITY)
        await browser.send("PUT", f"/accounts/{account['person']}/role", {"role": "audit"})
        link = account["link"].partition("=")[2]
        reply = await browser.send("POST", "/session/password", {"link": link, "password": PASSWORD})
        assert reply.code == "link_used"

    async def test_a_passkey_is_the_second_factor_where_that_is_the_rule(self, tmp_path: Path) -> None:
        rule = replace(AccountsConfig(), second_factor=("system",))
        async with opened(tmp_path, accounts=rule) as door, door.browser() as browser:
            await door.account(role=Role.SYSTEM)
            reply = await browser.sign_in()
            assert (reply.json["role"], reply.json["account_role"]) == ("registering", "system")
            assert reply.json["needs"] == ["passkey", "code"]
            for path in ("/accounts", "/lessons", "/me/lessons"):
                assert (await browser.send("GET", path)).status in (403, 404), path
            changed = {"old": PASSWORD, "new": "焊接-Lesson-8"}
            for method, path, body in (
                ("GET", "/session/stays", None),
                ("DELETE", "/session/stays", None),
                ("PUT", "/session/password", changed),
                ("DELETE", "/session/passkeys/k1", None),
            ):
                assert (await browser.send(method, path, body)).code == "forbidden", path
            phone = Phone(door, browser, Authenticator(str(door.url).rstrip("/"), "127.0.0.1"))
            assert (await phone.register()).code == "passkey_code_needed"
            assert (await phone.register(code=await code_for(door))).status == 201
            assert (await browser.refresh()).json["role"] == "registering", "it has to be shown as well"
            assert (await phone.sign_in()).json["role"] == "system"
            assert (await browser.send("GET", "/accounts")).status == 200

    async def test_nobody_is_forced_where_passkeys_cannot_work(self, tmp_path: Path) -> None:
        async with opened(tmp_path) as door, door.browser() as browser:
            await door.account(role=Role.SYSTEM)
            assert (await browser.sign_in()).json["role"] == "system"

    async def test_the_first_administrator_comes_in_and_registers_his_before_he_comes_again(
        self, tmp_path: Path
    ) -> None:
        there = HttpConfig(base_url="https://class.example")
        async with opened(tmp_path, http=there) as door, door.browser("https://class.example") as browser:
            body = {"token": TestTheFirstAdministrator.link(door), "name": "赵", "sign_in_name": "zhao"}
            assert (await browser.send("POST", "/setup", {**body, "password": PASSWORD})).json[
                "role"
            ] == "admin"
            assert (await browser.sign_in("zhao")).json["role"] == "registering"
            await door.account("qian", Role.INSPECTOR, person="p2")
            assert (await browser.sign_in("qian")).json["role"] == "inspector"

    async def test_whoever_teaches_takes_one_where_that_is_the_rule(self, tmp_path: Path) -> None:
        rule = replace(AccountsConfig(), second_factor=("instructor",))
        async with opened(tmp_path, accounts=rule) as door, door.browser() as browser:
            person = await door.account()
            assert (await browser.sign_in()).json["role"] == "member"
            claims = door.tokens.verify(browser.token, door.clock.wall_s())
            with pytest.raises(
                PeerError, match="passkey_needed"
            ):  # into a lesson, before the token is renewed
                await door.log_in.signing_in.require_factor(claims, Role.INSTRUCTOR)
            await door.log_in.signing_in.require_factor(claims, Role.LEARNER)
            teacher, row = Person(person, "赵丽", salt=b"s"), Assignment("c1", person)
            await door.store.people.teachers.put(row, teacher, "test", 1, "assigned")
            reply = await browser.refresh()
            assert (reply.json["role"], reply.json["needs"]) == (
                "registering",
                ["passkey", "code"],
            )
            phone = Phone(door, browser, Authenticator(str(door.url).rstrip("/"), "127.0.0.1"))
            assert (await phone.register(code=await code_for(door))).status == 201
            assert (await phone.sign_in()).json["role"] == "member"
            claims = door.tokens.verify(browser.token, door.clock.wall_s())
            await door.log_in.signing_in.require_factor(claims, Role.INSTRUCTOR)


class TestTheFirstAdministrator:
    @staticmethod
    def link(door: Door) -> str:
        return door.tokens.sign_link(links.SETUP, "first-administrator", door.clock.wall_s(), 600)

    async def test_makes_his_account_by_the_link_of_the_first_start(
        self, door: Door, browser: Browser
    ) -> None:
        body = {"token": self.link(door), "name": "赵管理", "sign_in_name": "admin.zhao", "password": "weak"}
        weak = await browser.send("POST", "/setup", body)
        assert weak.code == "password_weak"  # and the link is still good
        reply = await browser.send("POST", "/setup", {**body, "password": PASSWORD})
        assert (reply.status, reply.json["role"], reply.json["method"]) == (200, "admin", "setup")
        again = await browser.send("POST", "/setup", {**body, "sign_in_name": "x", "password": PASSWORD})
        assert (again.status, again.code) == (410, "setup_used")
        assert (await browser.sign_in("admin.zhao")).json["role"] == "admin"
        assert (await browser.send("GET", "/accounts")).status == 200

    async def test_steps_back_once_the_three_have_their_accounts(self, door: Door, browser: Browser) -> None:
        await door.log_in.accounts.first("chief", "赵管理", PASSWORD)
        for role in (Role.SYSTEM, Role.SECURITY, Role.AUDIT):
            assert (await browser.sign_in("chief")).json["role"] == "admin"
            await door.account(role.value, role, person=role.value)
        reply = await browser.sign_in("chief")
        assert (reply.json["role"], reply.json["needs"]) == ("member", ["separate"])

    async def test_may_still_be_a_program_that_wants_a_token(self, door: Door, browser: Browser) -> None:
        reply = await browser.send("POST", "/setup", {"token": self.link(door), "name": "赵管理"})
        assert set(reply.json) == {"token"}
        assert door.tokens.verify(reply.json["token"], door.clock.wall_s()).role is Role.ADMIN
