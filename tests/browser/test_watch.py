"""A recording in the player's page: it plays by ranges, goes by chapters, and says whose eyes are on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from liveserver.tokens import Tokens
from tests.browser.classroom import Classroom, by_testid
from tests.browser.test_pages import SIZES, look_at
from tests.browser.test_recording import sealed_recording
from tests.drivers.chromium import ChromiumTab
from tests.drivers.media import pattern_publisher
from tests.drivers.process import until
from tests.drivers.server import Lesson, Server

PLAY, SPEED, FULL, TIME = (by_testid(name) for name in ("play", "speed", "full", "time"))
CHAPTER, WATERMARK, WORDS = by_testid("chapter"), by_testid("watermark"), by_testid("words")
TITLE = "Arc welding of thin sheet, part 2 薄板电弧焊"
MIDDLE = (
    "(s) => { const b = document.querySelector(s).getBoundingClientRect(); return b.top + b.height / 2; }"
)
VIDEO = "() => { const v = document.querySelector('video'); return {at: v.currentTime, rate: v.playbackRate,"
VIDEO += (
    " paused: v.paused, src: v.getAttribute('src'), width: v.videoWidth, error: v.error?.message ?? null}; }"
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Lesson, dict[str, Any]]]:
    """A lesson of some seconds with an interruption, sealed, with versions in chapters of a few seconds."""
    folder = tmp_path_factory.mktemp("watch")
    writer = folder / "captions"
    writer.write_text("#!/bin/sh\nprintf 'WEBVTT\\n\\n00:00.000 --> 01:00.000\\nMind the gap 注意间隙\\n'")
    writer.chmod(0o755)
    settings = {"CHAPTER_LEAST": "2s", "CHAPTER_MOST": "5s", "CAPTIONS": str(writer)}
    server = Server(
        folder / "server", **{f"LIVESERVER_RECORDER_{key}": value for key, value in settings.items()}
    )
    server.start()
    try:
        lesson = server.new_lesson(TITLE)
        for part in ("one", "two"):
            token = lesson.tokens["instructor"]
            with pattern_publisher(
                folder / part, server.whip_url(lesson), token, size="1280x720"
            ) as publisher:
                publisher.wait("publishing")
                publisher.wait("progress", frames=125)
        server.api("POST", f"/lessons/{lesson.id}/end", {}, role="admin")
        recording = sealed_recording(server, lesson, timeout_s=60)

        def told() -> dict[str, Any] | None:
            found = server.api("GET", f"/recordings/{recording['id']}", timeout_s=30).json
            made = found["chapters"] and all(c["url"] for c in found["chapters"]) and found["captions_url"]
            return found if made else None

        yield server, lesson, until(told, "every chapter's version, and captions", timeout_s=180)
    finally:
        server.stop()
    assert server.tracebacks() == []


@pytest.fixture
def watch(make_classroom, recorded) -> Any:
    """Open the player as somebody: by the lists' way, a token of theirs in the address."""
    server, lesson, told = recorded
    classroom: Classroom = make_classroom(server, lesson)

    def open_page(
        role: str = "inspector", lang: str = "en", fragment: str | None = None, **options: Any
    ) -> ChromiumTab:
        tab = classroom._browser.tab(**options)
        classroom.tabs.append(tab)
        fragment = fragment or f"token={lesson.tokens[role]}"
        tab.goto(f"{server.base_url}/watch/{told['recording']['id']}?lang={lang}#{fragment}")
        return tab

    return open_page


def video(tab: ChromiumTab) -> dict[str, Any]:
    return tab.evaluate(VIDEO)


def shown_ms(tab: ChromiumTab) -> float:
    """The recording's time at the slider, whichever file plays."""
    return float(tab.evaluate("() => document.querySelector('[data-testid=position]').value"))


def current(tab: ChromiumTab) -> list[int]:
    return tab.evaluate(
        "(s) => [...document.querySelectorAll(s)].flatMap((e, i) => e.ariaCurrent === 'true' ? [i] : [])",
        CHAPTER,
    )


class TestPlaying:
    def test_it_plays_over_ranges_from_one_chapter_into_the_next(self, watch, recorded):
        tab = watch()
        tab.wait_sees(CHAPTER)
        tab.click(PLAY)
        tab.wait_moving()
        first = video(tab)
        assert ("/web.01.mp4?" in first["src"], first["width"]) == (True, 1280)
        tab.until(lambda: "/web.02.mp4?" in video(tab)["src"], "the second chapter", timeout_s=20)
        tab.wait_moving()
        assert current(tab) == [1]
        ranges = tab.evaluate(
            "() => performance.getEntriesByType('resource')"
            ".filter((e) => e.name.includes('/web.')).map((e) => e.responseStatus)"
        )
        assert 206 in ranges

    def test_a_chapter_is_one_press_away_by_mouse_and_by_key(self, watch, recorded):
        chapters = recorded[2]["chapters"]
        tab = watch()
        tab.wait_sees(CHAPTER)
        assert tab.evaluate(f"() => document.querySelectorAll('{CHAPTER}').length") == len(chapters) >= 2
        tab.click(f"{CHAPTER} >> nth=1")
        tab.until(lambda: current(tab) == [1] and "/web.02" in video(tab)["src"], "the second chapter")
        tab.until(lambda: abs(shown_ms(tab) - chapters[1]["from_ms"]) < 100, "its beginning")
        tab.press("p")
        tab.until(lambda: current(tab) == [0] and shown_ms(tab) == 0, "the first chapter")
        tab.press("ArrowRight")
        tab.until(lambda: shown_ms(tab) == min(5000, chapters[-1]["to_ms"]), "five seconds on")
        tab.evaluate(f"() => document.querySelectorAll('{CHAPTER}')[0].focus()")
        tab.press("Enter")
        tab.until(lambda: current(tab) == [0], "the first chapter by Enter")

    def test_the_chapters_are_a_text_track_in_the_time_of_the_file(self, watch, recorded):
        tab = watch()
        cues = (
            "() => [...document.querySelector('track').track.cues ?? []].map((c) => [c.startTime, c.endTime])"
        )
        wanted = [[c["from_ms"] / 1000, c["to_ms"] / 1000] for c in recorded[2]["chapters"]]
        tab.until(
            lambda: tab.evaluate("() => !!document.querySelector('track')") and tab.evaluate(cues) == wanted,
            "cues",
        )
        tab.click(f"{CHAPTER} >> nth=1")
        tab.until(
            lambda: pytest.approx([0, wanted[1][1] - wanted[1][0]]) in tab.evaluate(cues),
            "cues of the second file",
        )

    def test_captions_are_shown_when_asked_for(self, watch):
        tab = watch()
        shown = (
            "() => { const { mode, activeCues } = document.querySelector('track[kind=captions]').track;"
            " return mode === 'showing' && [...(activeCues ?? [])].map((cue) => cue.text).join(); }"
        )
        tab.wait_sees(by_testid("captions"))
        assert tab.evaluate(shown) is False
        tab.press("c")
        tab.click(PLAY)
        tab.until(lambda: tab.evaluate(shown) == "Mind the gap 注意间隙", "the caption over the picture")
        look_at(tab, "watch-captions")
        tab.click(f"{by_testid('captions')} >> visible=true")
        tab.until(lambda: tab.evaluate(shown) is False, "no captions")

    def test_the_speed_stays_over_chapters(self, watch):
        tab = watch()
        tab.wait_sees(CHAPTER)
        rates = tab.evaluate(
            f"() => [...document.querySelector('{SPEED}').options].map((o) => Number(o.value))"
        )
        assert (min(rates), max(rates)) == (0.5, 2)
        tab.press(">")
        tab.until(lambda: video(tab)["rate"] == 1.25, "faster")
        for _ in range(5):
            tab.press(">")
        tab.click(f"{CHAPTER} >> nth=1")
        tab.until(lambda: "/web.02" in video(tab)["src"] and video(tab)["rate"] == 2, "twice as fast")
        tab.press(" ") if tab.evaluate("() => document.activeElement === document.body") else tab.press("k")
        tab.wait_moving()

    def test_what_is_missing_is_marked(self, watch, recorded):
        gaps = recorded[2]["recording"]["gaps"]
        assert gaps  # the instructor was away between the two parts
        tab = watch()
        tab.wait_sees(by_testid("gap-mark"))
        assert tab.evaluate("(s) => document.querySelectorAll(s).length", by_testid("gap-mark")) == len(gaps)
        assert recorded[2]["recording"]["sha256"] in tab.text(by_testid("hash"))


class TestBeforeThereAreVersions:
    def test_the_sealed_file_is_played_with_its_chapters(self, watch, recorded):
        server, lesson, told = recorded
        made = sorted((server.data / "recordings/objects" / lesson.id).glob("*.web.*.mp4"))
        assert len(made) == len(told["chapters"])
        for path in made:
            path.rename(path.with_suffix(".away"))
        try:
            tab = watch()
            tab.wait_sees(CHAPTER)
            tab.click(f"{CHAPTER} >> nth=2")
            tab.until(lambda: current(tab) == [2], "the third chapter")
            tab.click(PLAY)
            tab.wait_moving()
            seen = video(tab)
            assert ".web." not in seen["src"]
            assert seen["at"] * 1000 >= told["chapters"][2]["from_ms"]
            tab.until(
                lambda: video(tab)["paused"] and shown_ms(tab) > told["chapters"][2]["to_ms"] - 500, "its end"
            )
        finally:
            for path in made:
                path.with_suffix(".away").rename(path)


class TestTheWatermark:
    def test_names_the_viewer_moves_and_comes_again(self, watch, recorded):
        tab = watch()
        tab.wait_sees(WATERMARK)
        name = recorded[0].api("GET", f"/recordings/{recorded[2]['recording']['id']}", role="inspector").json
        assert name["viewer"] in tab.text(WATERMARK)
        mark = f"document.querySelector('{WATERMARK}')"
        place = f"() => {mark} && {mark}.style.left + {mark}.style.top"
        first = tab.evaluate(place)
        tab.evaluate(f"() => document.querySelector('{WATERMARK}').remove()")
        tab.until(lambda: tab.evaluate(place) not in (None, first), "it came again, elsewhere", timeout_s=15)
        look_at(tab, "watch-moved-en-1440x900")

    def test_is_in_the_box_that_fills_the_screen(self, watch):
        tab = watch()
        tab.wait_sees(WATERMARK)
        tab.click(FULL)
        inside = "(s) => !!document.fullscreenElement?.contains(document.querySelector(s))"
        tab.until(
            lambda: tab.evaluate(inside, WATERMARK) and tab.sees(WATERMARK), "the watermark in full screen"
        )
        assert tab.evaluate("() => document.fullscreenElement.tagName") != "VIDEO"
        # On a screen of another shape too it lies on the picture, not on the bars.
        tab.resize(width=500, height=1100)
        tab.until(lambda: 350 < tab.evaluate(MIDDLE, WATERMARK) < 750, "the watermark on the picture")
        tab.press("f")
        tab.until(lambda: tab.evaluate("() => !document.fullscreenElement"), "the page again")


class TestByLink:
    def link(self, recorded: Any, ago_s: int, name: str = "") -> str:
        server, _, told = recorded
        tokens = Tokens.load_or_create(server.data / "keys" / "tokens.key")
        made_s = int(time.time()) - ago_s
        return f"link={quote(tokens.sign_link('recording', told['recording']['id'], made_s, 600, name))}"

    def test_it_plays_under_the_name_the_link_was_made_for(self, watch, recorded):
        tab = watch(fragment=self.link(recorded, 0, "王小明"))
        tab.wait_text(WATERMARK, "王小明")
        tab.click(PLAY)
        tab.wait_moving()
        assert "link=" not in tab.evaluate("() => location.href")

    def test_an_old_one_says_so(self, watch, recorded):
        tab = watch(fragment=self.link(recorded, 700))
        tab.wait_text(WORDS, "expired")
        look_at(tab, "watch-expired-en-1440x900")

    def test_a_learner_is_told_that_it_is_not_for_them(self, watch):
        tab = watch("learner")
        tab.wait_text(WORDS, "does not permit")

    def test_an_address_that_ended_is_asked_for_again_and_it_goes_on_there(self, watch, recorded):
        """The player's own way after ten minutes: here the old address is one of the wrong time."""
        tab = watch()
        tab.wait_sees(CHAPTER)
        tab.click(f"{CHAPTER} >> nth=1")
        tab.until(lambda: "/web.02" in video(tab)["src"] and video(tab)["width"], "the second chapter")
        tab.evaluate(
            "() => { performance.now = ((now) => () => now() + 60_000)(performance.now.bind(performance)); }"
        )
        tab.evaluate(
            "() => { const v = document.querySelector('video'); v.src = v.src.replace(/link=.*/, 'link=x'); }"
        )
        tab.until(lambda: "link=x" not in video(tab)["src"] and not video(tab)["error"], "a fresh address")
        tab.until(lambda: current(tab) == [1], "the same chapter")


class TestTheWayThere:
    def test_leads_from_the_inspectors_list(self, make_classroom, recorded):
        server, lesson, _ = recorded
        tab = make_classroom(server, lesson).open("inspect")
        tab.click('[role="tab"]:nth-of-type(3)')
        tab.click(by_testid("watch-recording"))
        tab.wait_sees(WATERMARK)
        assert tab.text("h1") == TITLE


class TestTheLook:
    @pytest.mark.parametrize("lang", ["en", "zh"])
    @pytest.mark.parametrize("size", list(SIZES))
    def test_page(self, watch, lang: str, size: str):
        tab = watch(lang=lang, **SIZES[size])
        tab.wait_sees(CHAPTER)
        before = tab.evaluate("(s) => document.querySelector(s).getBoundingClientRect().top", CHAPTER)
        tab.click(f"{CHAPTER} >> nth=1")
        tab.click(PLAY)
        tab.wait_moving()
        look_at(tab, f"watch-{lang}-{size}")
        tab.click(FULL)
        tab.until(lambda: tab.evaluate("() => !!document.fullscreenElement"), "full screen")
        look_at(tab, f"watch-full-{lang}-{size}")
        tab.press("f")
        tab.until(lambda: tab.evaluate("() => !document.fullscreenElement"), "the page again")
        tab.evaluate("() => document.querySelector('.watch-facts').scrollIntoView()")
        look_at(tab, f"watch-facts-{lang}-{size}")
        after = tab.evaluate(
            "(s) => document.querySelector(s).getBoundingClientRect().top + scrollY", CHAPTER
        )
        assert after == pytest.approx(before, abs=1), "the page shifted"
        assert [line for line in tab.console if line.startswith(("error", "page error"))] == []
