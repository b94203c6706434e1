"""Debian's Chromium, driven over its debugging port by Playwright; no browser is downloaded.

The browser is our own child, so a test can kill it and none is left behind. Playwright runs on a thread with
an event loop of its own: tests stay plain functions and may stand beside asynchronous ones.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright

from .process import end, kill_group, spawn, until
from .tab import PROBE, Camera, Tab

T = TypeVar("T")

# The program itself before Debian's wrapper script.
PLACES = ("/usr/lib/chromium/chromium", "/usr/bin/chromium", "/usr/bin/chromium-browser")
SWITCHES = (
    "--headless",
    "--remote-debugging-port=0",
    "--no-sandbox",  # tests may run as root, where its sandbox refuses to start
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-extensions",
    "--password-store=basic",
    "--mute-audio",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Entire screen",
    # Addresses instead of mDNS names, and 127.0.0.1 where there is nothing else.
    "--allow-loopback-in-peer-connection",
    # The address bar's own pages (Omnibox) are two more renderers a tab: more than half of what a tab costs.
    "--disable-features=WebRtcHideLocalIpsWithMdns,Translate,MediaRouter,OptimizationHints,"
    "WebUIOmniboxPopup,WebUIOmniboxAimPopup",
    # Tabs that are not in front go on decoding.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
)
PHONE: Mapping[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP: Mapping[str, Any] = {"viewport": {"width": 1440, "height": 900}}


def program() -> str | None:
    return next((place for place in PLACES if Path(place).exists()), shutil.which("chromium"))


class ChromiumTab(Tab):
    def __init__(self, browser: Chromium, context: BrowserContext, page: Page):
        self._browser, self._context, self.page = browser, context, page
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"[:300]))
        page.on("pageerror", lambda error: self.console.append(f"page error: {error}"[:300]))
        page.on("dialog", lambda dialog: browser.soon(dialog.accept()))

    def _do(self, action: Coroutine[Any, Any, T], timeout_s: float = 30) -> T:
        return self._browser.do(action, timeout_s)

    def evaluate(self, function: str, argument: Any = None, *, timeout_s: float = 30) -> Any:
        return self._do(self.page.evaluate(function, argument), timeout_s)

    def goto(self, url: str) -> None:
        self._do(self.page.goto(url, wait_until="domcontentloaded"))

    def reload(self) -> None:
        self._do(self.page.reload(wait_until="domcontentloaded"))

    def press(self, key: str) -> None:
        self._do(self.page.keyboard.press(key))

    def click(self, selector: str, *, timeout_s: float = 10) -> None:
        self._do(self.page.locator(selector).first.click(timeout=timeout_s * 1000), timeout_s + 5)

    def hover(self, selector: str) -> None:
        """Put the pointer on the element."""
        self._do(self.page.locator(selector).first.hover(timeout=10_000))

    def type(self, text: str) -> None:
        self._do(self.page.keyboard.type(text))

    def screenshot(self, path: Path) -> None:
        self._do(self.page.screenshot(path=path))

    def download(self, selector: str, to: Path) -> None:
        """Click a link that downloads, and keep the file at `to`."""

        async def fetch() -> None:
            async with self.page.expect_download(timeout=15_000) as coming:
                await self.page.locator(selector).first.click()
            await (await coming.value).save_as(to)

        self._do(fetch())

    def resize(self, width: int, height: int) -> None:
        self._do(self.page.set_viewport_size({"width": width, "height": height}))

    def offline(self, on: bool) -> None:
        """Cut the page's network off, HTTP and sockets (media over UDP is not touched by it)."""
        self._do(self._context.set_offline(on))

    def close(self) -> None:
        self._do(self._context.close())


class Chromium:
    """A running browser; each tab is a person with storage of its own."""

    def __init__(self, *, autoplay: bool = True, under: Sequence[str] = ()):
        """`under`: a command that starts the browser in other circumstances, such as another group."""
        path = program()
        if path is None:
            raise FileNotFoundError("Chromium is not installed (tests/install-debian.sh)")
        self._folder = Path(tempfile.mkdtemp(prefix="classroom-chromium-"))
        policy = "no-user-gesture-required" if autoplay else "document-user-activation-required"
        switches = [*SWITCHES, f"--autoplay-policy={policy}", f"--user-data-dir={self._folder / 'profile'}"]
        self.process = spawn([*under, path, *switches, "about:blank"], log=self._folder / "log")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="playwright", daemon=True)
        self._thread.start()
        self._playwright: Playwright | None = None
        try:
            port_file = self._folder / "profile" / "DevToolsActivePort"
            lines = until(
                lambda: port_file.exists() and port_file.read_text().split(), "Chromium's port", timeout_s=30
            )
            self._browser = self.do(self._connect(int(lines[0])))
        except BaseException:
            self.close()
            raise
        self.version = self._browser.version

    async def _connect(self, port: int) -> Browser:
        self._playwright = await async_playwright().start()
        return await self._playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")

    def do(self, action: Coroutine[Any, Any, T], timeout_s: float = 30) -> T:
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(timeout_s)

    def soon(self, action: Coroutine[Any, Any, Any]) -> None:
        """From Playwright's own thread: start `action` without waiting; its failure is of no interest."""
        task = self._loop.create_task(action)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def tab(
        self, url: str | None = None, *, camera: Camera | None = None, script: str = "", **options: Any
    ) -> ChromiumTab:
        """A new person's page; `options` as for Playwright's new_context (viewport, locale, has_touch …).
        `script` runs in it before the page's own, after the probe."""
        tab = self.do(self._tab(script, camera, options))
        if url:
            tab.goto(url)
        return tab

    async def _tab(self, script: str, camera: Camera | None, options: Mapping[str, Any]) -> ChromiumTab:
        context = await self._browser.new_context(**{"locale": "en-GB", **DESKTOP, **options})
        await context.grant_permissions(["camera", "microphone"])
        await context.add_init_script(PROBE + (camera.script if camera else "") + script)
        return ChromiumTab(self, context, await context.new_page())

    def kill(self) -> None:
        """As when the power goes: no goodbye to anybody."""
        kill_group(self.process)

    def close(self) -> None:
        if self._playwright is not None:
            self.do(self._playwright.stop())
            self._playwright = None
        end(self.process, timeout_s=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
