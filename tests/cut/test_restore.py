"""A restore lifts everything, once a restart would too, and by two persons where that is the rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.cut.kills import dark_kinds
from tests.cut.booth import ROW, Booth
from tests.drivers.process import until


class TestRestore:
    def test_it_is_light_again_and_stays_so_after_a_restart(self, booth, another):
        booth.cut()
        booth.restore()
        assert booth.allows()
        assert dark_kinds(another().guard.kill_of("a")) == 0

    def test_it_lifts_every_level_and_every_person(self, booth):
        for level in (Level.CHAT, Level.PICTURE, Level.PAUSE, Level.LESSON):
            booth.cut(level=level)
        booth.cut(level=Level.PERSON, person="p")
        booth.restore()
        kill = booth.guard.kill_of("a")
        assert (kill.cuts, kill.removed, booth.allows()) == ({}, {}, True)

    def test_epochs_count_on(self, booth):
        epochs = [booth.cut()["epoch"], booth.restore()["epoch"], booth.cut()["epoch"]]
        assert epochs == [1, 2, 3]

    def test_what_is_not_cut_cannot_be_restored(self, booth):
        with pytest.raises(PeerError) as raised:
            booth.restore()
        assert raised.value.status == 409

    def test_when_the_file_cannot_be_written_it_stays_dark(self, booth):
        booth.cut()
        (booth.folder / "a.part").mkdir()
        with pytest.raises(OSError, match="directory"):
            booth.restore()
        assert not booth.allows()
        (booth.folder / "a.part").rmdir()
        booth.restore()
        assert booth.allows()


class TestTwoPersons:
    @pytest.fixture
    def strict(self, another: Callable[..., Booth]) -> Booth:
        made = another(two_persons=True)
        made.guard.know("a")
        made.guard.open("a", ROW)
        made.cut()
        return made

    def test_the_first_waits_and_the_second_lifts(self, strict):
        waiting = strict.restore(by="one")
        assert (waiting["state"], waiting["by"]) == ("waiting_for_second", "one")
        assert waiting["expires_at_ms"] == waiting["at_ms"] + 600_000
        assert not strict.allows() and strict.guard.asked("a").by == "one"
        assert strict.restore(by="two")["state"] == "restored"
        assert strict.allows() and strict.guard.asked("a") is None
        until(lambda: len(strict.heard) == 3, "all of it told")
        assert strict.kinds() == ["cut", "restore_asked", "restore"]
        assert strict.heard[-1]["data"]["first_by"] == "one"

    def test_the_same_person_again_is_refused(self, strict):
        strict.restore(by="one")
        with pytest.raises(PeerError) as raised:
            strict.restore(by="one")
        assert (raised.value.code, raised.value.status) == ("second_person_needed", 409)
        assert not strict.allows()

    def test_who_cut_may_be_one_of_them(self, strict):
        strict.restore(by="mod")
        assert strict.restore(by="two")["state"] == "restored"

    def test_it_waits_over_a_restart(self, strict, another):
        strict.restore(by="one")
        again = another(two_persons=False)  # what stood when it was cut still holds
        again.guard.know("a")
        with pytest.raises(PeerError, match="second_person_needed"):
            again.restore(by="one")
        assert again.restore(by="two")["state"] == "restored"

    def test_after_its_time_another_first_person_is_needed(self, another):
        booth = another(two_persons=True, within_ms=0)
        booth.guard.know("a")
        booth.cut()
        assert booth.restore(by="one")["state"] == "waiting_for_second"
        assert booth.restore(by="two")["state"] == "waiting_for_second"

    def test_a_new_cut_makes_it_void(self, strict):
        strict.restore(by="one")
        strict.cut(level=Level.CHAT)
        assert strict.restore(by="two")["state"] == "waiting_for_second"

    def test_a_lesson_may_have_a_policy_of_its_own(self, booth, strict):
        booth.guard.two_persons("a", True)
        booth.cut(level=Level.CHAT)
        assert booth.restore()["state"] == "waiting_for_second"
        strict.guard.know("b")
        strict.guard.two_persons("b", False)
        strict.cut("b")
        assert strict.restore("b")["state"] == "restored"

    def test_one_that_comes_while_it_is_cut_holds_as_well(self, booth):
        booth.cut()
        booth.guard.two_persons("a", True)
        assert booth.restore()["state"] == "waiting_for_second"
        booth.guard.two_persons("a", None)
        assert booth.restore(by="two")["state"] == "restored"
