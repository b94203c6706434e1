"""The front page in Chromium: a password by a link, a passkey by a virtual authenticator, into a lesson."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from liveserver.http import links
from liveserver.tokens import Tokens
from tests.browser.classroom import by_testid
from tests.browser.test_pages import AXE, look_at
from tests.drivers.chromium import DESKTOP, PHONE, Chromium, ChromiumTab
from tests.drivers.server import Server
from tests.http.test_commands import run
from tests.http.test_people import person, training_class

PASSWORD = "焊接-Lesson-7"
FINGER = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip
SIZES = {"390x844": PHONE, "1440x900": DESKTOP}


@pytest.fixture
def tabs(chromium: Chromium) -> Iterator[Callable[..., ChromiumTab]]:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make test, or npm ci --prefix tests")
    made: list[ChromiumTab] = []

    def tab(**options: Any) -> ChromiumTab:
        made.append(chromium.tab(**options))
        return made[-1]

    yield tab
    for one in made:
        one.close()


def front(server: Server, lang: str = "en") -> str:
    """By a host name: passkeys are bound to one."""
    return f"http://localhost:{urlsplit(server.base_url).port}/?lang={lang}"


def finger(tab: ChromiumTab) -> None:
    """Give the device a fingerprint reader that always says yes."""

    async def attach() -> None:
        session = await tab.page.context.new_cdp_session(tab.page)
        await session.send("WebAuthn.enable")
        await session.send("WebAuthn.addVirtualAuthenticator", {"options": FINGER})

    tab._do(attach())


def learner_of(server: Server, name: str) -> tuple[str, str, str]:
    """Somebody of a class with two lessons: the sign-in name, the link to set a password, a lesson's id."""
    zone = server.api("POST", "/projects", {"code": f"Z{name}", "name": "数控机床", "zone": True}).json["id"]
    of = training_class(server, project=zone, name="数控一班")["id"]
    who = person(server, name)["id"]
    server.api("POST", f"/classes/{of}/roster", {"person": who})
    lessons = []
    for day, title in enumerate(("数控机床操作安全规程与个人防护", "Reading drawings"), 1):
        planned = {"planned_start": f"2027-03-0{day}T09:00:00+08:00", "planned_minutes": 45}
        lessons.append(server.api("POST", "/lessons", {"title": title, "class": of, **planned}).json["id"])
    account = server.api("POST", "/accounts", {"sign_in_name": f"Li.{who[:6]}", "person": who}).json
    return account["sign_in_name"], account["link"].partition("#")[2], lessons[0]


def sign_in(tab: ChromiumTab, name: str, password: str = PASSWORD) -> None:
    tab.fill(by_testid("sign-in-name"), name)
    tab.fill(by_testid("sign-in-password"), password)
    tab.click(by_testid("sign-in"))


class TestALearnersPhone:
    def test_from_the_link_to_the_lesson_by_password_and_by_finger(
        self, server: Server, tabs: Callable[..., ChromiumTab]
    ) -> None:
        name, link, lesson = learner_of(server, "欧阳晓明")
        tab = tabs(**PHONE)
        finger(tab)
        tab.goto(f"{front(server, 'zh')}#{link}")
        for field in ("new-password", "new-password-again"):
            tab.fill(by_testid(field), PASSWORD)
        look_at(tab, "portal-password-zh-390x844")
        tab.click(by_testid("save-password"))
        tab.wait_sees(by_testid("sign-in-name"))
        assert link not in tab.evaluate("() => location.href + JSON.stringify({...sessionStorage})")
        sign_in(tab, name, "wrong-Word-7")
        tab.wait_text(by_testid("sign-in-problem"), "登录名或密码不正确")
        look_at(tab, "portal-refused-zh-390x844")
        tab.fill(by_testid("sign-in-password"), PASSWORD)  # the wrong one was taken away
        tab.click(by_testid("sign-in"))
        tab.wait_text(by_testid("my-lessons"), "数控机床操作安全规程")
        look_at(tab, "portal-home-zh-390x844")

        tab.click(by_testid("account"))
        tab.click(by_testid("add-passkey"))
        tab.click(by_testid("confirm-passkey"))
        tab.wait_text(by_testid("passkeys"), "我的设备")
        look_at(tab, "portal-account-zh-390x844")
        tab.click(by_testid("sign-out"))
        tab.click(by_testid("sign-in-passkey"))
        tab.wait_text(by_testid("who"), "欧阳晓明")

        tab.reload()  # the cookie alone brings the next token
        tab.wait_text(by_testid("my-lessons"), "数控机床操作安全规程")
        tab.click(by_testid("enter-lesson"))
        tab._do(tab.page.wait_for_url("**/learn/**"))
        tab.wait_sees(by_testid("chat-input"))
        assert tab.evaluate("() => location.pathname") == f"/learn/{lesson}"
        assert "token" not in tab.evaluate("() => location.href")

        other = tabs()  # on another device everything is ended, the lesson on this one as well
        other.goto(front(server, "zh"))
        sign_in(other, name)
        other.click(by_testid("account"))
        look_at(other, "portal-account-zh-1440x900")
        other.click(by_testid("sign-out-everywhere"))
        other.click(by_testid("confirm-everywhere"))
        tab.wait_text("main", "你已退出登录")
        look_at(tab, "learn-signed-out-zh-390x844")
        other.wait_sees(by_testid("sign-in-name"))

    def test_a_token_that_is_over_is_renewed_without_a_word(
        self, server: Server, tabs: Callable[..., ChromiumTab]
    ) -> None:
        name, link, _ = learner_of(server, "司马青")
        tab = tabs()
        tab.goto(f"{front(server)}#{link}")
        for field in ("new-password", "new-password-again"):
            tab.fill(by_testid(field), PASSWORD)
        tab.click(by_testid("save-password"))
        tab.wait_sees(by_testid("sign-in-name"))
        look_at(tab, "portal-welcome-en-1440x900")
        sign_in(tab, name)
        tab.wait_text(by_testid("my-lessons"), "Reading drawings")
        look_at(tab, "portal-home-en-1440x900")
        assert tab.evaluate(
            """async () => {
                const before = sessionStorage.getItem('lectern.token:/');
                sessionStorage.removeItem('lectern.token:/');
                const { get } = await import('/static/lib/api.js');
                const { items } = await get('/me/lessons');
                return [items.length, sessionStorage.getItem('lectern.token:/') !== before];
            }"""
        ) == [2, True]
        tab.click(by_testid("zone"))
        tab.wait_text(by_testid("my-lessons"), "Reading drawings")
        tab.click(by_testid("sign-out"))
        tab.wait_sees(by_testid("sign-in-name"))
        tab.reload()
        tab.wait_sees(by_testid("sign-in-name"))


class TestAModerator:
    """Of a server on which the role takes a passkey (the shared one's `accounts.second_factor`)."""

    def test_registers_a_passkey_before_anything_else_and_comes_in_with_it(
        self, server: Server, tabs: Callable[..., ChromiumTab]
    ) -> None:
        made = server.api("POST", "/accounts", {"sign_in_name": "chen.jian", "name": "陈监看"}).json
        assert server.api("PUT", f"/accounts/{made['person']}/role", {"role": "moderator"}).status == 200
        again = server.api("POST", f"/accounts/{made['person']}/link").json["link"]
        tab = tabs(**PHONE)
        finger(tab)
        tab.goto(f"{front(server, 'zh')}#{again.partition('#')[2]}")
        for field in ("new-password", "new-password-again"):
            tab.fill(by_testid(field), PASSWORD)
        tab.click(by_testid("save-password"))
        tab.wait_sees(by_testid("sign-in-name"))
        sign_in(tab, "chen.jian")
        tab.wait_text(by_testid("needs-passkey"), "巡课员")
        tab.wait_sees(by_testid("factor-add"))
        look_at(tab, "portal-factor-zh-390x844")
        assert (
            tab.evaluate("() => document.querySelector('[data-testid=my-lessons], [data-testid^=office-]')")
            is None
        )
        tab.click(by_testid("factor-add"))
        tab.fill(by_testid("passkey-code"), "22222-22222")
        tab.click(by_testid("confirm-passkey"))
        tab.wait_text("dialog [role=alert]", "验证码错误")
        data = {"LIVESERVER_DATA_DIR": str(server.data)}
        given = run("passkey-code", "Chen.Jian", "--url", server.base_url, **data).stdout.strip()
        tab.evaluate("() => document.querySelector('[data-testid=passkey-code]').select()")
        tab.type(given.lower())
        look_at(tab, "portal-code-zh-390x844")
        tab.click(by_testid("confirm-passkey"))
        tab.wait_sees(by_testid("office-moderate"))
        tab.click(by_testid("sign-out"))
        sign_in(tab, "chen.jian")  # now there is one to come in with
        tab.click(by_testid("factor-sign-in"))
        tab.wait_sees(by_testid("office-moderate"))


class TestTheFirstAdministrator:
    def test_makes_his_account_then_one_for_another_and_notes_an_identity(
        self, server: Server, tabs: Callable[..., ChromiumTab]
    ) -> None:
        who = person(server, "诸葛文静")
        tokens = Tokens.load_or_create(server.data / "keys" / "tokens.key")
        link = tokens.sign_link(links.SETUP, "first-administrator", int(time.time()), 600)
        tab = tabs()
        tab.goto(f"{server.base_url}/admin?lang=zh#setup={link}")
        for field, text in (
            ("setup-name", "赵管理"),
            ("setup-sign-in-name", "zhao"),
            ("setup-password", PASSWORD),
        ):
            tab.fill(by_testid(field), text)
        look_at(tab, "admin-setup-zh-1440x900")
        tab.click(by_testid("setup"))
        tab.click("role=tab[name='账号']")
        tab.wait_text("main", "赵管理")
        tab.click(by_testid("make-account"))
        tab.fill(by_testid("account-sign-in-name"), "qian.audit")
        tab.fill(by_testid("account-name"), "钱审计")
        tab.click(by_testid("confirm-account"))
        assert "#password=" in tab.wait_text(by_testid("password-link"), "#password=")
        look_at(tab, "admin-account-link-zh-1440x900")
        tab.press("Escape")
        tab.click("role=button[name='权限: 钱审计']")
        tab.evaluate("() => { document.querySelector('[data-testid=role]').value = 'audit'; }")
        tab.click(by_testid("confirm-role"))
        tab.wait_text("[role=tabpanel]:not([hidden]) tbody", "审计管理员")
        look_at(tab, "admin-accounts-zh-1440x900")
        tab.click("role=button[name='通行密钥验证码: 钱审计']")
        assert re.fullmatch(r"[2-9A-Z]{5}-[2-9A-Z]{5}", tab.wait_text(by_testid("given-code"), "-").strip())
        look_at(tab, "admin-passkey-code-zh-1440x900")
        tab.press("Escape")
        tab.click("role=button[name='密码链接: 钱审计']")  # the first one went with the new role
        link = tab.wait_text(by_testid("password-link"), "#password=").strip()
        tab.press("Escape")

        auditor = tabs(**PHONE)
        auditor.goto(link.replace("/#", "/?lang=zh#"))
        for field in ("new-password", "new-password-again"):
            auditor.fill(by_testid(field), PASSWORD)
        auditor.click(by_testid("save-password"))
        auditor.wait_sees(by_testid("sign-in-name"))
        sign_in(auditor, "qian.audit")
        auditor.wait_sees(by_testid("office-admin"))
        look_at(auditor, "portal-audit-zh-390x844")
        auditor.click(by_testid("office-admin"))
        auditor._do(auditor.page.wait_for_url("**/admin*"))
        auditor.wait_text("[role=tablist]", "账本")
        assert auditor.text("[role=tablist]").split() == ["审计", "账本"]

        tab.click("role=tab[name='人员和项目']")
        tab.wait_text("main", "诸葛文静")
        tab.click(f"role=button[name='实名: {who['name']}']")
        tab.click(by_testid("enter-identity"))
        tab.fill(by_testid("identity-input"), "11010519491231002X")
        tab.click(by_testid("confirm-identity"))
        tab.wait_text(by_testid("identity-number"), "110***********002X")
        look_at(tab, "admin-identity-zh-1440x900")
