"""Signing in by an identity provider: against a real one, and by what its answer may be."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwk, jwt

from liveserver.config.sections import OidcConfig
from liveserver.core.errors import PeerError
from liveserver.core.oidc import Expected, endpoints, identity
from liveserver.core.permissions import Role
from tests.log_in.door import Browser, Door
from tests.log_in.door import door as opened

MODULES = Path(__file__).parents[1] / "node_modules"
NOW = 1_800_000_000
EXPECTED = Expected("https://id.example", "lectern", "n1", "preferred_username")
CLAIMS = {
    "iss": "https://id.example", "aud": "lectern", "sub": "u1", "nonce": "n1", "iat": NOW - 5,
    "exp": NOW + 60,
    "preferred_username": "zhao.li",
}  # fmt: skip


class TestAnIdToken:
    def test_says_whom_the_provider_vouches_for(self) -> None:
        found = identity(CLAIMS, EXPECTED, NOW)
        assert (found.subject, found.name) == ("u1", "zhao.li")
        assert identity({**CLAIMS, "aud": ["lectern", "x"], "azp": "lectern"}, EXPECTED, NOW) == found

    @pytest.mark.parametrize(
        ("changed", "what"),
        [
            ({"iss": "https://id.example/"}, "iss"),
            ({"iss": None}, "iss"),
            ({"aud": "other"}, "aud"),
            ({"aud": ["other"]}, "aud"),
            ({"aud": ["lectern", "other"]}, "aud"),
            ({"azp": "other"}, "azp"),
            ({"exp": NOW - 61}, "exp"),
            ({"exp": "soon"}, "exp"),
            ({"exp": True}, "exp"),
            ({"iat": NOW + 61}, "iat"),
            ({"iat": NOW - 661}, "iat"),
            ({"nonce": "n2"}, "nonce"),
            ({"nonce": None}, "nonce"),
            ({"sub": ""}, "sub"),
            ({"sub": "u" * 256}, "sub"),
            ({"sub": 7}, "sub"),
        ],
    )
    def test_that_is_wrong_in_one_place_is_refused(self, changed: dict[str, Any], what: str) -> None:
        with pytest.raises(PeerError, match=rf"oidc_refused: .*: {what}$"):
            identity({**CLAIMS, **changed}, EXPECTED, NOW)

    def test_an_address_nobody_verified_names_nobody(self) -> None:
        by_mail = replace(EXPECTED, claim="email")
        for verified, name in ((True, "z@example.cn"), (False, ""), ("true", ""), (None, "")):
            claims = {**CLAIMS, "email": "z@example.cn", "email_verified": verified}
            assert identity(claims, by_mail, NOW).name == name


METADATA = {"issuer": "https://id.example", "token_endpoint": "https://id.example/token"}


class TestAProvidersMetadata:
    def test_are_its_own_and_behind_tls(self) -> None:
        names = ("token_endpoint",)
        assert endpoints(METADATA, "https://id.example", names)
        for changed in (
            {"issuer": "https://evil.example"},
            {"token_endpoint": "http://id.example/token"},
            {"token_endpoint": "javascript:alert(1)"},
            {"token_endpoint": 7},
        ):
            with pytest.raises(PeerError, match="oidc_unavailable"):
                endpoints({**METADATA, **changed}, "https://id.example", names)
        with pytest.raises(PeerError, match="oidc_unavailable"):
            endpoints([], "https://id.example", names)


class Fields:
    """A form of the provider's page."""

    def __init__(self, page: str):
        self.action = re.search(r'action="([^"]+)"', page)[1]  # type: ignore[index]
        self.values = dict(re.findall(r'name="([^"]+)"[^>]*?value="([^"]*)"', page))


@dataclass(frozen=True, slots=True)
class Real:
    door: Door
    browser: Browser

    async def sign_in(self, name: str) -> str:
        """As a person does it; where he ends."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
            begun = await self.browser.send("GET", "/session/oidc")
            address = begun.headers["Location"]
            for _ in range(10):
                if urlsplit(address).port == self.door.url.port:
                    return await self.come_back(address)
                async with client.get(address, allow_redirects=False) as answer:
                    address = await self._next(client, answer, address, name)
        raise AssertionError("the provider sends nobody back")

    async def _next(self, client: Any, answer: Any, address: str, name: str) -> str:
        if answer.status in (302, 303):
            return urljoin(address, answer.headers["Location"])
        form = Fields(await answer.text())
        values = {**form.values, "login": name, "password": "any"}
        async with client.post(urljoin(address, form.action), data=values, allow_redirects=False) as posted:
            return urljoin(address, posted.headers["Location"])

    async def come_back(self, address: str) -> str:
        parts = urlsplit(address)
        reply = await self.browser.send("GET", f"{parts.path.removeprefix('/api/v1')}?{parts.query}")
        assert reply.status == 303, reply
        return str(reply.headers["Location"])


@pytest.fixture(params=["userinfo", "token"])
async def real(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Real]:
    """A door that asks a real provider, which has the claim in its userinfo or in the ID token."""
    node = shutil.which("node")
    if node is None or not (MODULES / "oidc-provider").is_dir():
        pytest.skip("node and tests/node_modules are needed (make test-tools)")
    environment = {**os.environ, "IN_TOKEN": "yes" if request.param == "token" else "no"}
    process = await asyncio.create_subprocess_exec(
        node,
        str(Path(__file__).with_name("provider.mjs")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdin is not None and process.stdout is not None
    issuer = (await process.stdout.readline()).decode().strip()
    config = OidcConfig(issuer, "lectern", "between-us", label="校园账号")
    try:
        async with opened(tmp_path, real_time=True, oidc=config) as door, door.browser() as browser:
            process.stdin.write(f"{door.url}api/v1/session/oidc/callback\n".encode())
            assert await process.stdout.readline() == b"ready\n"
            yield Real(door, browser)
    finally:
        process.stdin.close()
        await process.wait()


class TestARealProvider:
    async def test_signs_in_whom_the_claim_names_and_binds_him(self, real: Real) -> None:
        ways = await real.browser.send("GET", "/session/ways")
        assert ways.json == {"oidc": {"label": "校园账号", "url": "/api/v1/session/oidc"}, "known": False}
        person = await real.door.account()
        assert await real.sign_in("zhao.li") == "/#signed-in"
        reply = await real.browser.refresh()
        assert (reply.json["person"], reply.json["method"], reply.json["role"]) == (person, "oidc", "member")
        assert [fact.data["person"] for fact in await real.door.facts("oidc_bound")] == [person]
        await real.door.store.accounts.change(person, name="zhao.li.2")  # the subject is what counts now
        assert await real.sign_in("zhao.li") == "/#signed-in"

    async def test_makes_nobody_an_administrator(self, real: Real) -> None:
        await real.door.account(role=Role.SYSTEM)
        assert await real.sign_in("zhao.li") == "/#signed-in"
        reply = await real.browser.refresh()
        assert (reply.json["role"], reply.json["needs"]) == ("registering", ["passkey"])

    async def test_makes_no_account(self, real: Real) -> None:
        assert await real.sign_in("nobody") == "/#problem=oidc_unknown_person"
        assert (await real.browser.refresh()).code == "signed_out"

    async def test_an_account_bound_to_one_subject_is_not_anothers(self, real: Real) -> None:
        person = await real.door.account()
        await real.sign_in("zhao.li")
        await real.door.store.accounts.change(person, name="mallory")
        assert await real.sign_in("mallory") == "/#problem=oidc_unknown_person"


class Puppet:
    """A provider that answers what a test wants it to: keys and tokens are real."""

    def __init__(self) -> None:
        self.key = jwk.ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}, private=True)
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "ES256", "kid": "k1"}
        self.signing: Any = self.key
        self.keys_asked = 0
        self.keys: Any = {"keys": [self.key.as_dict(private=False)]}
        self.issuer = ""
        self.status = 200
        self.raw: str | None = None

    async def metadata(self, request: web.Request) -> web.Response:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        return web.json_response({"issuer": self.issuer, **{n: f"{self.issuer}/{n}" for n in names}})

    async def jwks(self, request: web.Request) -> web.Response:
        self.keys_asked += 1
        return web.json_response(self.keys)

    async def token(self, request: web.Request) -> web.Response:
        if self.raw is not None:
            return web.Response(text=self.raw, status=self.status)
        token = jwt.encode(self.header, self.claims, self.signing, algorithms=["ES256", "HS256", "none"])
        return web.json_response({"id_token": token}, status=self.status)


@dataclass(frozen=True, slots=True)
class Played:
    door: Door
    browser: Browser
    puppet: Puppet

    async def begin(self) -> dict[str, str]:
        begun = await self.browser.send("GET", "/session/oidc")
        return {
            name: values[0] for name, values in parse_qs(urlsplit(begun.headers["Location"]).query).items()
        }

    async def come_back(self, asked: dict[str, str], **claims: Any) -> str:
        now_s = self.door.clock.wall_s()
        self.puppet.claims = {
            "iss": self.puppet.issuer, "aud": "lectern", "sub": "u1", "nonce": asked.get("nonce"),
            "iat": now_s, "exp": now_s + 60, "preferred_username": "zhao.li", **claims,
        }  # fmt: skip
        reply = await self.browser.send(
            "GET", f"/session/oidc/callback?code=c&state={asked.get('state', 's')}"
        )
        return str(reply.headers["Location"])


@pytest.fixture
async def played(tmp_path: Path) -> AsyncIterator[Played]:
    puppet = Puppet()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", puppet.metadata)
    app.router.add_get("/jwks_uri", puppet.jwks)
    app.router.add_post("/token_endpoint", puppet.token)
    server = TestServer(app)
    await server.start_server()
    puppet.issuer = str(server.make_url("")).rstrip("/")
    config = OidcConfig(puppet.issuer, "lectern")
    async with opened(tmp_path, oidc=config) as door, door.browser() as browser:
        await door.account()
        yield Played(door, browser, puppet)
    await server.close()


class TestTheWayBack:
    async def test_is_the_portal_whatever_is_asked_for(self, played: Played) -> None:
        """No open redirect: nothing of a request says where it ends."""
        for address in (
            "?to=https://evil.example",
            "?redirect_uri=https://evil.example",
            "?next=//evil.example",
        ):
            begun = await played.browser.send("GET", f"/session/oidc{address}")
            assert begun.headers["Location"].startswith(f"{played.puppet.issuer}/authorization_endpoint?")
            assert "evil" not in begun.headers["Location"]
        asked = await played.begin()
        assert asked["redirect_uri"] == f"{str(played.door.url).rstrip('/')}/api/v1/session/oidc/callback"
        assert await played.come_back(asked) == "/#signed-in"

    async def test_asks_with_pkce_state_and_nonce_new_each_time(self, played: Played) -> None:
        one, two = await played.begin(), await played.begin()
        assert one["code_challenge_method"] == "S256"
        for name in ("state", "nonce", "code_challenge"):
            assert len(one[name]) >= 43
            assert one[name] != two[name]

    async def test_needs_the_browser_that_began(self, played: Played) -> None:
        asked = await played.begin()
        ticket = played.browser.cookies.pop("lectern_oidc")
        assert await played.come_back(asked) == "/#problem=oidc_refused"
        played.browser.cookies["lectern_oidc"] = ticket
        assert await played.come_back({**asked, "state": "x" * 43}) == "/#problem=oidc_refused"

    async def test_works_once(self, played: Played) -> None:
        asked = await played.begin()
        ticket = played.browser.cookies["lectern_oidc"]
        assert await played.come_back(asked) == "/#signed-in"
        played.browser.cookies["lectern_oidc"] = ticket
        assert await played.come_back(asked) == "/#problem=oidc_refused"

    async def test_is_over_after_ten_minutes(self, played: Played) -> None:
        asked = await played.begin()
        played.door.clock.pass_minutes(12)
        assert await played.come_back(asked) == "/#problem=oidc_refused"

    @pytest.mark.parametrize(
        "claims",
        [{"iss": "https://evil.example"}, {"aud": "other"}, {"nonce": "n"}, {"exp": 1}, {"sub": None}],
    )
    async def test_with_a_token_for_something_else_is_refused(
        self, played: Played, claims: dict[str, Any]
    ) -> None:
        assert await played.come_back(await played.begin(), **claims) == "/#problem=oidc_refused"

    @pytest.mark.parametrize(
        "answer", ["", "[]", "{}", '{"id_token": 7}', '{"id_token": "a.b.c"}', "x" * 300_000]
    )
    async def test_with_an_answer_that_is_none_is_refused(self, played: Played, answer: str) -> None:
        played.puppet.raw = answer
        assert (await played.come_back(await played.begin())).startswith("/#problem=oidc_")


class TestTheProvidersKeys:
    async def test_are_asked_for_once_and_again_when_one_is_new_but_not_for_every_forgery(
        self, played: Played
    ) -> None:
        for _ in range(3):
            assert await played.come_back(await played.begin()) == "/#signed-in"
        assert played.puppet.keys_asked == 1
        new = jwk.ECKey.generate_key("P-256", {"kid": "k2", "alg": "ES256"}, private=True)
        played.puppet.signing, played.puppet.header = new, {"alg": "ES256", "kid": "k2"}
        for _ in range(3):  # nobody's key, again and again
            assert await played.come_back(await played.begin()) == "/#problem=oidc_refused"
        assert played.puppet.keys_asked == 1
        played.door.clock.pass_minutes(1)
        played.puppet.keys = {"keys": [new.as_dict(private=False)]}
        assert await played.come_back(await played.begin()) == "/#signed-in"
        assert played.puppet.keys_asked == 2

    async def test_no_other_algorithm_passes_for_them(self, played: Played) -> None:
        public = str(played.puppet.key.as_dict(private=False)["x"])
        played.puppet.header = {"alg": "HS256", "kid": "k1"}
        played.puppet.signing = jwk.OctKey.import_key(public)
        assert await played.come_back(await played.begin()) == "/#problem=oidc_refused"
        played.puppet.header = {"alg": "none"}
        assert await played.come_back(await played.begin()) == "/#problem=oidc_refused"
