"""The trail of administrators: what is an act, what it changed, and that refusals cannot fill the ledger."""

from __future__ import annotations

import pytest

from liveserver.core.ledger import JSON, Entry
from liveserver.core.permissions import TABLE, Permission, Role, allows
from liveserver.core.trail import Change, Refusals, acts_of, is_act

SECOND = 1_000_000_000


def entry(index: int, kind: str, **data: JSON) -> Entry:
    return Entry(index, kind, None, 1000 + index, 1000 + index, data, b"")


class TestAnAct:
    @pytest.mark.parametrize(
        ("method", "permission", "role", "expected"),
        [
            ("PUT", Permission.MANAGE_POLICIES, Role.SECURITY, True),
            ("POST", Permission.CREATE_LESSON, Role.ADMIN, True),
            ("GET", Permission.SEE_LEDGER, Role.AUDIT, False),
            ("POST", Permission.CUT, Role.MODERATOR, False),
            ("POST", Permission.END, Role.INSTRUCTOR, False),
            ("POST", Permission.PUBLISH, Role.ADMIN, False),
            ("DELETE", Permission.STOP_AUDIT, Role.SYSTEM, True),
        ],
    )
    def test_changes_something_for_others_and_is_done_by_staff(
        self, method: str, permission: Permission, role: Role, *, expected: bool
    ) -> None:
        assert is_act(method, permission, role) is expected

    def test_has_its_outcome_and_what_it_changed_by_whoever_did_it(self) -> None:
        began = entry(5, "act", id="a", by="ann", role="security", act="PUT /p", on={"policy": "x"})
        following = [
            entry(6, "policy", by="ann", before="v1", after="v2"),
            entry(7, "policy", by="bob", before="v2", after="v3"),
            entry(8, "act", id="b", by="ann"),
            entry(9, "hold", by="ann", recording="r1"),
            entry(10, "act_done", id="a", outcome="200"),
            entry(11, "policy", by="ann", before="v3", after="v4"),
        ]
        (act,) = acts_of([began], {5: following})
        assert (act.by, act.role, act.act, act.on, act.outcome) == (
            "ann", "security", "PUT /p", {"policy": "x"}, "200",
        )  # fmt: skip
        assert act.changes == (Change(6, "policy", "v1", "v2"), Change(9, "hold", None, {"recording": "r1"}))

    def test_without_its_end_claims_no_change(self) -> None:
        (act,) = acts_of([entry(5, "act", id="a", by="ann")], {5: [entry(6, "policy", by="ann", after="v2")]})
        assert (act.outcome, act.changes) == ("", ())

    def test_that_is_a_cut_is_its_own_record(self) -> None:
        (act,) = acts_of([entry(5, "cut", by="mo", level="lesson", reason="advert")], {})
        assert (act.by, act.act, act.outcome) == ("mo", "cut", "200")
        assert act.changes == (Change(5, "cut", None, {"level": "lesson", "reason": "advert"}),)


class TestRefusals:
    def test_are_recorded_up_to_a_bound_and_the_others_counted(self) -> None:
        refusals = Refusals()
        at = 1_000 * SECOND
        assert [refusals.take(at) for _ in range(60)] == [0] * 60
        assert [refusals.take(at) for _ in range(5)] == [None] * 5
        assert refusals.take(at + 61 * SECOND) == 5
        assert refusals.take(at + 62 * SECOND) == 0


class TestTheAudit:
    def test_may_be_stopped_by_nobody_and_read_by_whoever_audits(self) -> None:
        assert not [role for role in TABLE if allows(role, Permission.STOP_AUDIT)]
        readers = {role for role in TABLE if allows(role, Permission.SEE_AUDIT)}
        assert readers == {Role.AUDIT, Role.ADMIN, Role.INSPECTOR}
