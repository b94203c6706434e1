"""Every role against every permission, as DESIGN section 6 and docs/PROTOCOL.md grant them."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.permissions import SEPARATE, STAFF, TABLE, Permission, Role, allows, may_issue, require

# Written out a second time, by permission: a slip in the table does not repeat itself here.
GRANTED: dict[Permission, set[Role]] = {
    Permission.SEE_LESSON: set(Role) - {Role.AUDIT, Role.MEMBER, Role.REGISTERING},
    Permission.PUBLISH: {Role.INSTRUCTOR},
    Permission.WATCH: {Role.LEARNER, Role.MODERATOR, Role.ADMIN, Role.INSPECTOR, Role.SECURITY},
    Permission.ATTEND: {Role.LEARNER},
    Permission.CHAT: {Role.INSTRUCTOR, Role.LEARNER, Role.MODERATOR},
    Permission.SEE_ROSTER: {Role.INSTRUCTOR, Role.MODERATOR, Role.ADMIN, Role.SYSTEM},
    Permission.END: {Role.INSTRUCTOR, Role.MODERATOR, Role.ADMIN, Role.SYSTEM},
    Permission.CUT: {Role.MODERATOR, Role.ADMIN, Role.SECURITY},
    Permission.RESTORE: {Role.MODERATOR, Role.ADMIN, Role.SECURITY},
    Permission.KEEP_DRILLS: {Role.ADMIN, Role.SECURITY},
    Permission.SEE_CUTS: {Role.MODERATOR, Role.ADMIN, Role.INSPECTOR, Role.SECURITY},
    Permission.LIST_LESSONS: {Role.MODERATOR, Role.ADMIN, Role.INSPECTOR, Role.SYSTEM, Role.SECURITY},
    Permission.CREATE_LESSON: {Role.ADMIN, Role.SYSTEM},
    Permission.ISSUE_TOKENS: {Role.ADMIN, Role.SYSTEM},
    Permission.ISSUE_CHALLENGES: {Role.INSTRUCTOR, Role.ADMIN, Role.SYSTEM},
    Permission.MANAGE_QUESTIONS: {Role.ADMIN, Role.SYSTEM},
    Permission.SEE_CHALLENGES: {Role.INSTRUCTOR, Role.ADMIN, Role.INSPECTOR, Role.SYSTEM},
    Permission.SEE_ATTENDANCE: {Role.INSTRUCTOR, Role.ADMIN, Role.INSPECTOR, Role.SYSTEM},
    Permission.REVIEW_PHOTOS: {Role.ADMIN, Role.SYSTEM},
    Permission.SEE_OWN_HOURS: {Role.LEARNER, Role.MEMBER},
    Permission.ASK_ADJUSTMENT: {Role.INSTRUCTOR, Role.ADMIN, Role.SYSTEM},
    Permission.DECIDE_ADJUSTMENT: {Role.ADMIN, Role.SYSTEM},
    Permission.ASK_WHOLE_NAMES: {Role.ADMIN, Role.SYSTEM},
    Permission.SEE_STATISTICS: {Role.ADMIN, Role.INSPECTOR, Role.SYSTEM},
    Permission.SEE_RECORDINGS: {Role.INSTRUCTOR, Role.ADMIN, Role.INSPECTOR, Role.SYSTEM},
    Permission.LIST_RECORDINGS: {Role.ADMIN, Role.INSPECTOR, Role.SYSTEM},
    Permission.MANAGE_RETENTION: {Role.ADMIN, Role.SYSTEM},
    Permission.SEE_INCIDENTS: {Role.MODERATOR, Role.ADMIN, Role.SECURITY},
    Permission.JUDGE_INCIDENTS: {Role.MODERATOR, Role.ADMIN, Role.SECURITY},
    Permission.APPEAL: {Role.INSTRUCTOR, Role.LEARNER},
    Permission.SEE_PEOPLE: {Role.ADMIN, Role.INSPECTOR, Role.SYSTEM},
    Permission.MANAGE_PEOPLE: {Role.ADMIN, Role.SYSTEM},
    Permission.SEE_OWN_LESSONS: {*STAFF, Role.MEMBER, Role.INSTRUCTOR, Role.LEARNER} - {Role.AUDIT},
    Permission.MODERATE_CHAT: {Role.MODERATOR, Role.ADMIN, Role.SECURITY},
    Permission.SEE_POLICIES: {Role.MODERATOR, Role.ADMIN, Role.INSPECTOR, Role.SECURITY},
    Permission.MANAGE_POLICIES: {Role.ADMIN, Role.SECURITY},
    Permission.SEE_EVIDENCE: {Role.ADMIN, Role.INSPECTOR},
    Permission.INSPECT: {Role.INSPECTOR},
    Permission.SEE_LEDGER: {Role.ADMIN, Role.INSPECTOR, Role.AUDIT},
    Permission.SEE_AUDIT: {Role.ADMIN, Role.INSPECTOR, Role.AUDIT},
    Permission.STOP_AUDIT: set(),
    Permission.SEE_ACCOUNTS: {Role.ADMIN, Role.SYSTEM, Role.SECURITY},
    Permission.MANAGE_ACCOUNTS: {Role.ADMIN, Role.SYSTEM},
    Permission.REVOKE_ACCESS: {Role.ADMIN, Role.SECURITY},
    Permission.GRANT_ROLES: {Role.ADMIN, Role.SECURITY},
    Permission.RECORD_IDENTITY: {Role.ADMIN, Role.SYSTEM},
    Permission.OWN_ACCOUNT: {*STAFF, Role.MEMBER},
    Permission.OWN_PASSKEYS: {*STAFF, Role.MEMBER, Role.REGISTERING},
    Permission.ENTER_LESSONS: {*STAFF, Role.MEMBER} - {Role.AUDIT},
}

OWN = frozenset(
    {
        Permission.OWN_ACCOUNT,
        Permission.OWN_PASSKEYS,
        Permission.ENTER_LESSONS,
        Permission.SEE_OWN_LESSONS,
    }
)
"""What is about nobody but oneself."""


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
        assert all(
            p.startswith(("see_", "list_")) or p in (Permission.WATCH, Permission.INSPECT, *OWN)
            for p in TABLE[Role.INSPECTOR]
        )

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

    def test_three_administrators_share_nothing_but_who_has_an_account_and_which_lessons_there_are(
        self,
    ) -> None:
        seen = {Permission.SEE_LESSON, Permission.LIST_LESSONS, Permission.SEE_ACCOUNTS, *OWN}
        for role in SEPARATE:
            for other in SEPARATE - {role}:
                assert TABLE[role] & TABLE[other] <= seen

    def test_whoever_makes_accounts_gives_them_no_role_and_the_other_way_round(self) -> None:
        for role in SEPARATE:
            assert not {Permission.MANAGE_ACCOUNTS, Permission.GRANT_ROLES} <= TABLE[role]

    def test_the_audit_administrator_reads_the_log_and_nothing_else(self) -> None:
        own = {Permission.OWN_ACCOUNT, Permission.OWN_PASSKEYS}
        assert TABLE[Role.AUDIT] == {Permission.SEE_LEDGER, Permission.SEE_AUDIT, *own}

    def test_the_system_administrator_signs_no_token_for_a_duty_kept_from_him(self) -> None:
        assert {role for role in Role if may_issue(Role.SYSTEM, role)} == {Role.INSTRUCTOR, Role.LEARNER}
        assert not any(may_issue(Role.SECURITY, role) for role in Role)

    def test_who_signed_in_may_nothing_in_a_lesson_before_he_enters_it(self) -> None:
        assert TABLE[Role.MEMBER] == {*OWN, Permission.SEE_OWN_HOURS}
