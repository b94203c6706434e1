"""A cut is dark at once, one however often it is asked for, and told."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.rtp.flags import ALL, AUDIO, VIDEO
from tests.cut.booth import ROW
from tests.drivers.process import until


class TestCut:
    def test_a_room_is_lit_once_it_is_open_and_dark_once_it_is_cut(self, booth):
        assert booth.allows(VIDEO) and booth.allows(AUDIO)
        answer = booth.cut()
        assert not booth.allows(VIDEO) and not booth.allows(AUDIO)
        assert (answer["level"], answer["reason"], answer["by"]) == ("lesson", "advert", "mod")
        assert answer["dark_ms"] >= 0

    def test_a_room_that_nobody_opened_is_dark(self, booth):
        assert not booth.flags.allows(ROW + 1, VIDEO, booth.clock.monotonic_ns())

    def test_before_the_room_is_open_it_holds_from_the_first_packet(self, booth):
        booth.guard.know("b")
        booth.cut("b")
        booth.guard.open("b", ROW + 1)
        assert booth.flags.dark(ROW + 1) == ALL

    def test_a_row_that_another_lesson_had_is_lit_for_the_next(self, booth):
        booth.cut()
        booth.guard.close("a")
        booth.guard.know("b")
        booth.guard.open("b", ROW)
        assert booth.allows()

    def test_a_lesson_that_comes_back_is_still_cut(self, booth):
        booth.cut()
        booth.guard.close("a")
        booth.guard.open("a", ROW)
        assert not booth.allows()

    def test_the_picture_alone(self, booth):
        booth.cut(level=Level.PICTURE)
        assert (booth.allows(VIDEO), booth.allows(AUDIO)) == (False, True)

    def test_chat_or_a_person_darken_nothing(self, booth):
        booth.cut(level=Level.CHAT)
        booth.cut(level=Level.PERSON, person="p")
        assert booth.allows()
        assert set(booth.guard.kill_of("a").removed) == {"p"}

    def test_asked_for_twice_it_is_one_cut(self, booth):
        first, second = booth.cut(), booth.cut()
        assert (first["epoch"], first["at_ms"]) == (second["epoch"], second["at_ms"])
        until(lambda: booth.heard, "the cut on the bus")
        assert len(booth.heard) == 1

    def test_everybody_hears_of_it(self, booth):
        booth.cut(level=Level.PICTURE)
        booth.restore()
        until(lambda: len(booth.heard) == 2, "cut and restore on the bus")
        assert [(m["lesson"], m["kind"]) for m in booth.heard] == [("a", "cut"), ("a", "restore")]
        assert booth.heard[0]["data"]["level"] == "picture"

    @pytest.mark.parametrize("reason", ["", " ", "x" * 201])
    def test_it_needs_a_reason(self, booth, reason):
        with pytest.raises(PeerError, match="bad_request"):
            booth.run(booth.guard.cut("a", Level.LESSON, reason, None, "mod"))
        assert booth.allows()

    @pytest.mark.parametrize(("level", "person"), [(Level.PERSON, None), (Level.LESSON, "p")])
    def test_a_person_is_named_for_that_level_alone(self, booth, level, person):
        with pytest.raises(PeerError, match="bad_request"):
            booth.cut(level=level, person=person)

    def test_an_unknown_lesson_is_refused(self, booth):
        with pytest.raises(PeerError) as raised:
            booth.cut("nobody")
        assert raised.value.status == 404
