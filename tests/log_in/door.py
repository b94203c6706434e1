"""Signing in over HTTP against a real store, with a clock that only the test moves."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import aiohttp
from aiohttp.test_utils import TestServer
from yarl import URL

from liveserver.bus import MemoryBus
from liveserver.config import Config
from liveserver.core.permissions import Role
from liveserver.http.api import accounts, identities, oidc, passkeys, session, setup
from liveserver.http.api import revocations as revocations_api
from liveserver.http.app import make_app
from liveserver.http.context import Services
from liveserver.http.cors import cors
from liveserver.log_in import LogIn, log_in
from liveserver.log_in.passwords import Passwords
from liveserver.metrics import Metrics
from liveserver.revocations import Revocations
from liveserver.store import Entry, Store, open_store
from liveserver.tokens import ALL_LESSONS, Tokens

PASSWORD = "焊接-Lesson-7"
NAME = "Zhao.Li"
COOKIE = "lectern_session"


class StoppedClock:
    """Every clock a node has, moved by hand."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def wall_s(self) -> int:
        return self.now_ms // 1000

    def monotonic_ns(self) -> int:
        return self.now_ms * 1_000_000

    def pass_minutes(self, minutes: float) -> None:
        self.now_ms += int(minutes * 60_000)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    json: Any
    headers: Any
    cookies: Any

    @property
    def code(self) -> str:
        return str(self.json["code"])


class Browser:
    """One browser: it keeps cookies, and says where its page came from."""

    def __init__(self, url: URL, client: aiohttp.ClientSession, origin: str | None):
        self._url = url
        self._client = client
        self.origin = origin
        self.address = "203.0.113.7"
        self.token = ""
        self.cookies: dict[str, str] = {}

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        sent = {"X-Forwarded-For": self.address, **headers}
        if self.origin is not None:
            sent.setdefault("Origin", self.origin)
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        async with self._client.request(
            method, self._url.join(URL(f"/api/v1{path}")), json=body, headers=sent, allow_redirects=False
        ) as answer:
            text = await answer.read()
            for name, cookie in answer.cookies.items():
                self.cookies[name] = cookie.value
                if not cookie.value:
                    del self.cookies[name]
            json = await answer.json(content_type=None) if text else None
            return Reply(answer.status, json, answer.headers, answer.cookies)

    async def sign_in(self, name: str = NAME, password: str = PASSWORD) -> Reply:
        """With its token kept, as the page keeps it."""
        reply = await self.send("POST", "/session", {"name": name, "password": password})
        self.token = reply.json.get("token", "")
        return reply

    async def refresh(self) -> Reply:
        reply = await self.send("POST", "/session/refresh")
        self.token = reply.json.get("token", "")
        return reply

    @property
    def handle(self) -> str:
        return self.cookies.get(COOKIE, "")

    def keep(self, handle: str) -> None:
        """As if the browser had got this handle."""
        self.cookies[COOKIE] = handle


class Door:
    """The part of a node that people sign in by."""

    def __init__(self, store: Store, clock: StoppedClock, services: Services, server: TestServer):
        self.store = store
        self.clock = clock
        self.services = services
        self.tokens = services.tokens
        self.url = server.make_url("/")
        assert services.log_in is not None
        self.log_in: LogIn = services.log_in

    @asynccontextmanager
    async def browser(self, origin: str | None = "own") -> AsyncIterator[Browser]:
        own = str(self.url).rstrip("/")
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            yield Browser(self.url, client, own if origin == "own" else origin)

    async def account(self, name: str = NAME, role: Role | None = None, person: str = "p1") -> str:
        """An account with PASSWORD; its person."""
        made = await self.log_in.accounts.make(person, name, "赵丽", "test")
        await self.log_in.accounts.set_password(made.link, PASSWORD)
        if role is not None:
            await self.store.accounts.change(person, role=role)
        return person

    def staff(self, role: Role, person: str = "boss") -> str:
        """A token of that role over all lessons."""
        return self.tokens.issue(
            person=person, name="N", role=role, lesson=ALL_LESSONS, now_s=self.clock.wall_s(), ttl_s=3600
        )

    async def facts(self, *kinds: str) -> list[Entry]:
        return [entry for entry in await self.store.entries(limit=1000) if entry.type in kinds]


@asynccontextmanager
async def door(
    folder: Path,
    *,
    routes: tuple[Any, ...] = (),
    real_time: bool = False,
    proxied: bool = True,
    **sections: Any,
) -> AsyncIterator[Door]:
    """`sections`: parts of the configuration that differ from the default. `routes`: more of them.

    `real_time`: the clock begins now, for what others sign with theirs. `proxied`: X-Forwarded-For is
    believed, as behind a reverse proxy.
    """
    clock = StoppedClock()
    if real_time:
        clock.now_ms = time.time_ns() // 1_000_000
    store = await open_store(f"sqlite:///{folder}/store.db", clock.wall_ms)
    passwords = Passwords()
    config = replace(Config(), data_dir=folder, **sections)
    if proxied:
        config = replace(config, accounts=replace(config.accounts, proxies=("127.0.0.1",)))
    tokens, metrics = Tokens.load_or_create(config.key_file), Metrics()
    revocations = Revocations(tokens.revoked, store, MemoryBus(), cast(Any, clock), 86_400_000)
    await revocations.start()
    parts = log_in(config, store, cast(Any, clock), tokens, revocations, passwords, metrics)
    nothing = cast(Any, None)  # of the rest of a node these routes know nothing
    rest = (nothing, store, *[nothing] * 6)
    services = Services(config, tokens, metrics, cast(Any, clock), *rest, log_in=parts)
    table = (
        *session.ROUTES,
        *passkeys.ROUTES,
        *oidc.ROUTES,
        *accounts.ROUTES,
        *revocations_api.ROUTES,
        *identities.ROUTES,
        *setup.ROUTES,
        *routes,
    )
    server = TestServer(make_app(services, table, cors("/whip/")))
    await server.start_server()
    try:
        yield Door(store, clock, services, server)
    finally:
        await server.close()
        await parts.close()
        await revocations.stop()
        passwords.close()
        await store.close()
