"""A long recording in the player's page: its files are one lesson, and one plays on into the next."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liveserver.store import Lesson, Recording, open_store
from tests.browser.classroom import by_testid
from tests.browser.test_pages import SIZES, look_at
from tests.browser.test_watch import CHAPTER, PLAY, TIME, current, shown_ms, video
from tests.drivers.chromium import Chromium, ChromiumTab
from tests.drivers.server import Server
from tests.recorder.deck import Deck
from tests.recorder.media import audio, in_order, without
from tests.recorder.media import video as pictures

TITLE = "Occupational safety in the workshop, a whole day 车间职业安全全天课程"
HASH, REEL = by_testid("hash"), by_testid("reel")
UNTIL_MS = 1_900_000_000_000


@pytest.fixture(scope="module")
def long(network: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, list[Recording]]]:
    """A server that has a recording of three sealed reels, and a fourth that is still recorded."""
    folder = tmp_path_factory.mktemp("long")
    size = {"width": 640, "height": 360}
    camera = list(without(pictures(15, **size), 8_000, 9_000))  # type: ignore[arg-type]
    deck = Deck(folder, 3000).play(in_order(camera, audio(15)))
    deck.end()
    server = Server(folder / "server", LIVESERVER_RECORDER_ENABLED="false")
    shutil.copytree(folder / "objects", server.data / "recordings" / "objects")
    rows = [row_of(event) for event in deck.events]
    end_ms = rows[-1].begins_ms + (rows[-1].duration_ms or 0)
    rows.append(Recording("r1-4", "L1", "recording", "", 9, series="r1", reel=4, begins_ms=end_ms))
    asyncio.run(fill(server.data, rows))
    server.start()
    yield server, rows
    assert server.stop() == 0
    assert server.tracebacks() == []


def row_of(event: dict[str, Any]) -> Recording:
    named = {name: event[name] for name in ("path", "started_at_ms", "sha256", "size", "duration_ms", "gaps")}
    place = {name: event[name] for name in ("series", "reel", "begins_ms")}
    return Recording(
        event["recording"], "L1", "sealed", sealed_at_ms=2, retain_until_ms=UNTIL_MS, **named, **place
    )


async def fill(data: Path, rows: list[Recording]) -> None:
    store = await open_store(f"sqlite:///{data / 'liveserver.db'}")
    await store.lessons.create(Lesson("L1", TITLE, "Wang", "ended", 1, 2, 3))
    for row in rows:
        await store.recordings.save(row)
    await store.close()


@pytest.fixture
def watch(chromium: Chromium, long: Any) -> Iterator[Any]:
    server, _ = long
    tabs: list[ChromiumTab] = []

    def open_page(recording: str = "r1", lang: str = "en", **options: Any) -> ChromiumTab:
        tab = chromium.tab(**options)
        tabs.append(tab)
        tab.goto(f"{server.base_url}/watch/{recording}?lang={lang}#token={server.token('inspector')}")
        tab.wait_sees(CHAPTER)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


def count(tab: ChromiumTab, selector: str) -> int:
    return tab.evaluate("(s) => document.querySelectorAll(s).length", selector)


class TestTheParts:
    def test_are_one_lesson_and_play_on_into_each_other(self, watch, long):
        _, rows = long
        second = rows[1].begins_ms
        tab = watch()
        assert "0:15" in tab.text(TIME)
        assert count(tab, CHAPTER) == 3  # one for each part, until chapters are made
        assert tab.text("h1") == TITLE
        tab.evaluate("(ms) => { const i = document.querySelector('[data-testid=position]'); i.value = ms;"
                     " i.dispatchEvent(new Event('input')); }", second - 1500)  # fmt: skip
        tab.until(lambda: video(tab)["at"] > 1 and shown_ms(tab) == second - 1500, "the place sought")
        assert "/recordings/r1?" in video(tab)["src"]
        tab.click(PLAY)
        tab.until(lambda: "/recordings/r1-2?" in video(tab)["src"], "the second part", timeout_s=15)
        tab.until(lambda: second < shown_ms(tab) < rows[2].begins_ms, "going on there")
        assert (current(tab), video(tab)["paused"]) == ([1], False)
        tab.click(f"{CHAPTER} >> nth=2")
        tab.until(lambda: "/recordings/r1-3?" in video(tab)["src"], "the third part")
        tab.until(lambda: video(tab)["paused"] and shown_ms(tab) > 14_000, "the end", timeout_s=15)

    def test_each_is_proven_by_itself_and_the_last_is_still_made(self, watch, long):
        _, rows = long
        tab = watch("r1-2")  # opened by a later part's row, it begins there
        tab.until(lambda: shown_ms(tab) == rows[1].begins_ms, "the second part")
        assert count(tab, HASH) == 3
        assert count(tab, REEL) == 4
        gaps = [(row.begins_ms + gap["from_ms"]) for row in rows for gap in row.gaps]
        assert count(tab, by_testid("gap-mark")) == len(gaps) > 0

    @pytest.mark.parametrize("lang", ["en", "zh"])
    @pytest.mark.parametrize("size", list(SIZES))
    def test_page(self, watch, lang: str, size: str):
        tab = watch(lang=lang, **SIZES[size])
        tab.click(f"{CHAPTER} >> nth=1")
        tab.until(lambda: video(tab)["width"], "a picture")
        look_at(tab, f"watch-reels-{lang}-{size}")
        tab.evaluate("() => document.querySelector('.watch-facts').scrollIntoView()")
        look_at(tab, f"watch-reels-facts-{lang}-{size}")
        assert [line for line in tab.console if line.startswith(("error", "page error"))] == []
