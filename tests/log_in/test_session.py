"""Signing in by password, staying signed in, signing out: over HTTP, against a real store."""

from __future__ import annotations

import asyncio
import io
import statistics
import time
from dataclasses import replace
from pathlib import Path

import pytest

from liveserver import log
from liveserver.config import Config
from liveserver.config.sections import HttpConfig
from liveserver.config.units import LogLevel
from liveserver.core.permissions import Role
from tests.log_in.door import COOKIE, NAME, PASSWORD, Browser, Door
from tests.log_in.door import door as opened


class TestSigningIn:
    async def test_gives_a_short_token_and_a_handle_no_script_can_read(
        self, door: Door, browser: Browser
    ) -> None:
        person = await door.account()
        reply = await browser.sign_in("  ZHAO.LI ")
        assert reply.status == 200
        assert {key: reply.json[key] for key in ("person", "name", "role", "needs", "method")} == {
            "person": person, "name": "赵丽", "role": "member", "needs": [], "method": "password",
        }  # fmt: skip
        cookie = reply.cookies[COOKIE]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/api/v1/session")
        assert cookie["secure"] == ""  # this server has no TLS; the next test's has
        claims = door.tokens.verify(reply.json["token"], door.clock.wall_s())
        assert (claims.person, claims.role, claims.lesson) == (person, Role.MEMBER, "")
        assert claims.expires_at_s == door.clock.wall_s() + 600
        assert reply.headers["Cache-Control"] == "no-store"

    async def test_over_tls_the_cookie_comes_and_goes_by_tls_alone(self, tmp_path: Path) -> None:
        async with opened(tmp_path, http=HttpConfig(base_url="https://class.example")) as door:
            await door.account()
            async with door.browser("https://class.example") as browser:
                reply = await browser.sign_in()
                (name,) = reply.cookies
                assert (name, reply.cookies[name]["secure"]) == ("__Secure-lectern_session", True)

    @pytest.mark.parametrize(
        ("name", "password"), [("nobody", PASSWORD), (NAME, "wrong-Word-7"), ("a b", PASSWORD), (NAME, "x")]
    )
    async def test_whatever_is_wrong_the_answer_is_the_same(
        self, door: Door, browser: Browser, name: str, password: str
    ) -> None:
        await door.account()
        reply = await browser.sign_in(name, password)
        assert (reply.status, reply.code) == (401, "sign_in_refused")
        assert reply.json["detail"] == "the name or the proof of it is wrong"
        assert not reply.cookies

    async def test_of_a_closed_account_is_the_same_as_of_none(self, door: Door, browser: Browser) -> None:
        person = await door.account()
        await door.store.accounts.change(person, closed_at_ms=1)
        assert (await browser.sign_in()).code == "sign_in_refused"

    async def test_does_the_same_work_for_a_name_nobody_has(self, door: Door) -> None:
        """CPU time, by the median of a few: what a stranger could measure is far noisier."""
        await door.account()
        fits = door.log_in.signing_in.proving._passwords.fits
        account = await door.store.accounts.named("zhao.li")
        assert account is not None

        async def spent(stored: str) -> float:
            before = time.process_time()
            await fits(stored, "wrong-Word-7")
            return time.process_time() - before

        known = statistics.median([await spent(account.password) for _ in range(7)])
        unknown = statistics.median([await spent("") for _ in range(7)])
        assert 0.5 < unknown / known < 2

    async def test_writes_no_secret_anywhere(self, door: Door, browser: Browser) -> None:
        written = io.StringIO()
        log.set_up(LogLevel.DEBUG, "test", written)
        await door.account()
        await browser.sign_in()
        handle, token = browser.handle, browser.token
        for _ in range(7):
            await browser.sign_in(NAME, "hunter2-Hunter2")
        said = written.getvalue() + str([dict(entry.data) for entry in await door.store.entries(limit=1000)])
        kept = (door.services.config.data_dir / "store.db").read_bytes()
        kept += (door.services.config.data_dir / "store.db-wal").read_bytes()
        assert "sign_in.locked" in said
        secrets = (PASSWORD, "hunter2", handle, handle.partition(".")[2], token)
        for secret in secrets:
            assert secret not in said
            assert secret.encode() not in kept
        for entry in await door.facts("signed_in", "sign_in_locked", "account_made"):
            assert "zhao.li" not in str(entry.data).casefold()


class TestGuessing:
    async def test_six_wrong_passwords_lock_the_name_for_a_while(self, door: Door, browser: Browser) -> None:
        await door.account()
        codes = [(await browser.sign_in(NAME, f"wrong-Word-{n}")).code for n in range(6)]
        assert codes == ["sign_in_refused"] * 5 + ["too_many_attempts"]
        locked = await browser.sign_in()
        assert (locked.status, locked.code, locked.headers["Retry-After"]) == (
            429,
            "too_many_attempts",
            "900",
        )
        assert len(await door.facts("sign_in_locked")) == 1
        door.clock.pass_minutes(15)
        assert (await browser.sign_in()).status == 200

    async def test_a_lock_outlives_a_restart(self, tmp_path: Path) -> None:
        async with opened(tmp_path) as door, door.browser() as browser:
            await door.account()
            for _ in range(6):
                await browser.sign_in(NAME, "wrong-Word-7")
        async with opened(tmp_path) as door, door.browser() as browser:
            assert (await browser.sign_in()).code == "too_many_attempts"

    async def test_side_by_side_is_no_more_than_one_after_the_other(self, door: Door) -> None:
        await door.account()
        async with door.browser() as browser:
            replies = await asyncio.gather(*(browser.sign_in(NAME, "wrong-Word-7") for _ in range(20)))
        assert sorted(reply.code for reply in replies) == ["sign_in_refused"] * 5 + ["too_many_attempts"] * 15

    async def test_a_name_nobody_has_is_locked_alike(self, door: Door, browser: Browser) -> None:
        codes = [(await browser.sign_in("nobody", "wrong-Word-7")).code for _ in range(7)]
        assert codes == ["sign_in_refused"] * 5 + ["too_many_attempts"] * 2

    async def test_over_many_names_is_stopped_by_the_address(self, door: Door, browser: Browser) -> None:
        await door.account()
        codes = [(await browser.sign_in(f"name{n}", "wrong-Word-7")).code for n in range(61)]
        assert codes[:60] == ["sign_in_refused"] * 60
        assert codes[60] == "too_many_attempts"
        assert (await browser.sign_in()).code == "too_many_attempts"
        browser.address = "203.0.113.8"
        assert (await browser.sign_in()).status == 200

    async def test_a_forged_address_before_the_proxys_own_word_does_not_help(
        self, door: Door, browser: Browser
    ) -> None:
        for number in range(61):
            browser.address = f"10.0.0.{number}, 203.0.113.7"
            reply = await browser.sign_in(f"name{number}", "wrong-Word-7")
        assert reply.code == "too_many_attempts"

    async def test_what_a_client_says_of_its_address_is_not_believed(self, tmp_path: Path) -> None:
        async with opened(tmp_path, proxied=False) as door, door.browser() as browser:
            for number in range(61):
                browser.address = f"203.0.113.{number}"
                reply = await browser.sign_in(f"name{number}", "wrong-Word-7")
            assert reply.code == "too_many_attempts"

    async def test_a_household_of_ipv6_is_one_address(self, door: Door, browser: Browser) -> None:
        for number in range(61):
            browser.address = f"2001:db8:7:1::{number:x}"
            reply = await browser.sign_in(f"name{number}", "wrong-Word-7")
        assert reply.code == "too_many_attempts"
        browser.address = "2001:db8:7:2::1"
        assert (await browser.sign_in("name99", "wrong-Word-7")).code == "sign_in_refused"

    async def test_a_class_behind_one_address_signs_in(self, door: Door, browser: Browser) -> None:
        await door.account()
        for _ in range(70):
            assert (await browser.sign_in()).status == 200


class TestStayingSignedIn:
    async def test_gives_the_next_token_and_the_next_handle(self, door: Door, browser: Browser) -> None:
        await door.account()
        await browser.sign_in()
        first = browser.handle
        door.clock.pass_minutes(9)
        assert (await browser.refresh()).status == 200
        assert browser.handle not in ("", first)

    async def test_half_an_hour_idle_is_signed_out(self, door: Door, browser: Browser) -> None:
        await door.account()
        await browser.sign_in()
        door.clock.pass_minutes(29)
        assert (await browser.refresh()).status == 200
        door.clock.pass_minutes(31)
        reply = await browser.refresh()
        assert (reply.status, reply.code) == (401, "signed_out")
        assert [fact.data["why"] for fact in await door.facts("signed_out")] == ["idle"]

    async def test_twelve_hours_are_the_most(self, door: Door, browser: Browser) -> None:
        await door.account()
        await browser.sign_in()
        for _ in range(36):
            door.clock.pass_minutes(20)
            reply = await browser.refresh()
        assert reply.code == "signed_out"

    async def test_a_copied_handle_ends_the_stay_for_both(self, door: Door, browser: Browser) -> None:
        await door.account()
        await browser.sign_in()
        copy = browser.handle
        door.clock.pass_minutes(5)
        await browser.refresh()
        door.clock.pass_minutes(1)
        async with door.browser() as thief:
            thief.keep(copy)
            assert (await thief.refresh()).code == "signed_out"
        assert (await browser.refresh()).code == "signed_out"
        assert [fact.data["why"] for fact in await door.facts("signed_out")] == ["copied"]

    async def test_two_tabs_may_ask_in_one_moment(self, door: Door, browser: Browser) -> None:
        await door.account()
        await browser.sign_in()
        same = browser.handle
        first = await browser.refresh()
        newest = browser.handle
        browser.keep(same)
        second = await browser.refresh()
        assert (first.status, second.status) == (200, 200)
        assert COOKIE not in second.cookies  # what the first tab was given stays the newest
        browser.keep(newest)
        door.clock.pass_minutes(5)
        assert (await browser.refresh()).status == 200

    @pytest.mark.parametrize("handle", ["", "x", "x.y", ".", "nothing.here.at.all", "é.x"])
    async def test_a_handle_that_is_none_is_refused(self, door: Door, browser: Browser, handle: str) -> None:
        if handle:
            reply = await browser.send("POST", "/session/refresh", Cookie=f"{COOKIE}={handle}")
        else:
            reply = await browser.send("POST", "/session/refresh")
        assert (reply.status, reply.code) == (401, "signed_out")


class TestSigningOut:
    async def test_ends_the_stay_and_drops_the_cookie(self, door: Door, browser: Browser) -> None:
        await door.account()
        await browser.sign_in()
        handle = browser.handle
        assert (await browser.send("DELETE", "/session")).status == 204
        assert browser.handle == ""
        browser.keep(handle)
        assert (await browser.refresh()).code == "signed_out"
        assert (await browser.send("DELETE", "/session")).status == 204  # again is no error

    async def test_one_stay_of_many_is_seen_and_ended(self, door: Door, browser: Browser) -> None:
        await door.account()
        async with door.browser() as phone:
            await phone.sign_in()
            await browser.sign_in()
            listed = (await browser.send("GET", "/session/stays")).json["items"]
            assert [(stay["this"], stay["ended"]) for stay in listed].count((True, None)) == 1
            (other,) = [stay for stay in listed if not stay["this"]]
            assert (await browser.send("DELETE", f"/session/stays/{other['id']}")).status == 204
            assert (await phone.refresh()).code == "signed_out"
        assert (await browser.refresh()).status == 200

    async def test_nobody_ends_anothers(self, door: Door, browser: Browser) -> None:
        await door.account()
        await door.account("other", person="p2")
        async with door.browser() as other:
            await other.sign_in("other")
            await browser.sign_in()
            (stay,) = (await other.send("GET", "/session/stays")).json["items"]
            assert (await browser.send("DELETE", f"/session/stays/{stay['id']}")).status == 404
            assert (await other.refresh()).status == 200


class TestFixation:
    async def test_a_handle_put_into_the_browser_before_is_none_after(
        self, door: Door, browser: Browser
    ) -> None:
        await door.account()
        await door.account("mallory", person="p2")
        async with door.browser() as mallory:
            await mallory.sign_in("mallory")
            planted = mallory.handle
            browser.keep(planted)
            await browser.sign_in()
            assert browser.handle != planted
            reply = await mallory.refresh()
            assert reply.code == "signed_out"  # the planted stay is over, and was never anybody else's
        assert (await browser.refresh()).json["person"] == "p1"


class TestAnotherSitesPage:
    """CSRF: besides SameSite=Strict, which is the browser's, the server looks at where the page is from."""

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/session"),
            ("POST", "/session/refresh"),
            ("DELETE", "/session"),
            ("POST", "/session/password"),
            ("POST", "/setup"),
        ],
    )
    async def test_is_refused_by_its_origin(self, door: Door, method: str, path: str) -> None:
        await door.account()
        bodies = {
            "/session": {"name": NAME, "password": PASSWORD},
            "/session/password": {"link": "x", "password": PASSWORD},
            "/setup": {"token": "x", "name": "x"},
        }
        for origin in ("https://evil.example", "null", f"{door.url.scheme}://{door.url.host}:1"):
            async with door.browser(origin) as browser:
                reply = await browser.send(method, path, bodies.get(path))
                assert (reply.status, reply.code) == (403, "cross_site")
        async with door.browser(None) as browser:
            reply = await browser.send(method, path, bodies.get(path), **{"Sec-Fetch-Site": "cross-site"})
            assert (reply.status, reply.code) == (403, "cross_site")

    async def test_cannot_sign_in_by_a_form(self, door: Door, browser: Browser) -> None:
        await door.account()
        reply = await browser.send("POST", "/session", None, **{"Content-Type": "text/plain"})
        assert reply.status in (400, 415)

    async def test_reads_no_answer(self, door: Door, browser: Browser) -> None:
        await door.account()
        reply = await browser.sign_in()
        assert not [name for name in reply.headers if name.startswith("Access-Control")]


class TestOnesOwnPassword:
    async def test_is_changed_with_the_old_one_and_ends_the_other_stays(
        self, door: Door, browser: Browser
    ) -> None:
        await door.account()
        async with door.browser() as other:
            await other.sign_in()
            await browser.sign_in()
            wrong = await browser.send("PUT", "/session/password", {"old": "x", "new": "Another-Word-8"})
            assert (wrong.status, wrong.code) == (401, "sign_in_refused")
            weak = await browser.send("PUT", "/session/password", {"old": PASSWORD, "new": "zhao.li-AAA-111"})
            assert (weak.status, weak.code, weak.json["detail"]) == (422, "password_weak", "named")
            body = {"old": PASSWORD, "new": "Another-Word-8"}
            assert (await browser.send("PUT", "/session/password", body)).status == 204
            assert (await other.refresh()).code == "signed_out"
        assert (await browser.refresh()).status == 200
        assert (await browser.sign_in(NAME, PASSWORD)).code == "sign_in_refused"
        assert (await browser.sign_in(NAME, "Another-Word-8")).status == 200

    async def test_cannot_be_guessed_there_either(self, door: Door, browser: Browser) -> None:
        await door.account()
        await browser.sign_in()
        body = {"old": "wrong-Word-7", "new": "Another-Word-8"}
        codes = [(await browser.send("PUT", "/session/password", body)).code for _ in range(6)]
        assert codes[5] == "too_many_attempts"


class TestAnOldPassword:
    async def test_keeps_the_role_back_until_it_is_changed(self, tmp_path: Path) -> None:
        from liveserver.config.sections import AccountsConfig
        from liveserver.config.units import Duration

        rule = replace(AccountsConfig(), password_age=Duration.parse("90d"))
        async with opened(tmp_path, accounts=rule) as door, door.browser() as browser:
            await door.account(role=Role.SYSTEM)
            door.clock.pass_minutes(90 * 24 * 60)
            reply = await browser.sign_in()
            assert (reply.json["role"], reply.json["needs"]) == ("member", ["password"])
            body = {"old": PASSWORD, "new": "Another-Word-8"}
            assert (await browser.send("PUT", "/session/password", body)).status == 204
            assert (await browser.refresh()).json["role"] == "system"


def test_the_defaults_are_those_of_the_classified_protection() -> None:
    config = Config()
    assert (config.accounts.attempts, config.sessions.idle.s) == (5, 30 * 60)
