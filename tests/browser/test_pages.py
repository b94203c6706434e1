"""Every page, in both languages, at two sizes: no accessibility violation, nothing cut off, a picture kept.

The pictures go to shots/ (ignored by git), for a person to look at.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.classroom import CUT_NOTICE, Classroom, by_testid
from tests.browser.conftest import FULL, SHOTS, languages
from tests.drivers.chromium import DESKTOP, PHONE, ChromiumTab
from tests.drivers.process import until
from tests.drivers.tab import Tab

AXE = Path(__file__).parents[1] / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"390x844": PHONE, "1440x900": DESKTOP}
READY = {
    "teach": by_testid("go-live"),
    "learn": by_testid("chat-input"),
    "moderate": by_testid("cut-lesson"),
    "admin": "main table",
    "inspect": "main table",
}
LONG_NAME = "Maximiliane Wurzelmann-Nakamura"


def violations(tab: Tab) -> list[str]:
    """axe-core's findings, one line each."""
    if not tab.evaluate("() => Boolean(window.axe)"):
        tab.evaluate(f"() => {{ {AXE.read_text()} }}")
    found = tab.evaluate(
        "async (tags) => (await axe.run(document, {runOnly: tags, resultTypes: ['violations']})).violations"
        ".map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 4).map((n) => n.target).join(' | ')}`)",
        RULES,
    )
    return found


def too_wide(tab: Tab) -> list[str]:
    """Elements that reach beyond the right edge of a page that should not scroll sideways."""
    return tab.evaluate(
        "() => document.documentElement.scrollWidth <= innerWidth + 1 ? []"
        " : [...document.querySelectorAll('*')]"
        ".filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 6)"
        ".map((e) => `${e.tagName}.${e.className}`)"
    )


def look_at(tab: ChromiumTab, name: str, *, axe: bool = True) -> None:
    """Keep a picture, then check what a machine can check."""
    SHOTS.mkdir(exist_ok=True)
    tab.screenshot(SHOTS / f"{name}.png")
    assert not axe or violations(tab) == []
    assert too_wide(tab) == []


def look_at_both_sizes(tab: ChromiumTab, name: str) -> None:
    """The same document twice: axe, which takes a second, at the phone's size; at both in full length."""
    for size, options in SIZES.items():
        tab.resize(**options["viewport"])
        look_at(tab, f"{name}-{size}", axe=FULL or options is PHONE)


@pytest.fixture(autouse=True)
def axe_is_there() -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make test, or npm ci --prefix tests")


@pytest.fixture(params=["en", "zh"])
def lang(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=list(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    return request.param


class TestBeforeTheLesson:
    @pytest.mark.parametrize("page", ["teach", "learn", "moderate", "admin", "inspect"])
    def test_page(self, classroom: Classroom, page: str, lang: str, size: str):
        tab = classroom.open(page, lang=lang, **SIZES[size])
        tab.wait_sees(READY[page])
        if page == "teach":
            tab.wait_moving()
        assert tab.evaluate("() => document.documentElement.lang").startswith(lang)
        look_at(tab, f"{page}-before-{lang}-{size}")

    def test_portal(self, classroom: Classroom, server, lang: str, size: str):
        tab = classroom.open("learn", lang=lang, **SIZES[size])
        tab.goto(f"{server.base_url}/?lang={lang}")
        tab.until(lambda: tab.text().strip(), "words on the page")
        look_at(tab, f"portal-{lang}-{size}")


class TestDuringTheLesson:
    @pytest.mark.parametrize("lang", languages("zh"))
    def test_teach_learn_moderate_and_the_cut(self, classroom: Classroom, lang: str):
        teacher = classroom.teach(lang=lang)
        token = classroom.server.more_tokens(classroom.lesson, 1, name=LONG_NAME)[0]
        learner = classroom.learn(token=token, lang=lang)
        learner.wait_moving()
        classroom.say(learner, "Does the arc length change with the current? 电弧长度会随电流变化吗？")
        teacher.wait_text(by_testid("chat-log"), "电弧长度")
        moderator = classroom.open("moderate", lang=lang)
        moderator.click(f'main >> text="{classroom.lesson.title}"')
        look_at_both_sizes(teacher, f"teach-live-{lang}")
        look_at_both_sizes(learner, f"learn-live-{lang}")
        look_at_both_sizes(moderator, f"moderate-live-{lang}")
        moderator.click(by_testid("cut-lesson"))
        moderator.wait_sees(by_testid("cut-confirm"))
        look_at_both_sizes(moderator, f"moderate-dialog-{lang}")
        moderator.click(by_testid("cut-confirm"))
        for tab, name in ((teacher, "teach"), (learner, "learn"), (moderator, "moderate")):
            tab.wait_sees(CUT_NOTICE)
            look_at_both_sizes(tab, f"{name}-cut-{lang}")


class TestAfterTheLesson:
    @pytest.mark.parametrize("lang", languages("en"))
    def test_farewells_and_lists(self, classroom: Classroom, lang: str):
        server, lesson = classroom.server, classroom.lesson
        teacher = classroom.teach(lang=lang)
        learner = classroom.learn(lang=lang)
        learner.wait_moving()
        learner.wait_frames(75)
        classroom.end(teacher)

        def states() -> list[str]:
            return [r["state"] for r in server.api("GET", f"/lessons/{lesson.id}/recordings").json["items"]]

        until(lambda: states() == ["sealed"], "the recording sealed", timeout_s=30)
        look_at_both_sizes(teacher, f"teach-ended-{lang}")
        look_at_both_sizes(learner, f"learn-ended-{lang}")
        for page in ("admin", "inspect"):
            tab = classroom.open(page, lang=lang)
            tab.wait_text("main", lesson.title)
            look_at_both_sizes(tab, f"{page}-after-{lang}")


class TestWeight:
    def test_the_learners_page_is_drawn_from_less_than_200_kb(self, classroom: Classroom):
        learner = classroom.learn()
        learner.until(lambda: learner.text("main").strip(), "words on the page")
        size = learner.evaluate(
            "() => performance.getEntries().reduce((bytes, entry) => bytes + (entry.transferSize ?? 0), 0)"
        )
        assert 0 < size < 200_000


class TestAQuietPage:
    def test_a_lesson_leaves_no_error_in_any_page(self, classroom: Classroom):
        teacher = classroom.teach()
        learner = classroom.learn()
        learner.wait_moving()
        classroom.say(learner, "hello")
        teacher.wait_text(by_testid("chat-log"), "hello")
        classroom.end(teacher)
        learner.wait_dark()
        for tab in (teacher, learner):
            assert tab.evaluate("() => watch.troubles") == []
            # A session may be gone before the page has taken leave of it; the browser logs that 404 itself.
            said = [line for line in tab.console if "Failed to load resource" not in line]
            assert [line for line in said if line.startswith(("error", "page error"))] == []
