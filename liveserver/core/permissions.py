"""Who may do what, as a table (DESIGN section 6, docs/PROTOCOL.md).

A role says what a person may do in a lesson the token covers; whether it covers the lesson is the
token's affair (`tokens.Claims.covers`). What the table does not grant is refused.

Duties are kept apart (MLPS 2.0, 8.1.5.1-3): an administrator arranges and may stop lessons but never
broadcasts or chats under the institution's name; an inspector sees everything that proves a lesson and
changes nothing; a moderator stops lessons but reads neither recordings nor the ledger. Where three
administrators share the work (三员分立), system arranges people, classes and lessons, security decides on
policies, cuts and roles, and audit reads the log: no duty of one is in the hands of another, but that both
see which lessons there are. `admin` is all in one hand, for a start and for small houses.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from liveserver.core.errors import PeerError


class Role(StrEnum):
    """What a token makes its bearer."""

    INSTRUCTOR = "instructor"
    LEARNER = "learner"
    MODERATOR = "moderator"
    ADMIN = "admin"
    INSPECTOR = "inspector"
    SYSTEM = "system"
    """System administrator 系统管理员."""
    SECURITY = "security"
    """Security administrator 安全管理员."""
    AUDIT = "audit"
    """Audit administrator 审计管理员."""
    MEMBER = "member"
    """Somebody who signed in: his place in a class says what he is in a lesson."""
    REGISTERING = "registering"
    """Somebody whose role takes a passkey, and who came by less: he may register one, and nothing else."""


STAFF = frozenset({Role.SYSTEM, Role.SECURITY, Role.AUDIT, Role.MODERATOR, Role.INSPECTOR, Role.ADMIN})
"""Roles an account may have for all lessons, one at most."""
FORCED = frozenset({Role.ADMIN, Role.SYSTEM, Role.SECURITY, Role.AUDIT, Role.MODERATOR})
"""Roles that take a passkey unless it is configured otherwise."""
GRANTED_BY_SECURITY = STAFF - {Role.ADMIN}
"""Those the security administrator gives; `admin` is made by the set-up link alone."""
SEPARATE = frozenset({Role.SYSTEM, Role.SECURITY, Role.AUDIT})
"""Once each of these has its account, nobody signs in as `admin` any more."""


class Permission(StrEnum):
    """One thing that may be granted."""

    SEE_LESSON = "see_lesson"
    """Read one lesson's state and join its control channel."""
    PUBLISH = "publish"
    """Send media (WHIP), say which sources are on, pause one's own lesson."""
    WATCH = "watch"
    """Receive media (WHEP, LL-HLS)."""
    ATTEND = "attend"
    """Be counted: report visibility, answer challenges, send photos."""
    CHAT = "chat"
    SEE_ROSTER = "see_roster"
    """Who is in the lesson now, by name."""
    END = "end"
    CUT = "cut"
    RESTORE = "restore"
    KEEP_DRILLS = "keep_drills"
    """Report what a drill of the kill switch has seen."""
    SEE_CUTS = "see_cuts"
    """What was cut, how long it took, who lifted it."""
    LIST_LESSONS = "list_lessons"
    CREATE_LESSON = "create_lesson"
    ISSUE_TOKENS = "issue_tokens"
    ISSUE_CHALLENGES = "issue_challenges"
    SEE_CHALLENGES = "see_challenges"
    MANAGE_QUESTIONS = "manage_questions"
    """The courses' banks of questions."""
    SEE_ATTENDANCE = "see_attendance"
    REVIEW_PHOTOS = "review_photos"
    """See a learner's photo that no model could decide about, and decide."""
    SEE_OWN_HOURS = "see_own_hours"
    ASK_ADJUSTMENT = "ask_adjustment"
    """Ask that somebody's hours be changed."""
    DECIDE_ADJUSTMENT = "decide_adjustment"
    """Approve or refuse what another person asked for."""
    ASK_WHOLE_NAMES = "ask_whole_names"
    """Ask for, or agree to another's, export with whole names."""
    SEE_STATISTICS = "see_statistics"
    """Hours over all lessons, by learner and course."""
    SEE_RECORDINGS = "see_recordings"
    """Recordings of the lessons the token covers."""
    LIST_RECORDINGS = "list_recordings"
    """Recordings over all lessons."""
    MANAGE_RETENTION = "manage_retention"
    """Put recordings under legal hold, and delete those whose date has come."""
    SEE_INCIDENTS = "see_incidents"
    """What screening found, with its evidence, and lines of the chat that wait."""
    JUDGE_INCIDENTS = "judge_incidents"
    """Confirm or dismiss what screening found."""
    APPEAL = "appeal"
    """Say why an incident about oneself, or one's lesson, is none."""
    MODERATE_CHAT = "moderate_chat"
    """Take lines away, and the chat from people."""
    SEE_POLICIES = "see_policies"
    """Policies, and which lists there are."""
    MANAGE_POLICIES = "manage_policies"
    """Change policies and the lists of words."""
    SEE_PEOPLE = "see_people"
    """Organisations, programmes, classes with their rosters, persons; numbers masked."""
    MANAGE_PEOPLE = "manage_people"
    """Add, change and archive them, import rosters."""
    SEE_OWN_LESSONS = "see_own_lessons"
    """The lessons of the classes one belongs to."""
    SEE_EVIDENCE = "see_evidence"
    SEE_LEDGER = "see_ledger"
    SEE_AUDIT = "see_audit"
    """What administrators did, and what a self-audit found."""
    STOP_AUDIT = "stop_audit"
    """Nobody has it: that somebody tried is on record."""
    INSPECT = "inspect"
    """Draw samples of lessons, and read the log of one's own looks."""
    SEE_ACCOUNTS = "see_accounts"
    """Who has an account, in which role, locked or not."""
    MANAGE_ACCOUNTS = "manage_accounts"
    """Make and close accounts, and links by which their owners set a password."""
    REVOKE_ACCESS = "revoke_access"
    """Take back what somebody was given to come in by."""
    GRANT_ROLES = "grant_roles"
    """Give an account a role for all lessons, or take it; end its stays."""
    RECORD_IDENTITY = "record_identity"
    """Note a person's identity number and the proof of it, or second what another noted."""
    OWN_ACCOUNT = "own_account"
    """One's own password and stays; take away one's own passkeys."""
    OWN_PASSKEYS = "own_passkeys"
    """Register a passkey of one's own, and see which there are."""
    ENTER_LESSONS = "enter_lessons"
    """Be given a token for one of one's own lessons."""


_P = Permission

TABLE: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.INSTRUCTOR: frozenset(
            {
                _P.SEE_LESSON,
                _P.PUBLISH,
                _P.CHAT,
                _P.SEE_ROSTER,
                _P.END,
                _P.ISSUE_CHALLENGES,
                _P.SEE_CHALLENGES,
                _P.SEE_ATTENDANCE,
                _P.ASK_ADJUSTMENT,
                _P.SEE_RECORDINGS,
                _P.APPEAL,
                _P.SEE_OWN_LESSONS,
            }
        ),
        Role.LEARNER: frozenset(
            {
                _P.SEE_LESSON,
                _P.WATCH,
                _P.ATTEND,
                _P.CHAT,
                _P.APPEAL,
                _P.SEE_OWN_HOURS,
                _P.SEE_OWN_LESSONS,
            }
        ),
        Role.MODERATOR: frozenset(
            {
                _P.SEE_LESSON,
                _P.WATCH,
                _P.CHAT,
                _P.SEE_ROSTER,
                _P.END,
                _P.CUT,
                _P.RESTORE,
                _P.SEE_CUTS,
                _P.LIST_LESSONS,
                _P.SEE_INCIDENTS,
                _P.JUDGE_INCIDENTS,
                _P.MODERATE_CHAT,
                _P.SEE_POLICIES,
                _P.OWN_ACCOUNT,
                _P.OWN_PASSKEYS,
                _P.ENTER_LESSONS,
                _P.SEE_OWN_LESSONS,
            }
        ),
        Role.ADMIN: frozenset(
            {
                _P.SEE_LESSON,
                _P.WATCH,
                _P.SEE_ROSTER,
                _P.END,
                _P.CUT,
                _P.RESTORE,
                _P.KEEP_DRILLS,
                _P.SEE_CUTS,
                _P.LIST_LESSONS,
                _P.CREATE_LESSON,
                _P.ISSUE_TOKENS,
                _P.REVIEW_PHOTOS,
                _P.ISSUE_CHALLENGES,
                _P.SEE_CHALLENGES,
                _P.MANAGE_QUESTIONS,
                _P.SEE_ATTENDANCE,
                _P.ASK_ADJUSTMENT,
                _P.DECIDE_ADJUSTMENT,
                _P.ASK_WHOLE_NAMES,
                _P.SEE_STATISTICS,
                _P.SEE_RECORDINGS,
                _P.LIST_RECORDINGS,
                _P.MANAGE_RETENTION,
                _P.SEE_INCIDENTS,
                _P.JUDGE_INCIDENTS,
                _P.MODERATE_CHAT,
                _P.SEE_POLICIES,
                _P.MANAGE_POLICIES,
                _P.SEE_PEOPLE,
                _P.MANAGE_PEOPLE,
                _P.SEE_EVIDENCE,
                _P.SEE_LEDGER,
                _P.SEE_AUDIT,
                _P.SEE_ACCOUNTS,
                _P.MANAGE_ACCOUNTS,
                _P.REVOKE_ACCESS,
                _P.GRANT_ROLES,
                _P.RECORD_IDENTITY,
                _P.OWN_ACCOUNT,
                _P.OWN_PASSKEYS,
                _P.ENTER_LESSONS,
                _P.SEE_OWN_LESSONS,
            }
        ),
        Role.SYSTEM: frozenset(
            {
                _P.SEE_PEOPLE,
                _P.MANAGE_PEOPLE,
                _P.SEE_LESSON,
                _P.SEE_ROSTER,
                _P.LIST_LESSONS,
                _P.CREATE_LESSON,
                _P.ISSUE_TOKENS,
                _P.END,
                _P.REVIEW_PHOTOS,
                _P.ISSUE_CHALLENGES,
                _P.SEE_CHALLENGES,
                _P.MANAGE_QUESTIONS,
                _P.SEE_ATTENDANCE,
                _P.ASK_ADJUSTMENT,
                _P.DECIDE_ADJUSTMENT,
                _P.ASK_WHOLE_NAMES,
                _P.SEE_STATISTICS,
                _P.SEE_RECORDINGS,
                _P.LIST_RECORDINGS,
                _P.MANAGE_RETENTION,
                _P.SEE_ACCOUNTS,
                _P.MANAGE_ACCOUNTS,
                _P.RECORD_IDENTITY,
                _P.OWN_ACCOUNT,
                _P.OWN_PASSKEYS,
                _P.ENTER_LESSONS,
                _P.SEE_OWN_LESSONS,
            }
        ),
        Role.SECURITY: frozenset(
            {
                _P.SEE_LESSON,
                _P.WATCH,
                _P.LIST_LESSONS,
                _P.CUT,
                _P.RESTORE,
                _P.KEEP_DRILLS,
                _P.SEE_CUTS,
                _P.SEE_INCIDENTS,
                _P.JUDGE_INCIDENTS,
                _P.MODERATE_CHAT,
                _P.SEE_POLICIES,
                _P.MANAGE_POLICIES,
                _P.SEE_ACCOUNTS,
                _P.REVOKE_ACCESS,
                _P.GRANT_ROLES,
                _P.OWN_ACCOUNT,
                _P.OWN_PASSKEYS,
                _P.ENTER_LESSONS,
                _P.SEE_OWN_LESSONS,
            }
        ),
        Role.AUDIT: frozenset({_P.SEE_LEDGER, _P.SEE_AUDIT, _P.OWN_ACCOUNT, _P.OWN_PASSKEYS}),
        Role.MEMBER: frozenset(
            {_P.OWN_ACCOUNT, _P.OWN_PASSKEYS, _P.ENTER_LESSONS, _P.SEE_OWN_LESSONS, _P.SEE_OWN_HOURS}
        ),
        Role.REGISTERING: frozenset({_P.OWN_PASSKEYS}),
        Role.INSPECTOR: frozenset(
            {
                _P.SEE_LESSON,
                _P.WATCH,
                _P.LIST_LESSONS,
                _P.SEE_CUTS,
                _P.SEE_CHALLENGES,
                _P.SEE_ATTENDANCE,
                _P.SEE_STATISTICS,
                _P.SEE_RECORDINGS,
                _P.LIST_RECORDINGS,
                _P.SEE_POLICIES,
                _P.SEE_PEOPLE,
                _P.SEE_EVIDENCE,
                _P.SEE_LEDGER,
                _P.SEE_AUDIT,
                _P.INSPECT,
                _P.OWN_ACCOUNT,
                _P.OWN_PASSKEYS,
                _P.ENTER_LESSONS,
                _P.SEE_OWN_LESSONS,
            }
        ),
    }
)


def may_issue(role: Role, wanted: Role) -> bool:
    """Whether `role` may sign a token of `wanted`: nobody hands out a duty kept from himself."""
    if role is Role.SYSTEM:
        return wanted in (Role.INSTRUCTOR, Role.LEARNER)
    return allows(role, Permission.ISSUE_TOKENS)


def allows(role: Role, permission: Permission) -> bool:
    """Whether the table grants `permission` to `role`."""
    return permission in TABLE[role]


def require(role: Role, permission: Permission) -> None:
    """Pass, or raise PeerError `forbidden` (403) that names what was missing."""
    if not allows(role, permission):
        raise PeerError("forbidden", f"the role {role} may not {permission.replace('_', ' ')}", status=403)
