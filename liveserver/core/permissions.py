"""Who may do what, as a table (DESIGN section 6, docs/PROTOCOL.md).

A role says what a person may do in a lesson the token covers; whether it covers the lesson is the
token's affair (`tokens.Claims.covers`). What the table does not grant is refused.

Duties are kept apart (MLPS 2.0, 8.1.5.1-3): an administrator arranges and may stop lessons but never
broadcasts or chats under the institution's name; an inspector sees everything that proves a lesson and
changes nothing; a moderator stops lessons but reads neither recordings nor the ledger.
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
            }
        ),
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
            }
        ),
    }
)


def allows(role: Role, permission: Permission) -> bool:
    """Whether the table grants `permission` to `role`."""
    return permission in TABLE[role]


def require(role: Role, permission: Permission) -> None:
    """Pass, or raise PeerError `forbidden` (403) that names what was missing."""
    if not allows(role, permission):
        raise PeerError("forbidden", f"the role {role} may not {permission.replace('_', ' ')}", status=403)
