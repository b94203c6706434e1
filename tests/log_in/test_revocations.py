"""Access that is taken back at once: by signing out, by a password, by administrators."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from liveserver.bus import MemoryBus
from liveserver.core.errors import PeerError
from liveserver.core.log_in import Method
from liveserver.core.permissions import Role
from liveserver.core.revocation import Revoked
from liveserver.log_in.accounts import Accounts
from liveserver.revocations import Revocations, Why
from liveserver.store.accounts import Account, StayRow
from tests.log_in.door import PASSWORD, Browser, Door
from tests.log_in.door import door as opened


def entered(door: Door, person: str = "p1", stay: str = "") -> str:
    """A token for a lesson, as entering one gives it."""
    return door.tokens.issue(
        person=person, name="N", role=Role.LEARNER, lesson="l1", now_s=door.clock.wall_s(), ttl_s=43_200,
        stay=stay,
    )  # fmt: skip


def stay_of(door: Door, browser: Browser) -> str:
    return door.tokens.verify(browser.token, door.clock.wall_s()).stay


def good(door: Door, token: str) -> bool:
    try:
        door.tokens.verify(token, door.clock.wall_s())
    except PeerError as refused:
        assert refused.code == "session_ended"
        return False
    return True


async def whys(door: Door) -> list[Any]:
    return [fact.data["why"] for fact in await door.facts("access_revoked")]


class TestSigningOut:
    async def test_takes_back_what_was_entered_with_that_stay_alone(self, door: Door) -> None:
        await door.account()
        async with door.browser() as here, door.browser() as there:
            await here.sign_in()
            await there.sign_in()
            mine, other = (entered(door, stay=stay_of(door, one)) for one in (here, there))
            assert (await here.send("DELETE", "/session")).status == 204
            assert (good(door, mine), good(door, other)) == (False, True)
            assert not good(door, here.token)
            assert (await here.send("GET", "/session/stays")).code == "session_ended"
        assert await whys(door) == ["signed_out"]

    async def test_everywhere_takes_back_everything_there_is(self, door: Door) -> None:
        await door.account()
        async with door.browser() as here, door.browser() as there:
            await here.sign_in()
            await there.sign_in()
            given = [entered(door), entered(door, stay=stay_of(door, there)), there.token, here.token]
            assert (await here.send("DELETE", "/session/stays")).status == 204
            assert [good(door, token) for token in given] == [False] * 4
            assert here.handle == ""
            assert (await there.refresh()).code == "signed_out"
            assert (await here.sign_in()).status == 200
            assert good(door, here.token) and good(door, entered(door)), "in the same second"

    async def test_of_one_stay_from_elsewhere_ends_its_lesson(self, door: Door) -> None:
        await door.account()
        async with door.browser() as here, door.browser() as lost:
            await here.sign_in()
            await lost.sign_in()
            stay = stay_of(door, lost)
            token = entered(door, stay=stay)
            assert (await here.send("DELETE", f"/session/stays/{stay}")).status == 204
            assert not good(door, token)

    async def test_in_to_another_account_ends_the_lesson_of_who_was_there(self, door: Door) -> None:
        await door.account()
        await door.account("other", person="p2")
        async with door.browser() as browser:
            await browser.sign_in()
            token = entered(door, stay=stay_of(door, browser))
            await browser.sign_in()
            assert good(door, token), "the same person anew"
            stay = stay_of(door, browser)
            await browser.sign_in("other")
            assert not good(door, entered(door, stay=stay))

    async def test_a_stay_that_is_only_idle_leaves_the_lesson_alone(
        self, door: Door, browser: Browser
    ) -> None:
        await door.account()
        await browser.sign_in()
        token = entered(door, stay=stay_of(door, browser))
        door.clock.pass_minutes(31)
        assert (await browser.refresh()).code == "signed_out"
        assert good(door, token)


class TestWhoComesInAtThatMoment:
    """What was looked up before access was taken back gives none after it."""

    async def test_by_the_old_password_does_not_stay(
        self, door: Door, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await door.account()
        begin, accounts = door.store.accounts.begin, door.log_in.accounts

        async def later(row: StayRow) -> None:
            await accounts.change_password(await accounts.known("p1"), "焊接-Lesson-8", spared="")
            await begin(row)

        with monkeypatch.context() as patched:
            patched.setattr(door.store.accounts, "begin", later)
            reply = await browser.sign_in()
        assert (reply.status, reply.code, browser.handle) == (401, "sign_in_refused", "")
        assert [row.ended for row in await door.store.accounts.stays_of("p1")] == ["closed"]
        assert (await browser.sign_in(password="焊接-Lesson-8")).status == 200

    async def test_as_what_he_was_does_not_stay_as_what_he_becomes(
        self, door: Door, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By a passkey of a learner's, which went when he was given a role."""
        await door.account()
        begin, accounts = door.store.accounts.begin, door.log_in.accounts
        boss = door.tokens.verify(door.staff(Role.SECURITY), door.clock.wall_s())

        async def later(row: StayRow) -> None:
            await accounts.grant("p1", Role.MODERATOR, boss)
            await begin(replace(row, method=Method.PASSKEY))

        monkeypatch.setattr(door.store.accounts, "begin", later)
        assert (await browser.sign_in()).code == "sign_in_refused"
        assert [row.ended for row in await door.store.accounts.stays_of("p1")] == ["closed"]

    async def test_by_the_cookie_gets_nothing_good(
        self, door: Door, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await door.account()
        await browser.sign_in()
        known = door.store.accounts.account

        async def later(person: str) -> Account | None:
            with monkeypatch.context() as again:
                again.setattr(door.store.accounts, "account", known)
                await door.log_in.accounts.sign_out_everywhere("p1", "boss")
            return await known(person)

        monkeypatch.setattr(door.store.accounts, "account", later)
        reply = await browser.refresh()
        assert reply.status == 401 or not good(door, reply.json["token"])

    async def test_into_a_lesson_gets_nothing_good(self, door: Door) -> None:
        now_s = door.clock.wall_s()
        dated_s = door.tokens.revoked.dated("p1", now_s)
        await _revocations(door).person("p1", Why.LEFT_CLASS, "boss", training_class="c1")
        late, again = (
            door.tokens.issue(
                person="p1", name="N", role=Role.LEARNER, lesson="l1", now_s=now_s, ttl_s=60,
                training_class="c1", dated_s=dated,
            )
            for dated in (dated_s, None)
        )  # fmt: skip
        assert (good(door, late), good(door, again)) == (False, True)


class TestAPassword:
    async def test_that_is_changed_leaves_this_browser_and_no_other(self, door: Door) -> None:
        await door.account()
        async with door.browser() as here, door.browser() as there:
            await here.sign_in()
            await there.sign_in()
            mine, others = entered(door, stay=stay_of(door, here)), [entered(door), there.token]
            body = {"old": PASSWORD, "new": "焊接-Lesson-8"}
            assert (await here.send("PUT", "/session/password", body)).status == 204
            assert good(door, mine) and good(door, here.token)
            assert not any(good(door, token) for token in others)

    async def test_that_is_set_by_a_link_leaves_none(self, door: Door, browser: Browser) -> None:
        await door.account()
        token = entered(door)
        door.clock.pass_minutes(1)
        made = await door.log_in.accounts.link(
            "p1", door.tokens.verify(door.staff(Role.ADMIN), door.clock.wall_s())
        )
        await browser.send("POST", "/session/password", {"link": made, "password": "焊接-Lesson-9"})
        assert not good(door, token)
        assert await whys(door) == ["password_changed"], "not of the one the account began with"


class TestAnAdministrator:
    async def test_who_closes_an_account_ends_what_it_opened(self, door: Door, browser: Browser) -> None:
        await door.account()
        token = entered(door)
        browser.token = door.staff(Role.SYSTEM)
        assert (await browser.send("PUT", "/accounts/p1", {"closed": True})).status == 200
        assert not good(door, token)

    async def test_who_gives_another_role_ends_the_one_before(self, door: Door, browser: Browser) -> None:
        await door.account(role=Role.MODERATOR)
        async with door.browser() as moderator:
            await moderator.sign_in()
            browser.token = door.staff(Role.SECURITY)
            assert (await browser.send("PUT", "/accounts/p1/role", {"role": None})).status == 200
            assert not good(door, moderator.token)

    async def test_takes_back_the_links_of_somebody_without_an_account(
        self, door: Door, browser: Browser
    ) -> None:
        given, others = entered(door, "a1b2"), entered(door, "c3d4")
        browser.token = door.staff(Role.SECURITY)
        reply = await browser.send("POST", "/revocations", {"person": "a1b2"})
        assert (reply.status, reply.json) == (200, {"person": "a1b2", "token": None})
        assert (good(door, given), good(door, others)) == (False, True)
        (fact,) = await door.facts("access_revoked")
        assert fact.data == {"of": "person", "id": "a1b2", "why": "by_administrator", "by": "boss"}

    @pytest.mark.parametrize("whole", [True, False])
    async def test_takes_back_one_token_by_itself_or_by_its_id(
        self, door: Door, browser: Browser, whole: bool
    ) -> None:
        given, other = entered(door), entered(door)
        token_id = door.tokens.verify(given, door.clock.wall_s()).token_id
        browser.token = door.staff(Role.SECURITY)
        reply = await browser.send("POST", "/revocations", {"token": given if whole else token_id})
        assert (reply.status, reply.json["token"]) == (200, token_id)
        assert (good(door, given), good(door, other)) == (False, True)

    async def test_is_not_told_to_sign_in_again_for_a_token_that_is_void_or_none(
        self, door: Door, browser: Browser
    ) -> None:
        given = entered(door)
        browser.token = door.staff(Role.SECURITY)
        for _ in range(2):
            assert (await browser.send("POST", "/revocations", {"token": given})).status == 200
        wrong = await browser.send("POST", "/revocations", {"token": "a.b.c"})
        assert (wrong.status, wrong.code) == (400, "bad_request")

    @pytest.mark.parametrize("body", [{}, {"person": "a", "token": "b"}])
    async def test_says_whose(self, door: Door, browser: Browser, body: dict[str, str]) -> None:
        browser.token = door.staff(Role.ADMIN)
        assert (await browser.send("POST", "/revocations", body)).code == "bad_request"

    @pytest.mark.parametrize("role", [Role.SYSTEM, Role.AUDIT, Role.MODERATOR])
    async def test_of_another_duty_takes_nothing_back(self, door: Door, browser: Browser, role: Role) -> None:
        browser.token = door.staff(role)
        assert (await browser.send("POST", "/revocations", {"person": "p1"})).code == "forbidden"


class TestWhatWasTakenBack:
    async def test_stays_so_after_a_restart(self, tmp_path: Path) -> None:
        async with opened(tmp_path) as door:
            token = entered(door)
            await _revocations(door).person("p1", Why.BY_ADMINISTRATOR, "boss")
        async with opened(tmp_path) as door:
            assert not good(door, token)

    async def test_is_known_to_a_node_the_bus_did_not_reach(self, door: Door) -> None:
        elsewhere = Revoked()
        other = Revocations(
            elsewhere, door.store, MemoryBus(), cast(Any, door.clock), 86_400_000, shared=True
        )
        await other.start()
        claims = door.tokens.verify(entered(door), door.clock.wall_s())
        await _revocations(door).person("p1", Why.BY_ADMINISTRATOR, "boss")
        assert not elsewhere.voids(claims)
        await other._read(door.clock.wall_ms())
        assert elsewhere.voids(claims)
        await other.stop()

    async def test_is_known_at_once_to_a_node_on_the_same_bus(self, door: Door) -> None:
        bus, sets = MemoryBus(), (Revoked(), Revoked())
        here, there = (
            Revocations(one, door.store, bus, cast(Any, door.clock), 86_400_000, shared=True) for one in sets
        )
        heard = asyncio.Event()
        there.listen(heard.set)
        await here.start()
        await there.start()
        claims = door.tokens.verify(entered(door), door.clock.wall_s())
        await here.person("p1", Why.BY_ADMINISTRATOR, "boss")
        await asyncio.wait_for(heard.wait(), 5)
        assert sets[1].voids(claims)
        for one in (here, there):
            await one.stop()

    async def test_beyond_what_is_known_is_void_after_a_restart_too(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("liveserver.revocations.MOST", 16)
        claims = []
        for number in range(17):
            claims.append(door.tokens.verify(entered(door, stay=f"s{number}"), door.clock.wall_s()))
            await _revocations(door).stay(f"s{number}", "p1", Why.SIGNED_OUT)
            door.clock.pass_minutes(1)
        again = Revoked(most=16)
        started = Revocations(again, door.store, MemoryBus(), cast(Any, door.clock), 86_400_000)
        await started.start()
        assert all(map(again.voids, claims))
        await started.stop()

    async def test_is_told_once_for_many(self, door: Door) -> None:
        told: list[int] = []
        _revocations(door).listen(lambda: told.append(1))
        accounts: Accounts = door.log_in.accounts
        await accounts.sign_out_everywhere("p1", "p1")
        assert told == [1]


def _revocations(door: Door) -> Revocations:
    return door.log_in.revocations
