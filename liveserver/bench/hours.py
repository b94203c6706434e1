"""What attendance costs this machine: `liveserver bench hours --viewers N`. CPU time throughout.

A lesson of 45 minutes in which each of N learners has two gaps, hides once and answers three checks, one in
ten misses one; reckoned, settled into a store on disk, told, and the fan-out asked who receives.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liveserver.clock import Clock
from liveserver.core.attendance import facts_of, records
from liveserver.core.hours import credit
from liveserver.core.ledger import Fact
from liveserver.core.messages import dumps
from liveserver.core.presets import frozen
from liveserver.core.register import Register
from liveserver.hours.attendance import Attendance
from liveserver.hours.attending import EVERY_S, Attending
from liveserver.hours.export import Made, to_csv
from liveserver.hours.export_xlsx import to_xlsx
from liveserver.hours.sheet import Sheets
from liveserver.rtp import native
from liveserver.rtp.flags import VIDEO, Flags
from liveserver.rtp.srtp import Profile
from liveserver.store import Lesson, open_store

_START = 1_772_413_200_000  # 2026-03-02 09:00:00 in China
_MIN = 60_000
_FACTS_AT_ONCE = 1000
_MINUTES = 45
_EDGES = (
    ("media", True, 1),
    ("media", False, 600),
    ("media", True, 640),
    ("visibility", "hidden", 900),
    ("visibility", "foreground", 960),
    ("media", False, 2000),
    ("media", True, 2030),
)
Report = dict[str, Any]
Tell = Callable[[str], None]


def measure(viewers: int, tell: Tell) -> Report:
    """The report, with microseconds for one learner and seconds for all."""
    tell(f"a lesson of {viewers} learners")
    facts = lesson_facts(viewers)
    register = Register()
    took_s = _cpu(lambda: _take(register, facts))
    frame = register.frame(_START + _MINUTES * _MIN)
    everybody = [facts_of(register, frame, person, "lesson") for person in register.learners]
    engine_s = _cpu(lambda: [credit(known) for known in everybody])
    reckoned_s = _cpu(lambda: [record.text for record in records(register, frame.now_ms, "lesson")])
    tell("settled, read, exported")
    report = {
        "bench": "hours",
        "viewers": viewers,
        "engine_us": round(engine_s / viewers * 1e6, 1),
        "engine_s": round(engine_s, 2),
        "register_s": round(took_s, 2),
        "reckoned_s": round(reckoned_s, 2),
        **asyncio.run(_stored(facts)),
        "tell_us_per_s": round(_told_s(facts, register) / EVERY_S * 1e6),
        "receptions_us": round(_receptions_s(viewers) * 1e6),
        "fanout": native.IMPLEMENTATION,
    }
    return report


def _take(register: Register, facts: list[Fact]) -> None:
    for fact in facts:
        register.take(fact.type, fact.at_ms, fact.data)


def lesson_facts(viewers: int) -> list[Fact]:
    """What such a lesson leaves in the ledger, its presence ticks too."""

    def fact(kind: str, ms: int, data: dict[str, Any]) -> Fact:
        return Fact(kind, "lesson", _START + ms, data)

    found = [
        fact("publish", 0, {"connection": "p", "person": "t", "tracks": []}),
        fact("hours_policy", 0, frozen("default", _MINUTES * _MIN).as_json()),
        fact("start", 0, {"person": "t"}),
    ]
    changes: dict[int, list[dict[str, Any]]] = {}
    for number in range(viewers):
        person, connection, came = f"person-{number:06}", f"line-{number:06}", number % 60_000
        found.append(fact("join", came, {"person": person, "role": "learner", "connection": connection,
                                         "transport": "webrtc"}))  # fmt: skip
        for name, value, second in _EDGES:
            at = came + second * 1000
            change = {"person": person, "connection": connection, name: value, "at_ms": _START + at}
            changes.setdefault(at // 1000 + 1, []).append(change)
        for check, second in enumerate((400, 1250, 2150), start=1):
            missed = check == 2 and number % 10 == 0
            found.append(fact("challenge_resolved", came + second * 1000, {
                "id": "c", "person": person, "number": check, "kind": "quiz", "cause": "random", "detail": "",
                "issued_at_ms": _START + came + second * 1000, "result": "timeout" if missed else "passed",
                "answered_at_ms": None if missed else _START + came + second * 1000 + 9000}))  # fmt: skip
    for second in range(_MINUTES * 60):
        some = changes.get(second, [])
        for begin in range(0, max(1, len(some)), 300):
            tick = {"changes": some[begin : begin + 300], "digest": "0" * 64, "count": viewers}
            found.append(fact("presence", second * 1000, tick))
    found.sort(key=lambda known: known.at_ms)
    return [*found, fact("end", _MINUTES * _MIN, {"by": "t"})]


async def _stored(facts: list[Fact]) -> Report:
    """Settling from a ledger on disk, reading the sheet, exporting it."""
    with tempfile.TemporaryDirectory(prefix="bench-hours-") as folder:
        store = await open_store(f"sqlite:///{Path(folder) / 'live.db'}")
        try:
            lesson = Lesson("lesson", "Lathes", "Li", "ended", _START, _START, _START + _MINUTES * _MIN)
            await store.lessons.create(lesson)
            for start in range(0, len(facts), _FACTS_AT_ONCE):
                await store.append(facts[start : start + _FACTS_AT_ONCE])
            attendance = Attendance(store, Clock())
            began = time.process_time()
            await attendance.settle(lesson, "ended")
            settled = time.process_time()
            sheet = await Sheets(store, attendance).of(lesson)
            read = time.process_time()
            made = Made("bench", _START)
            csv_s, xlsx_s = _cpu(lambda: to_csv(sheet, made)), _cpu(lambda: to_xlsx(sheet, made))
            return {
                "settle_s": round(settled - began, 2),
                "sheet_s": round(read - settled, 2),
                "csv_s": round(csv_s, 2),
                "xlsx_s": round(xlsx_s, 2),
            }
        finally:
            await store.close()


def _told_s(facts: list[Fact], register: Register) -> float:
    """One round in which everybody is told once, near the end of the lesson; without the sending."""
    attending = Attending("lesson")
    for fact in facts:
        if fact.at_ms < _START + 40 * _MIN:
            attending.take(fact)
    now_ms, here = _START + 40 * _MIN, register.learners

    def round_of_all() -> None:
        for _ in range(EVERY_S):
            for _, message in attending.tell(here, now_ms):
                dumps(message)

    return _cpu(round_of_all)


def _receptions_s(viewers: int) -> float:
    """Asking the fan-out who receives, when nothing has changed: once a second for the whole node."""
    flags = Flags(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        fanout = native.make_fanout(sock.fileno(), flags)
        table = fanout.add_table(0, VIDEO)
        for number in range(viewers):
            session = fanout.add_session(
                int(Profile.AEAD_AES_128_GCM), os.urandom(16), os.urandom(12), "127.0.0.1", 9
            )
            fanout.add_row(table, session, number + 1, 96, 0, 0, 0, b"")
        rounds = 20
        spent_s = _cpu(lambda: [fanout.receptions(10**9 + n) for n in range(rounds)])
        fanout.close()
    return spent_s / rounds


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
