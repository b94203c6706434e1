"""Debian's Firefox ESR, driven over WebDriver BiDi, which it speaks itself; no geckodriver, no download.

https://w3c.github.io/webdriver-bidi/ — commands carry an id, answers come back with it, events without.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import itertools
import json
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .process import end, kill_group, spawn, until
from .tab import PROBE, Camera, Tab

PREFERENCES = {
    # Built-in camera and microphone, no questions, sound without a tap.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    # Real addresses in candidates, the loopback one too.
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    # Tabs that are not in front go on.
    "media.suspend-background-video.enabled": False,
    "dom.timeout.enable_budget_timer_throttling": False,
    # Nothing leaves the machine.
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-manager.url": "data:text/plain,",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.trr.mode": 5,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "remote.active-protocols": 1,
    "intl.accept_languages": "en-GB, en",
}
KEYS = {"Enter": "\ue007", "Tab": "\ue004", "Escape": "\ue00c", "ArrowUp": "\ue013", "ArrowDown": "\ue015"}


def program() -> str | None:
    return shutil.which("firefox-esr") or shutil.which("firefox")


class BidiError(Exception):
    """Firefox refused a command, or the page's script threw."""


class FirefoxTab(Tab):
    def __init__(self, browser: Firefox, context: str):
        self._browser, self._context = browser, context
        self.console: list[str] = browser.console_of(context)

    def _do(self, method: str, timeout_s: float = 30, **parameters: Any) -> dict[str, Any]:
        return self._browser.do(method, {"context": self._context, **parameters}, timeout_s)

    def evaluate(self, function: str, argument: Any = None, *, timeout_s: float = 30) -> Any:
        # Values travel as JSON text: BiDi's own form of them is for other uses.
        body = f"async () => JSON.stringify((await ({function})({json.dumps(argument)})) ?? null)"
        result = self._browser.do(
            "script.callFunction",
            {
                "functionDeclaration": body,
                "awaitPromise": True,
                "target": {"context": self._context},
                "userActivation": True,
            },
            timeout_s,
        )
        if result["type"] == "exception":
            raise BidiError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    def goto(self, url: str) -> None:
        self._do("browsingContext.navigate", url=url, wait="interactive")

    def reload(self) -> None:
        self._do("browsingContext.reload", wait="interactive")

    def press(self, key: str) -> None:
        self.type(KEYS.get(key, key))

    def type(self, text: str) -> None:
        strokes = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
        self._do("input.performActions", actions=[{"type": "key", "id": "keyboard", "actions": strokes}])

    def click(self, selector: str, *, timeout_s: float = 10) -> None:
        self.wait_sees(selector, timeout_s=timeout_s)
        x, y = self.evaluate(
            "(s) => { const e = document.querySelector(s); e.scrollIntoView({block: 'center'});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }",
            selector,
        )
        steps = [
            {"type": "pointerMove", "x": int(x), "y": int(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._do("input.performActions", actions=[{"type": "pointer", "id": "mouse", "actions": steps}])

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._do("browsingContext.captureScreenshot")["data"]))

    def close(self) -> None:
        self._do("browsingContext.close")


class Firefox:
    """A running browser; each tab is a person in a container of his own."""

    def __init__(self) -> None:
        path = program()
        if path is None:
            raise FileNotFoundError("Firefox is not installed (tests/install-debian.sh)")
        self._folder = Path(tempfile.mkdtemp(prefix="classroom-firefox-"))
        profile, log = self._folder / "profile", self._folder / "log"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines))
        self._ids = itertools.count(1)
        self._waiting: dict[int, concurrent.futures.Future[dict[str, Any]]] = {}
        self._consoles: dict[str, list[str]] = {}
        self._open_things = contextlib.ExitStack()
        self._socket = None
        environment = {**os.environ, "HOME": str(self._folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1"}
        options = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        self.process = spawn([path, *options, "about:blank"], log=log, env=environment)
        try:
            found = until(
                lambda: re.search(r"WebDriver BiDi listening on (ws://\S+)", log.read_text(errors="replace")),
                "Firefox's port",
                timeout_s=60,
            )
            self._open(found[1])
        except BaseException:
            self.close()
            raise

    def _open(self, address: str) -> None:
        session = connect(f"{address}/session", max_size=64 * 1024**2, ping_interval=None)
        self._socket = self._open_things.enter_context(session)
        threading.Thread(target=self._read, name="bidi", daemon=True).start()
        wanted = {"acceptInsecureCerts": True, "unhandledPromptBehavior": {"default": "accept"}}
        session = self.do("session.new", {"capabilities": {"alwaysMatch": wanted}})
        self.version = session["capabilities"]["browserVersion"]
        self.do("session.subscribe", {"events": ["log.entryAdded"]})
        self.do("script.addPreloadScript", {"functionDeclaration": f"() => {{ {PROBE} }}"})

    def _read(self) -> None:
        """Hand answers to who waits for them, keep what pages log."""
        try:
            for text in self._socket:
                message = json.loads(text)
                if message.get("id") in self._waiting:
                    self._waiting.pop(message["id"]).set_result(message)
                elif message.get("method") == "log.entryAdded":
                    entry = message["params"]
                    source = entry.get("source", {}).get("context")
                    self.console_of(source).append(f"{entry.get('level')}: {entry.get('text')}"[:300])
        except ConnectionClosed:
            pass
        finally:
            for future in list(self._waiting.values()):
                future.set_exception(BidiError("Firefox has gone"))

    def console_of(self, context: str) -> list[str]:
        return self._consoles.setdefault(context, [])

    def do(self, method: str, parameters: dict[str, Any], timeout_s: float = 30) -> dict[str, Any]:
        """One BiDi command; its result. Raises BidiError, TimeoutError."""
        number = next(self._ids)
        answer: concurrent.futures.Future[dict[str, Any]] = concurrent.futures.Future()
        self._waiting[number] = answer
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        message = answer.result(timeout_s)
        if message["type"] == "error":
            raise BidiError(f"{method}: {message['error']}: {message['message'][:300]}")
        return message["result"]

    def tab(self, url: str | None = None, *, camera: Camera | None = None) -> FirefoxTab:
        user = self.do("browser.createUserContext", {})["userContext"]
        # A window each: a tab behind another one draws once a second, which is no camera.
        context = self.do("browsingContext.create", {"type": "window", "userContext": user})["context"]
        if camera:
            script = f"() => {{ {camera.script} }}"
            self.do("script.addPreloadScript", {"functionDeclaration": script, "contexts": [context]})
        tab = FirefoxTab(self, context)
        if url:
            tab.goto(url)
        return tab

    def kill(self) -> None:
        kill_group(self.process)

    def close(self) -> None:
        self._open_things.close()
        end(self.process, timeout_s=10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
