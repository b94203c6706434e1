"""How well a lesson is seen, and what is done when nobody sees it for too long."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from liveserver.core.screening import (
    Mode,
    Seeing,
    Sight,
    WhenBlind,
)
from liveserver.sfu import screener as module
from tests.sfu.school import WATCH, Camera, School, soon


class TestSight:
    async def test_is_off_while_nothing_is_sent_and_seeing_once_somebody_looked(self, school):
        camera = school.teach()
        await school.ready()
        school.tick()
        assert school.sight().seeing is Seeing.OFF
        camera.send(key=True)
        await school.looked_at("a", 1)
        school.tick()
        assert school.sight() == Sight(
            Seeing.SEEING, school.hall.clock.wall_ms(), Mode.WATCH, 0, held_back=False
        )
        school.tick(5_000)
        assert school.sight().seeing is Seeing.OFF

    async def test_is_blind_from_the_last_verdict_on_when_the_process_dies(self, school, monkeypatch):
        monkeypatch.setattr(module, "PAUSES_S", (0.0, 1.0))  # long enough to be seen from here
        school.with_processes(1)
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        school.tick()
        seen_ms = school.hall.clock.wall_ms()
        os.kill(school.screens._screeners[0].pid, signal.SIGKILL)
        await soon(lambda: not school.screens._screeners[0].is_ready)
        camera.send()
        school.tick(1_000)
        assert (school.sight().seeing, school.sight().since_ms) == (Seeing.BLIND, seen_ms)
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 2)
        school.tick()
        assert school.told.seeing("a")[-2:] == ["blind", "seeing"]
        assert school.screens.numbers()["restarts_total"] == 1
        assert school.holds == []

    async def test_is_behind_when_verdicts_are_late_and_blind_when_they_stay_away(self, school):
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        school.tick()
        for _ in range(110):
            school.hall.clock.advance(100)
            camera.send("late")
            for screen in school.open.values():
                screen.tick(school.hall.clock.now_ns)
        assert school.told.seeing("a")[-2:] == ["behind", "blind"]

    async def test_a_process_that_cannot_start_leaves_every_lesson_blind(self, school):
        school.with_processes(1, ("/nonexistent",))
        camera = school.teach()
        for wanted in (Seeing.BEHIND, Seeing.BEHIND, Seeing.BEHIND, Seeing.BLIND):
            camera.send(key=True)
            school.tick()
            assert school.sight().seeing is wanted  # a first start takes a moment, and no longer
            school.tick(2_000)


class TestTheDeadMan:
    async def blind(self, school: School, when_blind: WhenBlind, mode: Mode = Mode.WATCH) -> Camera:
        """A lesson that nobody has looked at for longer than its policy allows."""
        school.policies["a"] = replace(WATCH, mode=mode, when_blind=when_blind, blind_after_ms=5_000)
        camera = school.teach()
        await school.ready()
        camera.send(key=True)
        await school.looked_at("a", 1)
        for _ in range(2):
            camera.send("late")
            school.hall.clock.advance(2_450)
            school.open["a"].tick(school.hall.clock.now_ns)
        assert school.screens.numbers()["alarms_total"] == 0
        school.hall.clock.advance(200)
        school.open["a"].tick(school.hall.clock.now_ns)
        return camera

    async def test_raises_an_alarm_and_by_policy_holds_the_picture_back(self, school):
        await self.blind(school, WhenBlind.SLATE)
        assert school.screens.numbers()["alarms_total"] == 1
        assert school.holds == [True]
        assert school.sight().held_back

    async def test_or_lets_it_go_on(self, school):
        await self.blind(school, WhenBlind.PASS)
        assert school.screens.numbers()["alarms_total"] == 1
        assert school.holds == []
        assert not school.sight().held_back

    async def test_screened_pictures_go_on_by_their_age_then(self, school):
        await self.blind(school, WhenBlind.PASS, Mode.SCREENED)
        assert school.open["a"].gate.is_unguarded

    async def test_or_not_at_all(self, school):
        await self.blind(school, WhenBlind.SLATE, Mode.SCREENED)
        assert not school.open["a"].gate.is_unguarded

    async def test_it_is_over_once_somebody_looks(self, school):
        camera = await self.blind(school, WhenBlind.SLATE)
        seen = len(school.told.looks)
        camera.send()
        await school.looked_at("a", seen + 3)
        school.open["a"].tick(school.hall.clock.now_ns)
        assert school.holds == [True, False]
