"""A learner's share of a settlement: facts and result in the ledger under one root, told to nobody else."""

from __future__ import annotations

import json
from fractions import Fraction

from liveserver.core import merkle
from liveserver.core.checks import Check, CheckMode, CheckResult
from liveserver.core.hours import Facts, Kind, Other, Policy
from liveserver.core.ledger import canonical_json
from liveserver.core.share import facts_from, facts_json, salt_of, share_leaf

FACTS = Facts(
    policy=Policy(check_mode=CheckMode.WINDOW, max_rate=Fraction(3, 2)),
    planned_ms=2_700_000,
    teaching=((0, 100), (200, 300)),
    lecturer=((0, 300),),
    presence=((10, 90),),
    hidden=((20, 30),),
    checks=(Check(15, CheckResult.PASSED), Check(80, CheckResult.TIMEOUT)),
    other=(Other("l2", Kind.LIVE, 40, 50, 5),),
    id="l1",
)


class TestFacts:
    def test_are_read_as_they_were_written(self) -> None:
        assert facts_from(json.loads(canonical_json(facts_json(FACTS)))) == FACTS

    def test_a_lecturer_nobody_looked_for_is_not_one_who_was_away(self) -> None:
        assert facts_from(facts_json(Facts(lecturer=None))).lecturer is None
        assert facts_from(facts_json(Facts(lecturer=()))).lecturer == ()


class TestAShare:
    def test_is_the_leaf_over_its_canonical_json(self) -> None:
        share = {"facts": {"b": 2, "a": 1}, "person": "王", "result": {"credited_s": 5}, "salt": "0" * 64}
        leaf = share_leaf('{"a":1,"b":2}', "王", '{"credited_s":5}', "0" * 64)
        assert leaf == merkle.leaf_hash(canonical_json(share).encode())

    def test_has_a_salt_of_its_own(self) -> None:
        assert salt_of(b"s" * 32, "p1") != salt_of(b"s" * 32, "p2")
        assert salt_of(b"s" * 32, "p1") != salt_of(b"t" * 32, "p1")
