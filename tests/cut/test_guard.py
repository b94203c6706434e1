"""The cut lane: dark at once, dark after a restart, dark when the guard is gone, whatever else hangs."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from liveserver.bus import Bus, MemoryBus
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Level
from liveserver.core.permissions import Role
from liveserver.cut.guard import ACT_TOPIC, Guard
from liveserver.cut.kills import KillFiles, dark_kinds
from liveserver.cut.neighbours import DIGEST_TOPIC, LIST_LENGTH, LIST_TOPIC, STATE_TOPIC, WANT_TOPIC
from liveserver.http.context import Edge
from liveserver.http.control import control_app
from liveserver.http.listen import listen
from liveserver.metrics import Metrics
from liveserver.rtp.flags import ALL, AUDIO, VIDEO, Flags
from liveserver.tokens import Tokens
from tests.drivers.process import until

ROW = 2
MS = 1_000_000


class Booth:
    """A guard over a folder of its own, and the room's part of a node: who is told and says when."""

    def __init__(self, folder: Path, *, lease_ns: int = 5_000 * MS, bus: Bus | None = None, **rules: Any):
        self.folder = folder
        self.bus = bus or MemoryBus()
        self.flags = Flags(4)
        self.clock = Clock()
        self.files = KillFiles(folder)
        self.heard: list[dict[str, Any]] = []
        self.tokens = Tokens(bytes(32))
        self.url = ""
        self.guard = Guard(self.flags, self.files, self.bus, self.clock, lease_ns, self._serve, **rules)
        self.guard.start()

    async def _serve(self, guard: Guard) -> Callable[[], Any]:
        loop = asyncio.get_running_loop()
        self._unsubscribe = self.bus.subscribe(ACT_TOPIC, self.heard.append, loop)
        config = Config()
        app = control_app(Edge(config, self.tokens, Metrics(), self.clock), guard)
        listener = await listen(app, "127.0.0.1", 0, config.http, Metrics())
        self.url = listener.url
        return listener.close

    def run(self, coroutine: Any) -> dict[str, Any]:
        """On the guard's own loop, waited for from this thread."""
        return asyncio.run(self.guard.call(coroutine))

    def cut(
        self, lesson: str = "a", level: Level = Level.LESSON, person: str | None = None
    ) -> dict[str, Any]:
        return self.run(self.guard.cut(lesson, level, "advert", person, "mod"))

    def restore(self, lesson: str = "a", by: str = "mod") -> dict[str, Any]:
        return self.run(self.guard.restore(lesson, "checked", by))

    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.heard]

    def allows(self, kind: int = VIDEO) -> bool:
        return self.flags.allows(ROW, kind, self.clock.monotonic_ns())

    def stop(self) -> None:
        self.guard.stop()
        self.bus.close()


@pytest.fixture
def booth(tmp_path: Path) -> Iterator[Booth]:
    made = Booth(tmp_path / "kills")
    made.guard.know("a")
    made.guard.open("a", ROW)
    yield made
    made.stop()


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[..., Booth]]:
    """More guards over the same folder, stopped at the end."""
    made: list[Booth] = []

    def make(**how: Any) -> Booth:
        made.append(Booth(tmp_path / "kills", **how))
        return made[-1]

    yield make
    for one in made:
        one.stop()


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

    @pytest.mark.parametrize("reason", ["", " ", "x" * 501])
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


class TestForTheLedger:
    def test_what_it_has_not_yet_is_kept_over_a_restart(self, booth, another):
        cut = booth.cut()
        booth.restore()
        assert [act.kind for _, act in another().guard.unrecorded()] == ["cut", "restore"]
        booth.guard.recorded("a", cut["id"])
        until(lambda: len(booth.guard.unrecorded()) == 1, "forgotten")
        assert [(lesson, act.kind) for lesson, act in another().guard.unrecorded()] == [("a", "restore")]


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
        booth.cut()
        assert dark_kinds(another().guard.kill_of("a")) == ALL
        assert len(booth.heard) == 1


class TestLease:
    def test_it_is_renewed_for_as_long_as_the_guard_lives(self, another):
        booth = another(lease_ns=100 * MS)
        booth.guard.know("a")
        booth.guard.open("a", ROW)
        opened_ns = booth.clock.monotonic_ns()
        until(lambda: booth.clock.monotonic_ns() > opened_ns + 300 * MS, "three leases passed")
        assert booth.allows()

    def test_it_runs_out_when_the_guard_stops(self, another):
        booth = another(lease_ns=100 * MS)
        booth.guard.know("a")
        booth.guard.open("a", ROW)
        booth.guard.stop()
        assert not booth.guard.alive
        until(lambda: not booth.allows(), "the lease run out")

    def test_it_runs_out_when_the_bus_would_bring_no_cut(self, another):
        booth = another(lease_ns=100 * MS)
        booth.guard.know("a")
        booth.guard.open("a", ROW)
        booth.bus.close()
        until(lambda: not booth.allows(), "the lease run out")
        assert booth.guard.alive


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


class TestStarting:
    @pytest.mark.parametrize("error", [OSError("port taken"), RuntimeError("a mistake of ours")])
    def test_a_port_that_does_not_open_is_told_to_the_starter(self, tmp_path, error):
        async def serve(guard: Guard) -> Any:
            raise error

        guard = Guard(Flags(1), KillFiles(tmp_path), MemoryBus(), Clock(), 10**9, serve)
        told: list[BaseException] = []

        def start() -> None:
            try:
                guard.start()
            except (OSError, RuntimeError) as failure:
                told.append(failure)

        starter = threading.Thread(target=start, daemon=True)
        starter.start()
        starter.join(timeout=5)
        assert told == [error]
        until(lambda: not guard.alive, "the thread gone")


class TestControlPort:
    """The real port on the guard's own thread."""

    def post(
        self, booth: Booth, path: str, body: dict[str, str], role: Role = Role.MODERATOR
    ) -> tuple[int, Any]:
        token = booth.tokens.issue(
            person="mod", name="M", role=role, lesson="*", now_s=int(time.time()), ttl_s=60
        )
        asked = urllib.request.Request(
            f"{booth.url}/api/v1/lessons/{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def test_cut_and_restore(self, booth):
        status, answer = self.post(booth, "a/cut", {"level": "lesson", "reason": "advert"})
        assert (status, answer["level"], booth.allows()) == (200, "lesson", False)
        status, _ = self.post(booth, "a/restore", {"reason": "checked"})
        assert (status, booth.allows()) == (200, True)

    async def test_it_cuts_while_the_main_loop_is_blocked(self, booth):
        """This test's own loop is the blocked one: it waits for the thread without letting anything run."""
        answers: list[tuple[int, Any]] = []
        body = {"level": "lesson", "reason": "advert"}
        asking = threading.Thread(target=lambda: answers.append(self.post(booth, "a/cut", body)))
        asking.start()
        asking.join(timeout=5)
        assert answers[0][0] == 200
        assert not booth.allows()

    @pytest.mark.parametrize("role", [Role.LEARNER, Role.INSTRUCTOR, Role.INSPECTOR])
    def test_others_may_not(self, booth, role):
        status, answer = self.post(booth, "a/cut", {"level": "lesson", "reason": "x"}, role)
        assert (status, answer["code"], booth.allows()) == (403, "forbidden", True)

    def test_an_unknown_lesson_is_not_found(self, booth):
        assert self.post(booth, "zzz/cut", {"level": "lesson", "reason": "x"})[0] == 404
