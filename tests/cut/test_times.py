"""How long a cut took: what the words of the fan-out say, and what the main loop adds."""

from __future__ import annotations

from typing import Any

from liveserver.core.events.cut import Level
from tests.cut.booth import MS, ROW, Booth
from tests.drivers.process import until


class TestItsOwnTimes:
    """What the words of the fan-out say, and what the main loop adds."""

    def measured(self, booth: Booth) -> dict[str, Any]:
        until(lambda: "cut_measured" in booth.kinds(), "measured")
        return booth.heard[-1]["data"]

    def test_the_last_packet_of_each_transport_until_everybody_is_told(self, booth):
        began_ns = booth.clock.monotonic_ns()
        booth.flags.watched(ROW, 20)
        booth.flags.left(ROW, began_ns - 7 * MS, tcp=False)
        cut = booth.run(booth.guard.cut("a", Level.LESSON, "advert", None, "mod", began_ns))
        assert booth.kinds() == ["cut"]
        booth.guard.told(cut["id"], began_ns + 30 * MS)
        found = self.measured(booth)
        assert (found["viewers"], found["udp_us"], found["tcp_us"]) == (20, -7000, None)
        assert (found["told_us"], found["dark_us"]) == (30_000, found["flags_us"])
        assert booth.guard.measured("a", cut["id"]).shown()["udp_ms"] == -7.0

    def test_what_is_still_being_sent_counts(self, booth):
        began_ns = booth.clock.monotonic_ns()
        with booth.flags.sending(ROW):
            cut = booth.run(booth.guard.cut("a", Level.LESSON, "advert", None, "mod", began_ns))
            booth.guard.told(cut["id"], began_ns + 1)
            last_ns = booth.clock.monotonic_ns() + 3 * MS
            booth.flags.left(ROW, last_ns, tcp=False)
        found = self.measured(booth)
        assert found["dark_us"] == found["udp_us"] == (last_ns - began_ns) // 1000

    def test_tcp_counts_until_the_kernel_s_queues_are_empty(self, booth):
        began_ns = booth.clock.monotonic_ns()
        booth.flags.left(ROW, began_ns - MS, tcp=True)
        cut = booth.run(booth.guard.cut("a", Level.PAUSE, "advert", None, "mod", began_ns))
        booth.guard.told(cut["id"], began_ns + 1)
        booth.guard.drained(cut["id"], began_ns + 90 * MS)
        found = self.measured(booth)
        assert found["tcp_us"] == found["dark_us"] == 90_000

    def test_where_nobody_watches_over_tcp_any_more_its_last_packet_counts(self, booth):
        began_ns = booth.clock.monotonic_ns()
        booth.flags.left(ROW, began_ns - MS, tcp=True)
        cut = booth.run(booth.guard.cut("a", Level.PAUSE, "advert", None, "mod", began_ns))
        booth.guard.told(cut["id"], began_ns + 1)
        booth.guard.drained(cut["id"], 0)
        assert self.measured(booth)["tcp_us"] == -1000

    def test_a_person_is_dark_once_he_is_sent_away(self, booth):
        began_ns = booth.clock.monotonic_ns()
        cut = booth.run(booth.guard.cut("a", Level.PERSON, "advert", "p", "mod", began_ns))
        booth.guard.told(cut["id"], began_ns + 12 * MS)
        assert self.measured(booth)["dark_us"] == 12_000

    def test_they_are_on_disk(self, booth, another):
        cut = booth.cut()
        booth.guard.told(cut["id"], booth.clock.monotonic_ns())
        self.measured(booth)
        assert another().guard.measured("a", cut["id"]) == booth.guard.measured("a", cut["id"]) is not None

    def test_when_the_request_began_counts(self, booth):
        began_ns = booth.clock.monotonic_ns() - 50 * MS
        assert booth.run(booth.guard.cut("a", Level.LESSON, "x", None, "mod", began_ns))["dark_ms"] >= 50
