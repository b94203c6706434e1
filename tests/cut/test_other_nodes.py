"""Guards of several nodes: a cut made anywhere is dark everywhere, and told by who made it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.cut.kills import KillFiles
from liveserver.cut.neighbours import DIGEST_TOPIC, LIST_LENGTH, LIST_TOPIC, STATE_TOPIC, WANT_TOPIC
from liveserver.rtp.flags import AUDIO, VIDEO
from tests.cut.booth import MS, ROW, Booth
from tests.drivers.process import until


class TestOtherNodes:
    """Two guards on one bus, each with flags and files of its own."""

    @pytest.fixture
    def there(self, booth: Booth, tmp_path: Path) -> Iterator[Booth]:
        made = Booth(tmp_path / "there", bus=booth.bus, lease_ns=500 * MS)
        made.guard.know("a")
        made.guard.open("a", ROW)
        yield made
        made.guard.stop()

    def test_a_cut_is_dark_there_and_lasts_until_it_is_lifted_anywhere(self, booth, there):
        booth.cut()
        until(lambda: not there.allows(), "dark there")
        until((there.folder / "a.json").exists, "its kill file")
        assert KillFiles(there.folder).load()["a"].kill == booth.guard.kill_of("a")
        there.restore()
        until(booth.allows, "lit here")

    def test_only_who_did_it_tells_the_ledger(self, booth, there):
        booth.cut()
        until(lambda: there.guard.kill_of("a").standing, "known there")
        assert there.guard.unrecorded() == []
        assert [act.kind for _, act in booth.guard.unrecorded()] == ["cut"]

    def test_a_full_disk_there_keeps_no_cut_from_being_carried_out_there(self, booth, there):
        (there.folder / "a.part").mkdir()  # its kill file cannot be written
        booth.cut(level=Level.PICTURE)
        until(lambda: "" in [act["id"] for act in there.heard], "its main loop told")
        assert (there.allows(VIDEO), there.allows(AUDIO)) == (False, True)

    def test_what_a_full_disk_cannot_say_is_lifted_stays_dark_there(self, booth, there):
        booth.cut()
        until((there.folder / "a.json").exists, "its kill file")
        (there.folder / "a.part").mkdir()
        booth.restore()
        assert booth.allows() and not there.allows()
        (there.folder / "a.part").rmdir()
        until(there.allows, "lit there, once its disk takes it")

    def test_what_was_cut_anew_meanwhile_is_all_that_stays_dark(self, booth, there):
        booth.cut()
        until((there.folder / "a.json").exists, "its kill file")
        (there.folder / "a.part").mkdir()
        booth.restore()
        booth.cut(level=Level.PICTURE)
        until(lambda: "picture" in [cut.level for cut in there.guard.kill_of("a").standing.values()], "known")
        assert (there.allows(VIDEO), there.allows(AUDIO)) == (False, False)
        (there.folder / "a.part").rmdir()
        until(lambda: there.allows(AUDIO), "lit there, once its disk takes it")
        assert not there.allows(VIDEO)

    def test_two_persons_may_be_on_two_nodes(self, booth, there):
        booth.guard.two_persons("a", True)
        booth.cut()
        booth.restore(by="one")
        until(lambda: there.guard.asked("a"), "known there")
        with pytest.raises(PeerError, match="second_person_needed"):
            there.restore(by="one")
        assert there.restore(by="two")["state"] == "restored"
        until(booth.allows, "lit here")

    def test_what_was_missed_is_made_up_for(self, booth, tmp_path):
        booth.cut()
        booth.guard.know("b")
        booth.cut("b", Level.PAUSE)
        booth.restore("b")
        late = Booth(tmp_path / "late", bus=booth.bus, lease_ns=100 * MS)
        late.guard.know("c")
        late.cut("c")
        until(lambda: late.guard.kill_of("a").standing and late.guard.kill_of("b").epoch, "caught up")
        until(lambda: booth.guard.kill_of("c").standing, "and the other way round")
        assert late.guard.kill_of("b") == booth.guard.kill_of("b")
        late.guard.stop()

    @pytest.mark.parametrize(
        ("topic", "message"),
        [
            (STATE_TOPIC, {}),
            (STATE_TOPIC, {"kill": {"lesson": "a", "cuts": 7}}),
            (LIST_TOPIC, {"kills": 7}),
            (LIST_TOPIC, {"kills": {str(n): "x" for n in range(LIST_LENGTH + 1)}}),
            (WANT_TOPIC, {"lessons": "all"}),
            (WANT_TOPIC, {"lessons": ["nobody's", 7]}),
            (DIGEST_TOPIC, {}),
        ],
    )
    def test_nonsense_on_the_bus_does_not_end_the_guard(self, booth, topic, message):
        booth.bus.publish(topic, {"node": "other", **message})
        booth.cut()
        assert not booth.allows()
