"""People in front of pages: what an instructor, a learner and a moderator do there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.drivers.chromium import Chromium
from tests.drivers.firefox import Firefox
from tests.drivers.server import Lesson, Server
from tests.drivers.tab import STAGE, Camera, Tab, by_testid

__all__ = ["STAGE", "Classroom", "by_testid"]

GO_LIVE, END, END_CONFIRM = by_testid("go-live"), by_testid("end-lesson"), by_testid("end-confirm")
CHAT_INPUT, CHAT_SEND, CHAT_LOG = by_testid("chat-input"), by_testid("chat-send"), by_testid("chat-log")
CUT, CUT_CONFIRM, CUT_NOTICE = by_testid("cut-lesson"), by_testid("cut-confirm"), by_testid("cut-notice")
RESTORE, RESTORE_CONFIRM = by_testid("restore-lesson"), by_testid("restore-confirm")
WHOLE_SERVER = ("moderate", "admin", "inspect")
ROLES = {"teach": "instructor", "learn": "learner", "moderate": "moderator", "admin": "admin",
         "inspect": "inspector"}  # fmt: skip


class Classroom:
    """One lesson on one server, and the tabs opened for it."""

    def __init__(self, server: Server, lesson: Lesson, browser: Chromium):
        self.server, self.lesson, self._browser = server, lesson, browser
        self.tabs: list[Tab] = []

    def open(
        self,
        page: str,
        *,
        browser: Chromium | Firefox | None = None,
        token: str | None = None,
        camera: Camera | None = None,
        lang: str = "en",
        **options: Any,
    ) -> Any:
        """A page as its person gets it, by link; options as for the browser's `tab`."""
        token = token or self.lesson.tokens[ROLES[page]]
        lesson = None if page in WHOLE_SERVER else self.lesson
        tab = (browser or self._browser).tab(camera=camera, **options)
        self.tabs.append(tab)
        tab.goto(self.server.link(page, lesson, token, lang=lang))
        return tab

    def teach(self, **options: Any) -> Any:
        """An instructor who has gone live and whose media has reached the server."""
        tab = self.open("teach", **{"camera": Camera(), **options})
        tab.wait_moving()  # the preview
        tab.click(GO_LIVE)
        self.server.wait_lesson(self.lesson, state="live", publishing=True)
        return tab

    def learn(self, **options: Any) -> Any:
        return self.open("learn", **options)

    def end(self, teacher: Tab) -> None:
        teacher.click(END)
        teacher.click(END_CONFIRM)
        self.server.wait_lesson(self.lesson, state="ended")

    def say(self, tab: Tab, text: str) -> None:
        tab.fill(CHAT_INPUT, text)
        tab.click(CHAT_SEND)

    def cut(self, level: str = "lesson", reason: str = "Forbidden content", **options: Any) -> dict[str, Any]:
        reply = self.server.api("POST", f"/lessons/{self.lesson.id}/cut", {"level": level, "reason": reason},
                                role="moderator", **options)  # fmt: skip
        assert reply.status == 200, reply
        return reply.json

    def restore(self) -> None:
        path = f"/lessons/{self.lesson.id}/restore"
        reply = self.server.api("POST", path, {"reason": "Looked at again"}, role="moderator")
        assert reply.status == 200, reply

    def close(self, *, pictures: Path | None = None) -> None:
        """Close every tab; with `pictures`, first keep what each showed."""
        for number, tab in enumerate(self.tabs):
            if pictures:
                pictures.mkdir(parents=True, exist_ok=True)
                tab.screenshot(pictures / f"{number}.png")
            tab.close()
        self.tabs.clear()
