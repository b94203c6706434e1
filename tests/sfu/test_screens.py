"""A lesson's pictures on their way to a screen process, and what comes of them for its viewers."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from liveserver.core.screening import (
    Kind,
    Mode,
)
from tests.sfu.school import RULES, WATCH, Camera


class TestALesson:
    async def test_its_pictures_are_looked_at_and_what_is_found_is_told(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        camera.send("wrong")
        await school.told.until(lambda told: told.findings)
        assert [look[:2] for look in school.told.looks] == [("a", "camera")] * 2
        assert school.told.looks[1][3:] == ({"porn": 0.9}, b"thumbnail")
        ((lesson, finding),) = school.told.findings
        assert (lesson, finding.kind, finding.track) == ("a", Kind.FRAME, "camera")
        assert finding.at_ms == school.hall.clock.wall_ms()
        assert finding.jpeg == b"evidence"
        assert len(finding.content_sha256) == 64
        assert list(finding.models) == ["puppet"]

    async def test_begins_with_the_newest_keyframe_that_there_is(self, school):
        screen = school.open["a"] = school.screens.of("a")
        await school.ready()
        uplink = school.hall.source("camera", "vp8").uplink
        camera = Camera(school.hall, uplink)
        for number in range(5):
            camera.send(key=number == 2)
        screen.publish([uplink])
        await school.looked_at("a", 3)

    async def test_by_keyframes_alone_only_those_are_decoded(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.KEYFRAMES)
        camera = school.teach()
        await school.ready()
        for number in range(50):
            camera.send(key=number % 25 == 0)
            await asyncio.sleep(0)
        await school.looked_at("a", 2)
        assert school.screens.numbers()["frames_total"] == 2

    async def test_not_screened_at_all_nothing_is_decoded(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.OFF)
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        assert school.open["a"].lanes == []
        assert camera.uplink.taps == []

    async def test_another_policy_holds_from_the_next_tick_on(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        for mode in (Mode.OFF, Mode.SCREENED, Mode.WATCH, Mode.KEYFRAMES):
            school.policies["a"] = replace(WATCH, mode=mode)
            school.tick()
            seen = len(school.told.looks)
            camera.send(key=True)
            if mode is not Mode.OFF:
                await school.looked_at("a", seen + 1)
            assert (school.open["a"].gate is not None) == (mode is Mode.SCREENED)

    async def test_ends_with_its_tracks(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        school.open["a"].close()
        assert camera.uplink.taps == []
        assert school.screens.numbers()["lessons_seeing"] == 0

    async def test_a_new_source_of_the_track_begins_anew(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        camera.ssrc, camera.sequence, camera.timestamp = 9, 700, 5
        camera.send(key=True)
        camera.send()
        await school.looked_at("a", 3)

    async def test_lists_of_words_reach_a_process_that_comes_later_too(self, school):
        school.screens.use_list("house", b"rows")
        school.teach()
        await school.ready()
        assert school.screens._screeners[0].lists == {"house": b"rows"}


class TestScreenedBeforeShown:
    async def test_a_finding_shuts_the_gate_until_a_person_lifts_what_followed(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.SCREENED)
        camera = school.teach()
        await school.ready()
        camera.send("wrong", key=True)
        await school.told.until(lambda told: told.findings)
        screen = school.open["a"]
        assert screen.gate.is_closed
        screen.lifted()
        assert not screen.gate.is_closed
        assert camera.uplink.keyframe_due(school.hall.clock.now_ns + 10**10)

    async def test_one_that_asks_for_a_warning_does_not(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.SCREENED, rules=RULES[:1])
        camera = school.teach()
        await school.ready()
        camera.send("wrong", key=True)
        await school.told.until(lambda told: told.findings)
        assert not school.open["a"].gate.is_closed

    async def test_it_stays_shut_when_the_publisher_comes_back(self, school):
        school.policies["a"] = replace(WATCH, mode=Mode.SCREENED)
        camera = school.teach()
        await school.ready()
        camera.send("wrong", key=True)
        await school.told.until(lambda told: told.findings)
        school.open["a"].publish([school.hall.source("camera", "vp8").uplink])
        assert school.open["a"].gate.is_closed


class TestTakingTurns:
    async def test_a_lesson_that_costs_much_does_not_starve_the_others(self, school):
        dear, cheap = school.teach("dear"), school.teach("cheap")
        await school.ready()
        for number in range(40):
            dear.send("dear", key=number == 0)
            cheap.send(key=number == 0)
        await school.looked_at("cheap", 40)
        assert sum(look[0] == "dear" for look in school.told.looks) <= 10
        await school.looked_at("dear", 40)

    async def test_lessons_share_the_processes_evenly(self, school):
        school.with_processes(2)
        for number in range(6):
            school.teach(f"lesson {number}")
        assert [len(screener) for screener in school.screens._screeners] == [3, 3]
        await school.ready()
