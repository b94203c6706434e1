"""Passkeys: bound to a challenge, a host and a page, verified each time, and no copy of them passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from liveserver.log_in.passkeys import Party
from liveserver.store.accounts import Account, Passkey
from tests.log_in.authenticator import PRESENT, Authenticator
from tests.log_in.door import Browser, Door, Reply
from tests.log_in.door import door as opened

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@dataclass(slots=True)
class Phone:
    """A browser with its authenticator."""

    door: Door
    browser: Browser
    authenticator: Authenticator

    async def register(self, label: str = "手机", code: str | None = None) -> Reply:
        given = {} if code is None else {"code": code}
        asked = await self.browser.send("POST", "/session/passkeys/options", given)
        if asked.status != 200:
            return asked
        credential = self.authenticator.create(asked.json["public_key"])
        body = {"ticket": asked.json["ticket"], "label": label, "credential": credential, **given}
        return await self.browser.send("POST", "/session/passkeys", body)

    async def asked(self) -> dict[str, Any]:
        reply = await self.browser.send("POST", "/session/passkey/options")
        assert reply.status == 200
        return reply.json

    async def answer(self, asked: dict[str, Any], credential: Any = None) -> Reply:
        credential = credential or self.authenticator.get(asked["public_key"])
        body = {"ticket": asked["ticket"], "credential": credential}
        reply = await self.browser.send("POST", "/session/passkey", body)
        self.browser.token = reply.json.get("token", "")
        return reply

    async def sign_in(self) -> Reply:
        return await self.answer(await self.asked())


@pytest.fixture
async def phone(door: Door, browser: Browser) -> AsyncIterator[Phone]:
    """One whose passkey is registered, and who has signed out."""
    await door.account(role=Role.SYSTEM)
    await browser.sign_in()
    made = Phone(door, browser, Authenticator(str(door.url).rstrip("/"), "127.0.0.1"))
    assert (await made.register()).status == 201
    await browser.send("DELETE", "/session")
    browser.token = ""
    yield made


class TestSigningIn:
    async def test_gives_the_session_with_the_role_and_says_how(self, phone: Phone) -> None:
        reply = await phone.sign_in()
        assert (reply.status, reply.json["role"], reply.json["method"]) == (200, "system", "passkey")
        assert reply.cookies["lectern_session"]["httponly"]
        (passkey,) = (await phone.browser.send("GET", "/session/passkeys")).json["items"]
        assert (passkey["label"], passkey["used_at"] is not None) == ("手机", True)

    async def test_by_password_alone_has_no_role_any_more(self, phone: Phone) -> None:
        reply = await phone.browser.sign_in()
        assert (reply.json["role"], reply.json["needs"]) == ("registering", ["passkey"])

    async def test_asks_for_verification_and_names_no_account(self, phone: Phone) -> None:
        options = (await phone.asked())["public_key"]
        assert options["userVerification"] == "required"
        assert not options.get("allowCredentials")
        assert options["rpId"] == "127.0.0.1"

    async def test_works_once_with_one_challenge(self, phone: Phone) -> None:
        asked = await phone.asked()
        credential = phone.authenticator.get(asked["public_key"])
        assert (await phone.answer(asked, credential)).status == 200
        assert (await phone.answer(asked, credential)).status == 401
        assert (await phone.answer(await phone.asked(), credential)).code == "sign_in_refused"

    async def test_is_over_after_five_minutes(self, phone: Phone) -> None:
        asked = await phone.asked()
        phone.door.clock.pass_minutes(7)
        assert (await phone.answer(asked)).code == "token_expired"

    async def test_for_another_page_or_host_is_refused(self, phone: Phone) -> None:
        phone.authenticator.origin = "https://evil.example"
        assert (await phone.sign_in()).code == "sign_in_refused"
        phone.authenticator.origin = str(phone.door.url).rstrip("/")
        phone.authenticator.rp_id = "evil.example"
        assert (await phone.sign_in()).code == "sign_in_refused"

    async def test_without_verification_of_the_person_is_refused(self, phone: Phone) -> None:
        phone.authenticator.flags = PRESENT
        assert (await phone.sign_in()).code == "sign_in_refused"

    async def test_with_a_passkey_nobody_registered_is_refused_alike(self, phone: Phone) -> None:
        stranger = Phone(
            phone.door, phone.browser, Authenticator(phone.authenticator.origin, phone.authenticator.rp_id)
        )
        assert (await stranger.sign_in()).code == "sign_in_refused"

    async def test_to_a_closed_account_is_refused_alike(self, phone: Phone) -> None:
        await phone.door.store.accounts.change("p1", closed_at_ms=1)
        assert (await phone.sign_in()).code == "sign_in_refused"

    async def test_is_bounded_by_the_address_as_passwords_are(self, phone: Phone) -> None:
        phone.authenticator.flags = PRESENT
        codes = [(await phone.sign_in()).code for _ in range(61)]
        assert codes[60] == "too_many_attempts"


class TestTheCounter:
    async def test_goes_on(self, phone: Phone) -> None:
        assert [(await phone.sign_in()).status for _ in range(3)] == [200, 200, 200]

    async def test_that_does_not_is_a_copys_and_is_said(self, phone: Phone) -> None:
        phone.authenticator.count = 9
        assert (await phone.sign_in()).status == 200
        phone.authenticator.count = 3
        assert (await phone.sign_in()).code == "sign_in_refused"
        assert [fact.data["person"] for fact in await phone.door.facts("passkey_copied")] == ["p1"]

    async def test_of_authenticators_that_have_none_stays_nought(self, phone: Phone) -> None:
        for _ in range(2):
            phone.authenticator.count = -1
            assert (await phone.sign_in()).status == 200

    async def test_of_two_at_one_moment_one_passes(self, phone: Phone) -> None:
        asked = [await phone.asked() for _ in range(4)]
        credentials = []
        for one in asked:
            phone.authenticator.count = 6
            credentials.append(phone.authenticator.get(one["public_key"]))
        replies = await asyncio.gather(
            *(phone.answer(one, credential) for one, credential in zip(asked, credentials, strict=True))
        )
        assert sorted(reply.status for reply in replies) == [200, 401, 401, 401]


class TestRegistering:
    async def test_needs_somebody_who_has_just_signed_in(self, phone: Phone) -> None:
        await phone.sign_in()
        other = Phone(phone.door, phone.browser, Authenticator(phone.authenticator.origin, "127.0.0.1"))
        assert (await other.register("电脑")).status == 201
        phone.door.clock.pass_minutes(15)
        await phone.browser.refresh()
        assert (await other.register()).code == "sign_in_again"

    async def test_a_token_without_its_cookie_is_not_enough(self, phone: Phone) -> None:
        await phone.sign_in()
        phone.browser.cookies.clear()
        assert (await phone.register()).code == "sign_in_again"

    async def test_a_password_does_not_add_a_second_to_the_first(self, phone: Phone) -> None:
        """Else who has the password alone would make himself the second factor."""
        await phone.browser.sign_in()
        assert (await phone.register()).code == "sign_in_again"
        (passkey,) = await phone.door.store.accounts.passkeys_of("p1")
        reply = await phone.browser.send("DELETE", f"/session/passkeys/{passkey.id}")
        assert reply.code == "forbidden"

    async def test_is_for_whoever_asked(self, phone: Phone) -> None:
        await phone.sign_in()
        asked = await phone.browser.send("POST", "/session/passkeys/options", {})
        await phone.door.account("other", person="p2")
        async with phone.door.browser() as browser:
            await browser.sign_in("other")
            other = Authenticator(phone.authenticator.origin, "127.0.0.1")
            body = {
                "ticket": asked.json["ticket"], "label": "x",
                "credential": other.create(asked.json["public_key"]),
            }  # fmt: skip
            assert (await browser.send("POST", "/session/passkeys", body)).code == "token_invalid"

    async def test_the_same_again_is_refused(self, phone: Phone) -> None:
        await phone.sign_in()
        assert (await phone.register()).code == "passkey_exists"

    async def test_one_may_be_taken_away_and_is_none_then(self, phone: Phone) -> None:
        await phone.sign_in()
        (passkey,) = await phone.door.store.accounts.passkeys_of("p1")
        assert (await phone.browser.send("DELETE", f"/session/passkeys/{passkey.id}")).status == 204
        assert (await phone.browser.send("DELETE", f"/session/passkeys/{passkey.id}")).status == 404
        assert (await phone.sign_in()).code == "sign_in_refused"
        kinds = [fact.type for fact in await phone.door.facts("passkey_added", "passkey_removed")]
        assert kinds == ["passkey_added", "passkey_removed"]

    async def test_the_authenticator_learns_nothing_about_the_person(self, phone: Phone) -> None:
        await phone.sign_in()
        asked = await phone.browser.send("POST", "/session/passkeys/options", {})
        assert "p1" not in asked.json["public_key"]["user"]["id"]
        assert len(asked.json["public_key"]["excludeCredentials"]) == 1


class TestWhateverComes:
    @given(credential=st.dictionaries(st.sampled_from(["id", "rawId", "type", "response"]), ANYTHING))
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_is_refused_and_nothing_worse(self, tmp_path: Path, credential: dict[str, Any]) -> None:
        async def run() -> None:
            async with opened(tmp_path) as door:
                await door.store.accounts.remove_passkeys("p1")
                await door.store.accounts.add_passkey(Passkey("known", "p1", b"\xa0", 0, "", 1), 9)
                if await door.store.accounts.account("p1") is None:
                    await door.store.accounts.add(Account("p1", "n", "n", 1))
                for sent in (credential, {**credential, "id": "known", "rawId": "known"}):
                    with pytest.raises(PeerError):
                        await door.log_in.passkeys._proved(Party("h", "http://h"), b"c" * 32, sent)

        asyncio.run(run())
