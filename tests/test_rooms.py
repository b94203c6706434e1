"""Lessons on one node, over a real store, bus, guard and media plane: what people are told, what is kept."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from liveserver.bus import MemoryBus
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import Cut, Level
from liveserver.core.kill import Kill
from liveserver.core.permissions import Role
from liveserver.core.retention import Retention
from liveserver.core.revocation import Revoked
from liveserver.cut.guard import LEASE_TOPIC, Guard
from liveserver.cut.kills import KillFiles, Record, cut_act
from liveserver.cut.neighbours import STATE_TOPIC
from liveserver.people.people import People
from liveserver.recording import Recordings
from liveserver.revocations import Revocations
from liveserver.rooms.arrivals import Arrivals
from liveserver.rooms.connections import Connection
from liveserver.rooms.rooms import Rooms
from liveserver.rtp.flags import ALL, Flags
from liveserver.sfu.forwarder import Forwarder
from liveserver.sfu.front import Front
from liveserver.store import Store, StoreError, keeping, open_store
from liveserver.tokens import Claims
from tests.sfu.sdp import AUDIO, CONTROL, VIDEO, offer


class Carrier:
    """A way to one client that keeps what was said."""

    kind = "websocket"

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    def send(self, text: str) -> None:
        assert self.closed is None, "said after the end"
        self.heard.append(json.loads(text))

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def types(self) -> list[str]:
        return [message["type"] for message in self.heard]

    def last(self, kind: str) -> dict[str, Any]:
        return next(message for message in reversed(self.heard) if message["type"] == kind)


async def soon(look: Callable[[], Any], what: str) -> Any:
    """Let the rooms' tasks run until `look` gives something true; no real time is waited for by itself."""
    async with asyncio.timeout(10):
        while True:
            found = look()
            if found:
                return found
            await asyncio.sleep(0.002)
    raise AssertionError(what)


def claims(person: str = "li", role: Role = Role.LEARNER) -> Claims:
    return Claims(person, person.title(), role, "*", 2**40, f"token-of-{person}")


ADMIN, TEACHER, MODERATOR = (
    claims("ada", Role.ADMIN),
    claims("wang", Role.INSTRUCTOR),
    claims("mo", Role.MODERATOR),
)


class Flaky:
    """A store whose database can be taken away; everything else is the real one's."""

    def __init__(self, store: Store):
        self._store = store
        self.is_away = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            if self.is_away:
                raise StoreError("the database failed: away")
            return await found(*args, **kwargs)

        return call


async def _stop_nothing() -> None:
    """The guard of these tests serves no port."""


async def _serve_nothing(guard: Guard) -> Callable[[], Any]:
    return _stop_nothing


class Node:
    """Rooms and all they need, over one folder; `restarted` is the next life of the same node."""

    store: Store
    rooms: Rooms

    def __init__(self, folder: Path, *, journal: bool = False):
        self.folder = folder
        self._journal = folder / "journal" if journal else None

    async def start(self) -> Node:
        self.clock = Clock()
        self.flags = Flags(8)
        self.bus = MemoryBus()
        self.store = await open_store(f"sqlite:///{self.folder / 'live.db'}", journal=self._journal)
        self.flaky = Flaky(self.store)
        kills = KillFiles(self.folder / "kills")
        self.guard = Guard(self.flags, kills, self.bus, self.clock, 5 * 10**9, _serve_nothing)
        self.guard.start()
        front = Front.bind("127.0.0.1", 0, self.flags, self.clock.monotonic_ns)
        self.forwarder = Forwarder(front, self.flags, self.clock, ["127.0.0.1"])
        self.forwarder.start()
        store: Any = self.flaky
        recordings = Recordings(None, store, self.clock, Retention())
        self.revocations = Revocations(Revoked(), store, self.bus, self.clock, 86_400_000)
        self.people = People(store, self.clock, self.revocations)
        self.rooms = Rooms(
            store, self.bus, self.guard, self.forwarder, recordings, self.clock,
            screening=await self.begin_screening(store), admission=self.people.lessons, max_lessons=8,
            revocations=self.revocations,
        )  # fmt: skip
        await self.rooms.start()
        return self

    async def begin_screening(self, store: Any) -> Any:
        """Nothing is screened in most of these tests."""
        return None

    async def end_screening(self) -> None:
        """What `begin_screening` began."""

    async def stop(self) -> None:
        await self.rooms.stop()
        await self.end_screening()
        await self.forwarder.stop()
        await asyncio.to_thread(self.guard.stop)
        await self.store.close()
        self.bus.close()

    async def restarted(self) -> Node:
        await self.stop()
        return await self.start()

    async def lesson(self) -> str:
        return (await self.rooms.create_lesson("Lathe safety", ADMIN)).id

    async def join(self, lesson: str, who: Claims) -> tuple[Connection, Carrier]:
        carrier = Carrier()
        return await self.rooms.connect(lesson, who, carrier), carrier

    async def facts(self, lesson: str) -> list[str]:
        """Types of the lesson's facts in order, without presence and the times of cuts."""
        found, after = [], -1
        while page := await self.store.entries(after=after, limit=1000, lesson=lesson):
            found += [entry.type for entry in page]
            after = page[-1].index
        return [kind for kind in found if kind not in ("presence", "cut_measured")]

    async def until_facts(self, lesson: str, expected: list[str]) -> None:
        """Facts of a cut come after its effects."""
        async with asyncio.timeout(10):
            while await self.facts(lesson) != expected:  # noqa: ASYNC110 - the ledger has nobody to tell
                await asyncio.sleep(0.002)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = await Node(tmp_path).start()
    yield made
    await made.stop()


def chat(text: str, ref: str | None = None) -> str:
    return json.dumps({"type": "chat", "text": text} | ({"ref": ref} if ref else {}))


class TestLessons:
    async def test_a_new_lesson_is_a_fact_and_waits(self, node):
        lesson = await node.lesson()
        assert await node.facts(lesson) == ["create"]
        shown = await node.rooms.lesson(lesson)
        assert (shown["state"], shown["viewers"], shown["cut"]) == ("waiting", 0, None)

    async def test_an_unknown_one_is_not_found(self, node):
        for call in (node.rooms.lesson("zzz"), node.rooms.connect("zzz", claims(), Carrier())):
            with pytest.raises(PeerError) as raised:
                await call
            assert (raised.value.code, raised.value.status) == ("unknown_lesson", 404)

    async def test_too_many_at_once_are_told_to_come_again(self, node):
        for _ in range(8):
            await node.join(await node.lesson(), claims())
        with pytest.raises(PeerError) as raised:
            await node.join(await node.lesson(), claims())
        assert (raised.value.status, raised.value.retry_after_s) == (503, 30)

    async def test_those_that_are_over_make_room_and_their_rows_are_lit_for_others(self, node):
        for _ in range(12):
            lesson = await node.lesson()
            await node.join(lesson, claims())
            await node.rooms.cut(lesson, MODERATOR, "picture", "advert")
            await node.rooms.end(lesson, TEACHER)
        lesson = await node.lesson()
        await node.join(lesson, claims())
        row = node.rooms._rooms[lesson].stage.room
        assert node.flags.dark(row) == 0


class TestJoining:
    async def test_who_joins_is_told_where_things_stand(self, node):
        lesson = await node.lesson()
        _, carrier = await node.join(lesson, claims())
        joined = carrier.heard[0]
        assert joined["type"] == "joined"
        assert joined["you"] == {"person": "li", "name": "Li", "role": "learner", "muted": False}
        assert (joined["lesson"]["title"], joined["chat"], joined["cut"]) == ("Lathe safety", [], None)
        assert await node.facts(lesson) == ["create", "join"]

    async def test_a_learner_who_joins_again_replaces_herself(self, node):
        lesson = await node.lesson()
        _, first = await node.join(lesson, claims())
        _, second = await node.join(lesson, claims())
        assert first.types()[-1] == "replaced"
        assert first.closed == (4409, "replaced")
        assert second.closed is None
        assert await node.facts(lesson) == ["create", "join", "leave", "join"]
        assert (await node.rooms.lesson(lesson))["viewers"] == 1

    async def test_a_moderator_may_have_two_windows(self, node):
        lesson = await node.lesson()
        _, first = await node.join(lesson, MODERATOR)
        await node.join(lesson, MODERATOR)
        assert first.closed is None

    async def test_leaving_is_a_fact_once(self, node):
        lesson = await node.lesson()
        connection, _ = await node.join(lesson, claims())
        connection.gone("left")
        connection.gone("left")
        await node.join(lesson, MODERATOR)
        assert await node.facts(lesson) == ["create", "join", "leave", "join"]

    async def test_five_hundred_at_once(self, node):
        lesson = await node.lesson()
        people = [claims(f"p{n}") for n in range(500)]
        joined = await asyncio.gather(*(node.join(lesson, person) for person in people))
        assert all(carrier.heard[0]["type"] == "joined" for _, carrier in joined)
        assert (await node.rooms.lesson(lesson))["viewers"] == 500
        assert (await node.facts(lesson)).count("join") == 500
        commits = node.store._writer.commits
        assert commits < 50, "a commit for each of them would take too long on a slow disk"

    async def test_first_comes_joined_whatever_else_is_said_meanwhile(self, node):
        lesson = await node.lesson()
        talker, _ = await node.join(lesson, MODERATOR)
        arrivals = [node.join(lesson, claims(f"p{n}")) for n in range(50)]
        talk = [talker.receive(chat(f"line {n}")) for n in range(10)]
        done = await asyncio.gather(*arrivals, *talk)
        for found in done[:50]:
            assert found[1].types()[0] == "joined"


class TestChat:
    async def test_a_line_is_a_fact_before_anybody_reads_it(self, node):
        lesson = await node.lesson()
        author, own = await node.join(lesson, claims())
        _, other = await node.join(lesson, claims("chen"))
        before = await node.store.ledger_size()
        sizes: list[int] = []
        keep = own.send

        def send(text: str) -> None:
            keep(text)
            sizes.append(node.store._writer.head()[0])  # the ledger at the moment of sending

        own.send = send  # type: ignore[method-assign]
        await author.receive(chat("hello", "r1"))
        assert [size > before for size in sizes] == [True]
        assert own.last("chat")["text"] == other.last("chat")["text"] == "hello"
        assert own.last("chat")["ref"] == "r1"
        assert [line.text for line in await node.store.chat.newest(lesson)] == ["hello"]

    async def test_the_ledger_holds_no_words(self, node):
        lesson = await node.lesson()
        author, _ = await node.join(lesson, claims())
        await author.receive(chat("a secret"))
        entries = await node.store.entries(limit=100, lesson=lesson)
        assert "a secret" not in json.dumps([dict(entry.data) for entry in entries])

    async def test_who_comes_later_reads_the_newest_fifty(self, node):
        lesson = await node.lesson()
        author, _ = await node.join(lesson, claims())
        for number in range(60):
            await author.receive(chat(f"line {number}"))
        _, late = await node.join(lesson, claims("chen"))
        assert [line["text"] for line in late.heard[0]["chat"]] == [f"line {n}" for n in range(10, 60)]

    async def test_it_outlasts_a_restart(self, node):
        lesson = await node.lesson()
        author, _ = await node.join(lesson, claims())
        await author.receive(chat("still here"))
        await node.restarted()
        _, carrier = await node.join(lesson, claims())
        assert [line["text"] for line in carrier.heard[0]["chat"]] == ["still here"]

    async def test_a_closed_chat_refuses_by_name_and_keeps_the_reference(self, node):
        lesson = await node.lesson()
        author, carrier = await node.join(lesson, claims())
        await node.rooms.cut(lesson, MODERATOR, "chat", "quarrel")
        await soon(lambda: "cut" in carrier.types(), "told of the cut")
        with pytest.raises(PeerError) as raised:
            await author.receive(chat("no", "r9"))
        assert (raised.value.code, raised.value.ref) == ("chat_off", "r9")

    async def test_an_inspector_may_not(self, node):
        lesson = await node.lesson()
        watcher, _ = await node.join(lesson, claims("ins", Role.INSPECTOR))
        with pytest.raises(PeerError, match="forbidden"):
            await watcher.receive(chat("x"))


class TestCut:
    async def test_learners_are_told_why_and_sent_away_moderators_stay(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        _, moderator = await node.join(lesson, MODERATOR)
        answer = await node.rooms.cut(lesson, MODERATOR, "lesson", "advert")
        assert answer["level"] == "lesson"
        await soon(lambda: learner.closed, "sent away")
        assert learner.closed == (4410, "lesson_cut")
        told = learner.last("cut")
        assert (told["active"], told["level"], told["reason"]) == (True, "lesson", "advert")
        assert moderator.closed is None
        assert moderator.last("lesson")["state"] == "cut"
        await soon(lambda: node.flags.dark(node.rooms._rooms[lesson].stage.room) == ALL, "dark")

    async def test_who_comes_now_is_told_which_cut_and_refused(self, node):
        lesson = await node.lesson()
        _, moderator = await node.join(lesson, MODERATOR)
        await node.rooms.cut(lesson, MODERATOR, "lesson", "advert")
        await soon(lambda: "cut" in moderator.types(), "cut")
        carrier = Carrier()
        with pytest.raises(PeerError) as raised:
            await node.rooms.connect(lesson, claims(), carrier)
        assert (raised.value.code, raised.value.status) == ("lesson_cut", 410)
        assert carrier.last("cut")["reason"] == "advert"
        for media in (node.rooms.watch, node.rooms.publish):
            with pytest.raises(PeerError, match="lesson_cut"):
                await media(lesson, claims(role=Role.INSTRUCTOR), offer(AUDIO))

    async def test_it_is_a_fact_and_so_is_the_restore(self, node):
        lesson = await node.lesson()
        _, moderator = await node.join(lesson, MODERATOR)
        await node.rooms.cut(lesson, MODERATOR, "picture", "advert")
        await node.rooms.restore(lesson, MODERATOR, "checked")
        await soon(lambda: moderator.types().count("cut") == 2, "both told")
        await node.until_facts(lesson, ["create", "join", "cut", "restore"])
        assert moderator.last("cut")["active"] is False
        assert (await node.rooms.lesson(lesson))["cut"] is None

    async def test_a_removed_person_is_sent_away_and_kept_out(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        _, other = await node.join(lesson, claims("chen"))
        await node.rooms.cut(lesson, MODERATOR, "person", "insults", "li")
        await soon(lambda: learner.closed, "sent away")
        assert (learner.closed, other.closed) == ((4410, "person_removed"), None)
        with pytest.raises(PeerError, match="person_removed"):
            await node.join(lesson, claims())
        await node.rooms.restore(lesson, MODERATOR, "apologised")
        await soon(lambda: "li" not in node.rooms._rooms[lesson].state.removed, "let in again")
        await node.join(lesson, claims())

    async def test_a_cut_of_more_people_than_one_append_holds(self, node):
        lesson = await node.lesson()
        people = [claims(f"p{n}") for n in range(1_020)]
        joined = await asyncio.gather(*(node.join(lesson, person) for person in people))
        await node.rooms.cut(lesson, MODERATOR, "lesson", "advert")
        await soon(lambda: all(carrier.closed for _, carrier in joined), "everybody sent away")
        await node.rooms.restore(lesson, MODERATOR, "checked")
        await soon(lambda: node.rooms._rooms[lesson].state.state == "waiting", "restored")
        await node.join(lesson, claims("late"))
        facts = await node.facts(lesson)
        assert (facts.count("join"), facts.count("leave"), facts.count("cut")) == (1_021, 1_020, 1)

    async def test_a_lesson_nobody_opened_can_be_cut(self, node):
        lesson = await node.lesson()
        await node.rooms.cut(lesson, MODERATOR, "lesson", "advert")
        await node.until_facts(lesson, ["create", "cut"])
        with pytest.raises(PeerError, match="lesson_cut"):
            await node.join(lesson, claims())
        _, moderator = await node.join(lesson, MODERATOR)
        assert moderator.heard[0]["cut"]["reason"] == "advert"


class TestRestart:
    async def test_the_same_store_and_kill_files_keep_it_cut(self, node):
        lesson = await node.lesson()
        _, carrier = await node.join(lesson, MODERATOR)
        await node.rooms.cut(lesson, MODERATOR, "lesson", "advert")
        await soon(lambda: "cut" in carrier.types(), "cut")
        await node.restarted()
        assert (await node.rooms.lesson(lesson))["state"] == "cut"
        with pytest.raises(PeerError, match="lesson_cut"):
            await node.join(lesson, claims())
        assert node.flags.dark(node.rooms._rooms[lesson].stage.room) == ALL
        await node.rooms.restore(lesson, MODERATOR, "checked")
        await soon(lambda: node.rooms._rooms[lesson].state.state == "waiting", "restored")
        await node.join(lesson, claims())

    async def test_even_when_the_kill_file_is_all_that_was_written(self, node):
        lesson = await node.lesson()
        await node.rooms.stop()
        await node.guard.call(node.guard.cut(lesson, "lesson", "advert", None, "mo"))
        await node.restarted()
        assert (await node.rooms.lesson(lesson))["state"] == "cut"

    async def test_a_cut_that_a_crash_kept_from_the_ledger_is_a_fact_at_the_next_start(self, node):
        lesson = await node.lesson()
        await node.stop()
        cut = Cut(Level.LESSON, "gambling advert", 1_772_415_000_000, "mod")
        KillFiles(node.folder / "kills").write(Record(Kill(lesson).with_cut(cut, "node")))
        await node.start()
        with pytest.raises(PeerError, match="lesson_cut"):
            await node.join(lesson, claims())
        assert await node.facts(lesson) == ["create", "cut"]
        assert (await node.store.lessons.one(lesson)).state == "cut"

    async def test_an_ended_lesson_stays_ended(self, node):
        lesson = await node.lesson()
        _, carrier = await node.join(lesson, claims())
        await node.rooms.end(lesson, TEACHER)
        assert carrier.closed == (4410, "lesson_ended")
        await node.restarted()
        with pytest.raises(PeerError, match="lesson_ended"):
            await node.join(lesson, claims())


class TestEnd:
    async def test_everybody_is_told_before_it_closes(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        _, teacher = await node.join(lesson, TEACHER)
        shown = await node.rooms.end(lesson, TEACHER)
        assert shown["state"] == "ended"
        assert learner.last("lesson")["state"] == teacher.last("lesson")["state"] == "ended"
        assert learner.closed == teacher.closed == (4410, "lesson_ended")
        assert await node.facts(lesson) == ["create", "join", "join", "end", "leave", "leave"]

    async def test_twice_is_once(self, node):
        lesson = await node.lesson()
        await node.rooms.end(lesson, TEACHER)
        await node.rooms.end(lesson, TEACHER)
        assert await node.facts(lesson) == ["create", "end"]


class TestCuts:
    """What is left of a cut besides the darkness."""

    async def listed(self, node: Node, lesson: str, *, measured: bool = True) -> list[dict[str, Any]]:
        """The list of cuts, once the newest has its times."""
        async with asyncio.timeout(10):
            while True:
                items = (await node.rooms.cuts(lesson, None, 50))["items"]
                if items and (items[0]["measured"] is not None or not measured):
                    return items
                await asyncio.sleep(0.002)

    async def test_it_is_measured_listed_and_told_to_those_who_may_cut(self, node):
        lesson = await node.lesson()
        _, moderator = await node.join(lesson, MODERATOR)
        _, learner = await node.join(lesson, claims())
        _, teacher = await node.join(lesson, TEACHER)
        await node.rooms.cut(lesson, MODERATOR, "lesson", "advert")
        await soon(lambda: "cut_measured" in moderator.types(), "told how long it took")
        told = moderator.last("cut_measured")
        assert (told["level"], told["by"], told["epoch"], told["person"]) == ("lesson", "mo", 1, None)
        assert told["measured"]["viewers"] == 0 and told["measured"]["udp_ms"] is None
        assert 0 <= told["measured"]["dark_ms"] <= told["measured"]["told_ms"]
        assert "cut_measured" not in [*learner.types(), *teacher.types()]
        shown = await node.rooms.lesson(lesson)
        assert (shown["cut"]["measured"], shown["cut"]["restore"]) == (told["measured"], None)
        (row,) = await self.listed(node, lesson)
        assert (row["level"], row["by"], row["measured"], row["restored_at"]) == (
            "lesson", "mo", told["measured"], None,
        )  # fmt: skip
        (fact,) = [e for e in await node.store.entries(lesson=lesson) if e.type == "cut_measured"]
        assert fact.data["dark_us"] == round(told["measured"]["dark_ms"] * 1000)
        await node.rooms.restore(lesson, MODERATOR, "a mistake")
        await soon(lambda: not node.guard.unrecorded(), "recorded")
        facts = ["create", "join", "join", "join", "cut", "leave", "leave", "restore"]
        assert await node.facts(lesson) == facts
        assert (await self.listed(node, lesson))[0]["restored_by"] == "mo"

    @pytest.mark.parametrize(("level", "person"), [("chat", None), ("picture", None), ("person", "li")])
    async def test_every_level_has_its_times(self, node, level, person):
        lesson = await node.lesson()
        await node.join(lesson, claims())
        await node.rooms.cut(lesson, MODERATOR, level, "advert", person)
        (row,) = await self.listed(node, lesson)
        assert (row["level"], row["person"]) == (level, person)
        assert row["measured"]["dark_ms"] >= 0

    async def test_a_second_person_is_waited_for_in_sight_of_those_who_moderate(self, node):
        lesson = await node.lesson()
        node.guard.two_persons(lesson, True)
        await node.rooms.cut(lesson, MODERATOR, "pause", "advert")
        _, moderator = await node.join(lesson, MODERATOR)
        _, learner = await node.join(lesson, claims())
        waiting = await node.rooms.restore(lesson, MODERATOR, "checked")
        assert waiting["state"] == "waiting_for_second"
        await soon(lambda: "restore_asked" in moderator.types(), "asked")
        assert moderator.last("restore_asked")["by"] == "mo" and "restore_asked" not in learner.types()
        assert (await node.rooms.lesson(lesson))["cut"]["restore"]["by"] == "mo"
        await node.rooms.restore(lesson, ADMIN, "checked as well")
        await soon(lambda: "cut" in learner.types(), "restored")
        assert not learner.last("cut")["active"]
        await node.until_facts(lesson, ["create", "cut", "join", "join", "restore_asked", "restore"])
        (fact,) = [e for e in await node.store.entries(lesson=lesson) if e.type == "restore"]
        assert (fact.data["by"], fact.data["first_by"], fact.data["lifted"]) == ("ada", "mo", ["pause"])

    async def test_with_the_database_away_it_is_cut_and_restored_all_the_same_and_recorded_later(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        node.flaky.is_away = True
        await asyncio.sleep(1.1)  # a presence tick waits for the database: the cut must not wait behind it
        await node.rooms.cut(lesson, MODERATOR, "pause", "advert")
        await soon(lambda: learner.types().count("cut") == 1, "told")
        await node.rooms.restore(lesson, MODERATOR, "a mistake")
        await soon(lambda: learner.types().count("cut") == 2, "told")
        assert node.guard.unrecorded()
        node.flaky.is_away = False
        await node.until_facts(lesson, ["create", "join", "cut", "restore"])
        await soon(lambda: not node.guard.unrecorded(), "nothing owed")

    async def test_what_a_power_cut_kept_from_the_ledger_is_there_after_the_next_start(self, node):
        lesson = await node.lesson()
        node.flaky.is_away = True
        await node.rooms.cut(lesson, MODERATOR, "chat", "advert")
        await node.rooms.restore(lesson, MODERATOR, "a mistake")
        await node.rooms.cut(lesson, MODERATOR, "lesson", "advert again")
        await node.restarted()
        await node.until_facts(lesson, ["create", "cut", "restore", "cut"])
        assert (await node.store.lessons.one(lesson)).state == "cut"
        await soon(lambda: not node.guard.unrecorded(), "nothing owed")
        rows = await self.listed(node, lesson, measured=False)
        assert [(row["level"], row["restored_by"]) for row in rows] == [("lesson", None), ("chat", "mo")]

    async def test_told_again_after_a_restart_it_is_the_same_cut(self, node):
        """The power went after the row was written, and before the guard's file said so."""
        lesson = await node.lesson()
        await node.rooms.cut(lesson, MODERATOR, "chat", "advert")
        (row,) = await self.listed(node, lesson)
        await soon(lambda: not node.guard.unrecorded(), "recorded")
        await node.stop()
        files = KillFiles(node.folder / "kills")
        record = files.load()[lesson]
        files.write(record.with_act(cut_act(record.kill.strongest)))
        await node.start()
        await soon(lambda: not node.guard.unrecorded(), "recorded")
        assert await self.listed(node, lesson) == [row]

    async def test_one_of_another_node_is_carried_out_here_and_recorded_there(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        theirs = Kill(lesson).with_cut(Cut(Level.PAUSE, "advert", 1_772_415_000_000, "mod"), "there")
        node.bus.publish(STATE_TOPIC, {"node": "there", "kill": theirs.as_json()})
        await soon(lambda: "cut" in learner.types(), "told")
        assert node.flags.dark(node.rooms._rooms[lesson].stage.room) == ALL
        lifted = theirs.lifted("there")
        node.bus.publish(STATE_TOPIC, {"node": "there", "kill": lifted.as_json()})
        await soon(lambda: not learner.last("cut")["active"], "told")
        assert (await node.rooms.lesson(lesson))["cut"] is None
        assert await node.facts(lesson) == ["create", "join"]
        (row,) = await self.listed(node, lesson)
        assert (row["by"], row["node"]) == ("mod", node.guard.node)  # this node's own times

    async def test_a_lease_that_ran_out_is_told(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        for is_lit, code in ((False, "node_cut_off"), (True, "node_back")):
            node.bus.publish(LEASE_TOPIC, {"lit": is_lit})
            await soon(lambda c=code: c in [heard.get("code") for heard in learner.heard], code)


class TestStoreAway:
    async def test_nothing_is_acknowledged_and_no_fact_is_lost(self, node):
        lesson = await node.lesson()
        author, carrier = await node.join(lesson, claims())
        node.flaky.is_away = True
        saying = asyncio.gather(*(author.receive(chat(f"line {n}")) for n in range(5)))
        joining = asyncio.create_task(node.join(lesson, claims("chen")))
        await asyncio.sleep(0.05)
        assert not saying.done() and not joining.done()
        assert "chat" not in carrier.types()
        node.flaky.is_away = False
        await saying
        await joining
        assert await node.facts(lesson) == ["create", "join", *["chat"] * 5, "join"]
        assert [line.text for line in await node.store.chat.newest(lesson)] == [f"line {n}" for n in range(5)]

    async def test_a_cut_is_told_at_once_and_its_facts_come_later(self, node):
        lesson = await node.lesson()
        _, learner = await node.join(lesson, claims())
        node.flaky.is_away = True
        await node.guard.call(node.guard.cut(lesson, "lesson", "advert", None, "mo"))
        await soon(lambda: learner.closed, "sent away although the database is away")
        assert learner.last("cut")["reason"] == "advert"
        node.flaky.is_away = False
        await node.join(lesson, MODERATOR)
        assert await node.facts(lesson) == ["create", "join", "cut", "leave", "join"]
        assert (await node.store.lessons.one(lesson)).state == "cut"

    async def test_a_lesson_that_starts_meanwhile_is_kept(self, node):
        lesson = await node.lesson()
        _, moderator = await node.join(lesson, MODERATOR)
        node.flaky.is_away = True
        ending = asyncio.create_task(node.rooms.end(lesson, TEACHER))
        await asyncio.sleep(0.05)
        node.flaky.is_away = False
        await ending
        assert (await node.store.lessons.one(lesson)).state == "ended"
        assert moderator.closed == (4410, "lesson_ended")


class TestTheDatabaseIsLocked:
    """With a journal: somebody else holds the database, and nobody in the lesson notices (REL-G6)."""

    async def test_and_the_lesson_goes_on_and_all_of_it_is_there_afterwards(self, tmp_path, monkeypatch):
        monkeypatch.setattr(keeping, "WITHIN_S", 0.1)
        node = await Node(tmp_path, journal=True).start()
        lesson = await node.lesson()
        author, carrier = await node.join(lesson, claims())
        other = sqlite3.connect(tmp_path / "live.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for number in range(5):
            await author.receive(chat(f"line {number}"))
        _, chen = await node.join(lesson, claims("chen"))
        await node.rooms.end(lesson, TEACHER)
        assert [heard["text"] for heard in carrier.heard if heard["type"] == "chat"] == [
            f"line {number}" for number in range(5)
        ]
        assert chen.closed == (4410, "lesson_ended")
        assert node.store.journal_numbers()["waiting_records"] > 0
        assert await node.facts(lesson) == ["create", "join"]
        other.execute("ROLLBACK")
        await soon(lambda: not node.store.away, "the journal is in the ledger")
        facts = await node.facts(lesson)
        assert facts[:8] == ["create", "join", *["chat"] * 5, "join"]
        assert facts.count("end") == 1
        assert [line.text for line in await node.store.chat.newest(lesson)] == [f"line {n}" for n in range(5)]
        await node.stop()
        other.close()


class TestSessions:
    async def test_learners_beyond_the_bound_on_joins_under_way_come_again(self, node):
        lesson = await node.lesson()
        recvonly = offer(AUDIO, direction="recvonly")
        node.rooms._arrivals = Arrivals(2)
        for number in range(2):
            await node.rooms.watch(lesson, claims(f"p{number}"), recvonly)
        with pytest.raises(PeerError) as raised:
            await node.rooms.watch(lesson, claims("late"), "not even read")
        assert (raised.value.code, raised.value.status) == ("lesson_full", 503)
        assert raised.value.retry_after_s >= 1
        await node.rooms.watch(lesson, MODERATOR, recvonly)
        for peer in list(node.rooms._forwarder.peers.values()):
            peer.close("handshake_timeout")
        await node.rooms.watch(lesson, claims("late"), recvonly)

    async def test_whip_and_whep_answer_and_end(self, node):
        lesson = await node.lesson()
        published = await node.rooms.publish(lesson, TEACHER, offer(AUDIO, VIDEO, CONTROL))
        watched = await node.rooms.watch(lesson, claims(), offer(AUDIO, VIDEO, CONTROL, direction="recvonly"))
        assert published.session_id != watched.session_id
        assert "a=ice-lite" in published.sdp and "a=ice-lite" in watched.sdp
        await node.rooms.leave(published.session_id, TEACHER)
        with pytest.raises(PeerError) as raised:
            await node.rooms.leave(published.session_id, TEACHER)
        assert (raised.value.code, raised.value.status) == ("unknown_session", 404)

    async def test_a_session_belongs_to_who_began_it(self, node):
        lesson = await node.lesson()
        watched = await node.rooms.watch(lesson, claims(), offer(AUDIO, direction="recvonly"))
        for call in (
            node.rooms.leave(watched.session_id, claims("eve")),
            node.rooms.patch(watched.session_id, claims("eve"), "a=ice-ufrag:abcd", "*"),
        ):
            with pytest.raises(PeerError) as raised:
                await call
            assert (raised.value.code, raised.value.status) == ("forbidden", 403)

    async def test_trickle_and_restart(self, node):
        lesson = await node.lesson()
        session = await node.rooms.watch(lesson, claims(), offer(AUDIO, direction="recvonly"))
        trickle = await node.rooms.patch(session.session_id, claims(), "a=candidate:1\r\n", session.etag)
        assert (trickle.status, trickle.etag) == (204, session.etag)
        fragment = "a=ice-ufrag:wxyz\r\na=ice-pwd:zzzzzzzzzzzzzzzzzzzzzz\r\n"
        restarted = await node.rooms.patch(session.session_id, claims(), fragment, "*")
        assert restarted.status == 200
        assert restarted.etag != session.etag
        assert "a=ice-pwd:" in restarted.body
        with pytest.raises(PeerError) as raised:
            await node.rooms.patch(session.session_id, claims(), "a=candidate:1\r\n", session.etag)
        assert raised.value.status == 412

    async def test_a_refused_offer_leaves_nothing(self, node):
        lesson = await node.lesson()
        with pytest.raises(PeerError, match="sdp_malformed"):
            await node.rooms.watch(lesson, claims(), "hello")
        assert len(node.forwarder.peers) == 0

    async def test_what_operators_see(self, node):
        lesson = await node.lesson()
        await node.join(lesson, claims())
        (shown,) = node.rooms.debug()["rooms"]
        assert (shown["lesson"], shown["members"], shown["events_dropped"]) == (lesson, 1, 0)
        assert node.rooms.numbers()["viewers"] == 1


class TestMessages:
    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"type": "nope"}', b"\0", '{"type": "chat"}', "\ud800"]
    )
    async def test_nonsense_is_refused_and_changes_nothing(self, node, text):
        lesson = await node.lesson()
        connection, carrier = await node.join(lesson, claims())
        with pytest.raises(PeerError):
            await connection.receive(text)
        assert carrier.closed is None
        assert await node.facts(lesson) == ["create", "join"]

    async def test_a_heartbeat_comes_back_with_its_number(self, node):
        lesson = await node.lesson()
        connection, carrier = await node.join(lesson, claims())
        await connection.receive('{"type": "heartbeat", "seq": 7}')
        assert carrier.last("heartbeat")["seq"] == 7

    async def test_only_the_instructor_says_what_is_shown(self, node):
        lesson = await node.lesson()
        teacher, _ = await node.join(lesson, TEACHER)
        learner, carrier = await node.join(lesson, claims())
        with pytest.raises(PeerError, match="forbidden"):
            await learner.receive('{"type": "sources", "camera": true}')
        await teacher.receive('{"type": "sources", "camera": true, "screen": true}')
        assert carrier.last("sources")["screen"] is True

    async def test_asked_again_joined_comes_again(self, node):
        lesson = await node.lesson()
        connection, carrier = await node.join(lesson, claims())
        await connection.receive('{"type": "join"}')
        await soon(lambda: carrier.types().count("joined") == 2, "joined again")
