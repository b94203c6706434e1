"""What was cut is dark after a restart, whatever the disk says, and the ledger misses none of it."""

from __future__ import annotations

import json

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.cut.kills import dark_kinds
from liveserver.rtp.flags import ALL
from tests.cut.booth import ROW
from tests.drivers.process import until


class TestDurability:
    def test_a_new_guard_on_the_same_folder_is_dark_before_any_lease(self, booth, another):
        booth.cut()
        booth.guard.stop()
        again = another()
        again.guard.know("a")
        assert not again.allows()
        again.guard.open("a", ROW)
        assert again.flags.dark(ROW) == ALL
        assert not again.allows()
        assert again.guard.kill_of("a").cuts[Level.LESSON].reason == "advert"

    def test_the_cut_is_on_disk_when_it_is_answered(self, booth):
        booth.cut()
        assert json.loads((booth.folder / "a.json").read_text())["kill"]["cuts"][0]["level"] == "lesson"

    def test_an_unreadable_file_is_dark(self, booth, another):
        booth.cut()
        (booth.folder / "a.json").write_bytes(b"\0" * 50)
        again = another()
        again.guard.know("a")
        again.guard.open("a", ROW)
        assert not again.allows()

    def test_a_full_disk_darkens_and_tells_all_the_same_and_says_that_it_will_not_last(self, booth, another):
        (booth.folder / "a.part").mkdir()  # the file cannot be written
        with pytest.raises(PeerError) as raised:
            booth.cut()
        assert raised.value.status == 500
        assert not booth.allows()
        until(lambda: booth.heard, "the cut on the bus")
        with pytest.raises(PeerError):
            booth.cut()
        (booth.folder / "a.part").rmdir()
        until((booth.folder / "a.json").exists, "put down once the disk takes it")
        assert dark_kinds(another().guard.kill_of("a")) == ALL
        assert len(booth.heard) == 1


class TestForTheLedger:
    def test_what_it_has_not_yet_is_kept_over_a_restart(self, booth, another):
        cut = booth.cut()
        booth.restore()
        assert [act.kind for _, act in another().guard.unrecorded()] == ["cut", "restore"]
        booth.guard.recorded("a", cut["id"])
        until(lambda: len(booth.guard.unrecorded()) == 1, "forgotten")
        assert [(lesson, act.kind) for lesson, act in another().guard.unrecorded()] == [("a", "restore")]
