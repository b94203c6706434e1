"""A store with lessons that were really written into its ledger, and the bundles made of it."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from liveserver.core.bundle.check import Report, check
from liveserver.core.ledger import Fact, commitment
from liveserver.core.presets import frozen
from liveserver.hours.adjustments import Adjustments
from liveserver.hours.attendance import Attendance
from liveserver.ledger.bundles import Bundles
from liveserver.ledger.notary import Notary
from liveserver.ledger.signing import load_signer
from liveserver.store import ChatLine, Incident, Lesson, Recording, Store, open_store
from recorder import manifest

START = 1_772_413_200_000  # 2026-03-02 09:00:00 in China
MIN = 60_000
SEED = b"\x07" * 32
NAMES = {"wang-6141": "Wang Wei", "zhao-7731": "Zhao Unmistakable", "sun-2290": "Sun Remarkable"}
STAFF = {"teacher-li-88": "Li Instructive", "moder-55": "Moderator Qian", "admin-1": "", "admin-2": ""}
WORDS = {"wang-6141": "May I ask about the lathe?", "zhao-7731": "The spindle is too loud over here"}


class Clock:
    now_ms = START + 60 * MIN

    def wall_ms(self) -> int:
        return self.now_ms


@dataclass
class World:
    store: Store
    attendance: Attendance
    notary: Notary
    bundles: Bundles
    clock: Clock
    objects: Path

    async def bundle(self, person: str | None = None, lesson: str = "L1", size: int | None = None) -> bytes:
        made = await self.bundles.make(lesson, person, "inspector-1", size)
        with made.file as file:
            data = file.read()
        assert len(data) == made.size
        return data


def checked(data: bytes, **options: Any) -> Report:
    return check(io.BytesIO(data), **options)


async def opened(folder: Path) -> World:
    """An empty one."""
    store, clock = await open_store(f"sqlite:///{folder / 'live.db'}"), Clock()
    signer = await load_signer(folder / "keys", store, START)
    notary = Notary(store, clock, signer, 3600)  # type: ignore[arg-type]
    attendance = Attendance(store, clock, settle_after_s=120)  # type: ignore[arg-type]
    objects = folder / "objects"

    async def open_object(key: str) -> AsyncIterator[bytes]:
        if (objects / key).is_file():
            yield (objects / key).read_bytes()

    bundles = Bundles(store, attendance, notary, clock, folder / "tmp", open_object)  # type: ignore[arg-type]
    return World(store, attendance, notary, bundles, clock, objects)


async def teach(world: World, lesson: str = "L1", *, settled: bool = True) -> Lesson:
    """A lesson of 45 minutes among the entries of another one: held, recorded, cut, chatted in, settled."""
    people = NAMES
    row = Lesson(lesson, "车床基础 Lathes", STAFF["teacher-li-88"], "ended", START, START, START + 45 * MIN,
                 planned_s=2700)  # fmt: skip
    await world.store.lessons.create(row)
    created = {"by": "admin-1", "title": row.title, "programmes": "", "preset": "default", "planned_s": 2700,
               "course": ""}  # fmt: skip
    facts: list[tuple[int, str, dict[str, Any]]] = [
        (0, "create", created),
        (0, "publish", {"connection": "pub-1", "person": "teacher-li-88", "tracks": ["audio"]}),
        (0, "hours_policy", frozen("default", 45 * MIN).as_json()),
        (0, "checks_committed", {"commitment": hashlib.sha256(SEED).hexdigest(), "policy": {}}),
        (0, "start", {"person": "teacher-li-88"}),
        (20, "cut", {"id": "cut-1@n", "level": "pause", "reason": "drill", "by": "moder-55", "at_ms": START,
                     "epoch": 1, "person": None}),
        (21, "restore", {"epoch": 2, "by": "moder-55", "reason": "over", "at_ms": START,
                         "lifted": ["pause"]}),
        (45, "end", {"by": "teacher-li-88"}),
        (45, "checks_revealed", {"seed": SEED.hex()}),
        (46, "sealed", _sealed(world, lesson)),
    ]  # fmt: skip
    for number, person in enumerate(people):
        facts += _attended(person, number)
    chat = [_line(lesson, person, words) for person, words in WORDS.items() if person in people]
    for line in chat:
        facts.append((10, "chat", {"id": line.id, "person": line.person,
                                   "commitment": commitment(line.salt, line.text)}))  # fmt: skip
    for at, kind, data in sorted(facts, key=lambda fact: fact[0]):
        fact = Fact(kind, lesson, START + at * MIN, data)
        lines = [line for line in chat if kind == "chat" and line.id == data["id"]]
        await world.store.append([fact], lines)
        await world.store.append([Fact("presence", f"other-{lesson}", fact.at_ms, {
            "changes": [], "count": 0, "digest": ""})] * 3)  # fmt: skip
    await world.store.attendance.note_names(lesson, people)
    for person in list(people)[:2]:
        await _incident(world, lesson, person)
    await _record(world, lesson)
    if not settled:
        return row
    await world.attendance.settle(row, "ended")
    changes = Adjustments(world.store, world.attendance, world.clock)  # type: ignore[arg-type]
    asked = await changes.request(row, "wang-6141", 300, "the camera failed", "admin-1")
    await changes.decide(asked.id, approve=True, words="seen in the log", by="admin-2")
    return row


def _attended(person: str, number: int) -> list[tuple[int, str, dict[str, Any]]]:
    connection = f"line-of-{person}"
    media = {"person": person, "connection": connection, "media": True, "at_ms": START + number * MIN}
    hidden = {"person": person, "connection": connection, "visibility": "hidden", "at_ms": START + 30 * MIN}
    check = {"id": f"check-of-{person}", "person": person, "number": 1, "kind": "quiz", "cause": "random",
             "issued_at_ms": START + 12 * MIN, "result": "passed", "answered_at_ms": START + 12 * MIN + 9000,
             "detail": ""}  # fmt: skip
    issued = {"id": check["id"], "kind": "quiz", "cause": "random", "by": "", "question": "",
              "issued_at_ms": check["issued_at_ms"], "deadline_ms": START + 13 * MIN,
              "checks": {person: 1}}  # fmt: skip
    return [
        (
            number,
            "join",
            {"person": person, "role": "learner", "connection": connection, "transport": "webrtc"},
        ),
        (number, "presence", {"changes": [media], "count": 1, "digest": ""}),
        (12, "challenge_issued", issued),
        (13, "challenge_resolved", check),
        (30, "presence", {"changes": [hidden], "count": 1, "digest": ""}),
        (44, "leave", {"person": person, "connection": connection, "reason": "left"}),
    ]


def _line(lesson: str, person: str, text: str) -> ChatLine:
    return ChatLine(f"chat-of-{person}-{lesson}", lesson, person, NAMES[person], "learner", text,
                    START + 10 * MIN, hashlib.sha256(person.encode()).digest())  # fmt: skip


async def _incident(world: World, lesson: str, person: str) -> None:
    text, salt = f"buy credits, says {person}", b"\x09" * 32
    receipt = {"commitment": commitment(salt, text), "policy": "standard", "policy_version": 1}
    at_ms = START + 11 * MIN
    found = Incident(f"incident-of-{person}", lesson, at_ms, at_ms, "chat", "illicit_ad", 900_000, "hide", {},
                     salt, person=person, name=NAMES[person], text=text)  # fmt: skip
    data = {"id": found.id, "kind": "chat", "done": "hide", "person": person, "line": "", "receipt": receipt}
    await world.store.incidents.add(found, Fact("incident", lesson, found.at_ms, data))


def _sealed(world: World, lesson: str) -> dict[str, Any]:
    """A manifest as the recorder writes one, and the fact of its sealing."""
    lines, chain = [], manifest.CHAIN_START
    for n in range(12):
        line, chain = manifest.link(chain, {"n": n, "type": "fragment", "size": 1000 + n, "offset": n * 1000})
        lines.append(line)
    path = world.objects / lesson / f"{lesson}-rec.manifest.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))
    return {"recording": f"{lesson}-rec", "series": f"{lesson}-rec", "reel": 1, "sha256": "ab" * 32,
            "chain": chain.hex(), "size": 12_000, "duration_ms": 2_700_000, "detail": ""}  # fmt: skip


async def _record(world: World, lesson: str) -> None:
    name = f"{lesson}-rec"
    row = Recording(name, lesson, "sealed", f"{lesson}/{name}.mp4", START, "ab" * 32, 12_000, 2_700_000,
                    START + 46 * MIN, series=name)  # fmt: skip
    await world.store.recordings.save(row)
    path = world.objects / lesson / f"{name}.manifest.jsonl"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    told = {"key": f"{lesson}/{path.name}", "size": path.stat().st_size, "sha256": digest, "store": "disk"}
    fact = Fact("stored", lesson, START + 47 * MIN, {"recording": name, "objects": [told]})
    await world.store.append([fact])


@dataclass(frozen=True)
class Taken:
    """Bundles of one world that a whole module looks at."""

    lesson: bytes
    again: bytes
    person: bytes
    size: int
    log: str
    folder: Path


@pytest.fixture(scope="session")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taken]:
    folder = tmp_path_factory.mktemp("evidence")

    async def make() -> Taken:
        world = await opened(folder)
        try:
            await teach(world)
            lesson = await world.bundle()
            report = checked(lesson)
            assert report.head is not None, report.misfit
            size = report.head.size
            again, person = await world.bundle(size=size), await world.bundle("wang-6141", size=size)
            return Taken(lesson, again, person, size, report.log, folder)
        finally:
            await world.store.close()

    yield asyncio.run(make())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await opened(tmp_path)
    yield made
    await made.store.close()
