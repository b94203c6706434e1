"""The page reckons hours by its own rules (web/static/lib/hours): they say what core/hours.py says.

DOMAIN section 10's vectors of live lessons, lessons made up by chance, and whole bundles.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from liveserver.core.attendance import records
from liveserver.core.bundle import form
from liveserver.core.checks import Check, CheckMode, CheckResult
from liveserver.core.hours import Facts, Kind, Other, Policy, credit
from liveserver.core.ledger import canonical_json
from liveserver.core.presets import frozen
from liveserver.core.register import Register
from liveserver.core.share import facts_json
from tests.core.crediting import LESSON, at, check, spans
from tests.evidence.conftest import Taken, World, checked, teach
from tests.evidence.forging import Seal, parts, with_line

COUNT = 20_000 if os.environ.get("RELIABILITY") == "full" else 400
LIB = Path(__file__).parents[2] / "web/static/lib"
PASSED, FAILED, TIMEOUT, EXCUSED = CheckResult
CREDIT = """
import { readFileSync } from 'node:fs';
const { credit } = await import(process.argv[1]);
console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(credit)));
"""
REGISTER = """
import { readFileSync } from 'node:fs';
const { Register } = await import(process.argv[1]);
console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(({ facts, as_of_ms: asOf }) => {
  const register = new Register();
  for (const fact of facts) register.take(fact);
  const frame = register.frame(asOf);
  const people = [...register.learners.keys()].sort();
  return people.map((who) => register.result(who, 'm', frame, [], who === 'p1' ? -30 : 0));
})));
"""
CHECK = """
import { readFileSync } from 'node:fs';
const { checkBundle } = await import(process.argv[1]);
const found = [];
for (const name of process.argv.slice(2)) {
  try {
    found.push((await checkBundle(new Uint8Array(readFileSync(name)))).hours);
  } catch (problem) {
    found.push([problem.code, problem.member, problem.place]);
  }
}
console.log(JSON.stringify(found));
"""


def node(script: str, module: str, *arguments: str, given: str = "") -> Any:
    command = ["node", "--input-type=module", "-e", script, (LIB / module).as_uri(), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_the_page(facts: Sequence[Facts]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node(
        CREDIT, "hours/credit.js", given=json.dumps([facts_json(one) for one in facts])
    )
    return found


def by_the_server(facts: Facts) -> dict[str, Any]:
    hours = credit(facts)
    told = {
        "reckoned_ms": hours.credited_ms,
        "earned": [list(span) for span in hours.earned],
        "status": list(hours.status),
        "void": [list(void) for void in hours.voids],
        "days": dict(hours.days),
    }
    same: dict[str, Any] = json.loads(canonical_json(told))
    return same


A, B = spans(("09:00", "09:45")), spans(("09:30", "10:15"))
BREAK = spans(("09:00", "09:45"), ("09:55", "10:40"))
MISSED = [check("09:12:08", PASSED), check("09:24", TIMEOUT)]
IN_A = Other("a", Kind.LIVE, *A[0], at("09:00"))
OVER_MIDNIGHT = [(at("23:40"), at("00:25", 3))]
VECTORS = {
    "E1": (replace(LESSON, presence=spans(("08:58", "09:46"))), 2700),
    "E3": (replace(LESSON, planned_ms=5_400_000, teaching=BREAK, presence=spans(("08:55", "10:45"))), 5400),
    "E4": (replace(LESSON, presence=spans(("09:00", "09:20"))), 1200),
    "E5": (replace(LESSON, presence=spans(("09:00", "09:19:50"), ("09:20:30", "09:45"))), 2660),
    "E6": (replace(LESSON, presence=spans(("09:07:30", "09:40"))), 1950),
    "E7": (replace(LESSON, checks=[*MISSED, check("09:36:05", PASSED)]), 1263),
    "E8": (replace(LESSON, checks=[*MISSED, check("09:36", FAILED)]), 728),
    "E9 A": (replace(LESSON, id="a", other=[Other("b", Kind.LIVE, *B[0], at("09:30"))]), 2700),
    "E9 B": (replace(LESSON, id="b", teaching=B, presence=B, other=[IN_A]), 1800),
    "E9t": (replace(LESSON, presence=spans(("09:00", "09:30"))), 1800),
    "E13": (replace(LESSON, hidden=spans(("09:10", "09:15"))), 2400),
    "E15": (replace(LESSON, teaching=OVER_MIDNIGHT, presence=OVER_MIDNIGHT), 2700),
    "E17": (replace(LESSON, lecturer=spans(("09:00", "09:20"), ("09:30", "09:45"))), 2100),
}  # fmt: skip
"""DOMAIN section 10, but for E10 and E11: recorded lessons are in no bundle."""


class TestTheVectors:
    def test_are_obeyed(self) -> None:
        found = by_the_page([facts for facts, _ in VECTORS.values()])
        for (name, (facts, credited_s)), told in zip(VECTORS.items(), found, strict=True):
            assert told["reckoned_ms"] // 1000 == credited_s, name
            assert told == by_the_server(facts), name


def _chosen(dice: random.Random, moments: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Spans, some of which overlap, touch or are empty."""
    pairs = [sorted(dice.choices(moments, k=2)) for _ in range(dice.randrange(most))]
    return [(start, end) for start, end in pairs]


def a_lesson(dice: random.Random) -> Facts:
    """One that may be anything: few moments, so that many of them meet."""
    begin, end = dice.choice([(at("09:00"), at("09:45")), (at("23:30"), at("00:30", 3))])
    moments = sorted(dice.randrange(begin - 900_000, end + 900_000) for _ in range(12))
    policy = Policy(
        check_mode=dice.choice(list(CheckMode)),
        foreground_required_live=dice.random() < 0.5,
        cap_to_plan=dice.random() < 0.5,
        daily_cap_s=dice.choice([0, 600, 1800, 21_600]),
        lecturer_gap_s=dice.choice([0, 60, 300]),
    )
    return Facts(
        policy=policy,
        planned_ms=dice.choice([None, dice.randrange(3_000_000)]),
        teaching=_chosen(dice, moments, 4),
        lecturer=dice.choice([None, _chosen(dice, moments, 4)]),
        presence=_chosen(dice, moments, 5),
        hidden=_chosen(dice, moments, 4),
        checks=[
            Check(dice.choice(moments), dice.choice(list(CheckResult))) for _ in range(dice.randrange(14))
        ],
        other=[
            Other(dice.choice("abmz"), dice.choice(list(Kind)), *span, dice.choice(moments))
            for span in _chosen(dice, moments, 4)
        ],
        id="m",
    )


def a_ledger(dice: random.Random) -> list[dict[str, Any]]:
    """Facts of a lesson in some order, not all of which make sense."""
    now = at("09:00")
    facts: list[dict[str, Any]] = [{"type": "start", "at_ms": now, "data": {}}] * dice.randrange(2)
    if dice.random() < 0.8:
        policy = Policy(check_mode=dice.choice(list(CheckMode)), lecturer_gap_s=dice.choice([0, 60]))
        kept = replace(frozen("default", dice.choice([None, 1_800_000])), policy=policy).as_json()
        facts.append({"type": "hours_policy", "at_ms": now, "data": kept})
    for _ in range(dice.randrange(10, 60)):
        now += dice.randrange(90_000)
        kind, data = a_fact(dice, now - dice.randrange(20_000))
        facts.append({"type": kind, "at_ms": now, "data": data})
    if dice.random() < 0.5:
        facts.append({"type": "end", "at_ms": now, "data": {}})
    return facts


def a_fact(dice: random.Random, earlier: int) -> tuple[str, dict[str, Any]]:
    """One of any kind; `earlier`: a moment before it."""
    line, person = f"c{dice.randrange(6)}", dice.choice(["p1", "p2", "王"])
    on, check_id = dice.random() < 0.6, dice.choice("12")
    seen = dice.choice(["hidden", "visible"])
    changes = [
        {"connection": line, "media": True, "at_ms": earlier},
        {"connection": line, "media": on, "at_ms": earlier},
        {"publisher": "pub", "media": on, "at_ms": earlier},
        {"connection": line, "visibility": seen, "at_ms": earlier},
    ]
    resolved = {
        "person": person,
        "id": check_id,
        "issued_at_ms": earlier,
        "result": dice.choice(list(CheckResult)),
    }
    return dice.choice(
        [
            ("join", {"person": person, "connection": line, "transport": "w", "role": "learner"}),
            ("join", {"person": person, "connection": line, "transport": "w", "role": "moderator"}),
            ("leave", {"person": person, "connection": line}),
            *[("presence", {"changes": [change]}) for change in changes],
            ("publish", {"connection": "pub"}),
            ("unpublish", {"connection": dice.choice(["pub", "no"]), "heard_at_ms": earlier}),
            (dice.choice(["pause", "resume", "restore"]), {}),
            ("cut", {"level": dice.choice(["lesson", "pause", "chat"])}),
            ("interrupted", {"until_ms": earlier}),
            ("challenge_issued", {"checks": {person: 1}}),
            ("challenge_resolved", resolved | {"answered_at_ms": dice.choice([None, earlier])}),
            (
                "challenge_revised",
                {"person": person, "id": check_id, "after": dice.choice(["excused", "timeout"])},
            ),
        ]
    )


class TestLessonsMadeUpByChance:
    """With a seed: the same each time."""

    def test_are_worth_the_same(self) -> None:
        dice = random.Random(9)
        some = [a_lesson(dice) for _ in range(COUNT)]
        for facts, told in zip(some, by_the_page(some), strict=True):
            assert told == by_the_server(facts), facts_json(facts)

    def test_have_the_same_register(self) -> None:
        dice, given, expected = random.Random(11), [], []
        for _ in range(COUNT):
            facts, register = a_ledger(dice), Register()
            for fact in facts:
                register.take(fact["type"], fact["at_ms"], fact["data"])
            as_of_ms = facts[-1]["at_ms"] + 60_000 if facts else at("09:00")
            given.append({"facts": facts, "as_of_ms": as_of_ms})
            found = records(register, as_of_ms, "m", {}, {"p1": -30})
            expected.append([json.loads(record.text) for record in found])
        told = node(REGISTER, "hours/register.js", given=json.dumps(given))
        for facts, one, other in zip(given, told, expected, strict=True):
            assert one == other, facts


def _other_than_true(line: dict[str, Any]) -> None:
    line["result"]["credited_s"] += 1


class TestABundle:
    def test_is_reckoned_again_to_the_same_sum(self, taken: Taken, tmp_path: Path) -> None:
        names = []
        for name, data in (("lesson", taken.lesson), ("person", taken.person)):
            (tmp_path / name).write_bytes(data)
            names.append(str(tmp_path / name))
        lesson, person = node(CHECK, "bundle/check.js", *names)
        rows = [json.loads(line)["result"] for line in parts(taken.lesson)[form.HOURS].splitlines()]
        sum_s = sum(row["credited_s"] for row in rows)
        assert lesson == {"learners": 3, "credited_s": sum_s, "reckoned_s": sum_s}
        (own,) = [row["credited_s"] for row in rows if row["person"] == "wang-6141"]
        assert person == {"learners": 1, "credited_s": own, "reckoned_s": own}

    @pytest.mark.parametrize("whose", [None, "wang-6141"])
    async def test_that_is_not_settled_and_says_other_hours_is_refused(
        self, world: World, tmp_path: Path, whose: str | None
    ) -> None:
        """No hash in the ledger stands against it yet: the facts alone do."""
        await teach(world, settled=False)
        data = await world.bundle(whose)
        signer = world.notary.signer
        assert signer is not None and checked(data).misfit is None
        head = checked(data).head
        assert head is not None
        forge: Seal = lambda digest: signer.sealed(digest, head)  # noqa: E731
        (tmp_path / "true.zip").write_bytes(data)
        (tmp_path / "false.zip").write_bytes(with_line(data, form.HOURS, 0, _other_than_true, forge))
        found = node(CHECK, "bundle/check.js", *(str(tmp_path / f"{name}.zip") for name in ("true", "false")))
        assert found[0]["credited_s"] == found[0]["reckoned_s"] > 0
        who = whose or "sun-2290"
        assert found[1] == ["reckoned", form.HOURS, who]
