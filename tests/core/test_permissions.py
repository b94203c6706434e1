"""Every role against every permission, as DESIGN section 6 and docs/PROTOCOL.md grant them."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.permissions import TABLE, Permission, Role, allows, require

# Written out a second time, by permission: a slip in the table does not repeat itself here.
GRANTED: dict[Permission, set[Role]] = {
    Permission.SEE_LESSON: set(Role),
    Permission.PUBLISH: {Role.INSTRUCTOR},
    Permission.WATCH: {Role.LEARNER, Role.MODERATOR, Role.ADMIN, Role.INSPECTOR},
    Permission.ATTEND: {Role.LEARNER},
    Permission.CHAT: {Role.INSTRUCTOR, Role.LEARNER, Role.MODERATOR},
    Permission.SEE_ROSTER: {Role.INSTRUCTOR, Role.MODERATOR, Role.ADMIN},
    Permission.END: {Role.INSTRUCTOR, Role.MODERATOR, Role.ADMIN},
    Permission.CUT: {Role.MODERATOR, Role.ADMIN},
    Permission.RESTORE: {Role.MODERATOR, Role.ADMIN},
    Permission.KEEP_DRILLS: {Role.ADMIN},
    Permission.SEE_CUTS: {Role.MODERATOR, Role.ADMIN, Role.INSPECTOR},
    Permission.LIST_LESSONS: {Role.MODERATOR, Role.ADMIN, Role.INSPECTOR},
    Permission.CREATE_LESSON: {Role.ADMIN},
    Permission.ISSUE_TOKENS: {Role.ADMIN},
    Permission.ISSUE_CHALLENGES: {Role.INSTRUCTOR, Role.ADMIN},
    Permission.SEE_CHALLENGES: {Role.INSTRUCTOR, Role.ADMIN, Role.INSPECTOR},
    Permission.SEE_ATTENDANCE: {Role.INSTRUCTOR, Role.ADMIN, Role.INSPECTOR},
    Permission.REVIEW_PHOTOS: {Role.ADMIN},
    Permission.SEE_OWN_HOURS: {Role.LEARNER},
    Permission.ASK_ADJUSTMENT: {Role.INSTRUCTOR, Role.ADMIN},
    Permission.DECIDE_ADJUSTMENT: {Role.ADMIN},
    Permission.ASK_WHOLE_NAMES: {Role.ADMIN},
    Permission.SEE_STATISTICS: {Role.ADMIN, Role.INSPECTOR},
    Permission.SEE_RECORDINGS: {Role.INSTRUCTOR, Role.ADMIN, Role.INSPECTOR},
    Permission.LIST_RECORDINGS: {Role.ADMIN, Role.INSPECTOR},
    Permission.MANAGE_RETENTION: {Role.ADMIN},
    Permission.SEE_INCIDENTS: {Role.MODERATOR, Role.ADMIN},
    Permission.JUDGE_INCIDENTS: {Role.MODERATOR, Role.ADMIN},
    Permission.APPEAL: {Role.INSTRUCTOR, Role.LEARNER},
    Permission.MODERATE_CHAT: {Role.MODERATOR, Role.ADMIN},
    Permission.SEE_POLICIES: {Role.MODERATOR, Role.ADMIN, Role.INSPECTOR},
    Permission.MANAGE_POLICIES: {Role.ADMIN},
    Permission.SEE_PEOPLE: {Role.ADMIN, Role.INSPECTOR},
    Permission.MANAGE_PEOPLE: {Role.ADMIN},
    Permission.SEE_OWN_LESSONS: {Role.INSTRUCTOR, Role.LEARNER},
    Permission.SEE_EVIDENCE: {Role.ADMIN, Role.INSPECTOR},
    Permission.SEE_LEDGER: {Role.ADMIN, Role.INSPECTOR},
}


class TestTheTable:
    def test_names_every_role_and_this_file_every_permission(self) -> None:
        assert set(TABLE) == set(Role)
        assert set(GRANTED) == set(Permission)

    @pytest.mark.parametrize("role", Role)
    @pytest.mark.parametrize("permission", Permission)
    def test_grants_exactly_what_the_contract_says(self, role: Role, permission: Permission) -> None:
        granted = role in GRANTED[permission]
        assert allows(role, permission) is granted
        if granted:
            require(role, permission)
            return
        with pytest.raises(PeerError) as refused:
            require(role, permission)
        assert (refused.value.code, refused.value.status) == ("forbidden", 403)

    def test_cannot_be_changed_at_run_time(self) -> None:
        with pytest.raises(TypeError):
            TABLE[Role.LEARNER] = frozenset(Permission)  # type: ignore[index]


class TestDutiesAreKeptApart:
    def test_only_the_instructor_broadcasts(self) -> None:
        assert {role for role in Role if allows(role, Permission.PUBLISH)} == {Role.INSTRUCTOR}

    def test_an_inspector_changes_nothing(self) -> None:
        assert all(p.startswith(("see_", "list_")) or p is Permission.WATCH for p in TABLE[Role.INSPECTOR])

    def test_a_learner_has_no_power_over_a_lesson(self) -> None:
        powers = {
            Permission.END,
            Permission.CUT,
            Permission.RESTORE,
            Permission.PUBLISH,
            Permission.ISSUE_TOKENS,
            Permission.MODERATE_CHAT,
            Permission.JUDGE_INCIDENTS,
        }
        assert not powers & TABLE[Role.LEARNER]
