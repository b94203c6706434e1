"""What people and classes are made of: the words they may take, and numbers that prove themselves."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from liveserver.core.errors import PeerError

NAME_MOST = 60


class Status(StrEnum):
    """Nothing is deleted: what is archived is there, and out of the way."""

    ACTIVE = "active"
    ARCHIVED = "archived"


class OrganisationKind(StrEnum):
    PROVIDER = "provider"
    ENTERPRISE = "enterprise"
    OPERATOR = "operator"
    REGULATOR = "regulator"


class Form(StrEnum):
    """How something is taught."""

    LIVE = "live"
    RECORDED = "recorded"
    OFFLINE = "offline"
    MIXED = "mixed"


class Approval(StrEnum):
    """Of a class by the authority (REQ-E8)."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REFUSED = "refused"


class Enrolled(StrEnum):
    ENROLLED = "enrolled"
    LEFT = "left"


class Teaching(StrEnum):
    """What somebody does in a class."""

    LECTURER = "lecturer"
    ASSISTANT = "assistant"
    INVIGILATOR = "invigilator"


class Assigned(StrEnum):
    ASSIGNED = "assigned"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Placement:
    """What a lesson belongs to, with what it is given from there; `course` is a name.

    `preset` and `programmes` are empty where it belongs to no project.
    """

    training_class: str = ""
    course_id: str = ""
    course: str = ""
    project: str = ""
    preset: str = ""
    programmes: str = ""


# From which state of approval to which one an administrator may go.
APPROVALS = {
    Approval.DRAFT: frozenset({Approval.SUBMITTED}),
    Approval.SUBMITTED: frozenset({Approval.APPROVED, Approval.REFUSED, Approval.DRAFT}),
    Approval.APPROVED: frozenset({Approval.DRAFT}),
    Approval.REFUSED: frozenset({Approval.DRAFT, Approval.SUBMITTED}),
}

_USCC_LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015 table 1: no I, O, S, V, Z
_USCC = re.compile(f"[{_USCC_LETTERS}]{{18}}")
_PHONE = re.compile(r"\+?[0-9]{5,15}")
_PHONE_FILLERS = str.maketrans("", "", " -()（）\u00a0")


def name_of(text: str) -> str:
    """A name in one spelling (NFC, no outer blanks). Raises PeerError `bad_name`."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= NAME_MOST or any(unicodedata.category(c) in ("Cc", "Cs", "Co") for c in name):
        raise PeerError("bad_name", f"a name of 1 to {NAME_MOST} characters is expected", status=422)
    return name


def phone_of(text: str) -> str:
    """A telephone number as its digits; nothing stays nothing. Raises PeerError `bad_phone`.

    >>> phone_of("138 0000-1234")
    '13800001234'
    """
    phone = unicodedata.normalize("NFKC", text).translate(_PHONE_FILLERS)
    if phone and (not phone.isascii() or _PHONE.fullmatch(phone) is None):
        raise PeerError("bad_phone", "a telephone number has 5 to 15 digits", status=422)
    return phone


def uscc_of(text: str) -> str:
    """A unified social credit code, its check character too (GB 32100-2015); nothing stays nothing.

    Raises PeerError `bad_uscc`.

    >>> uscc_of("91110000600037341l")
    '91110000600037341L'
    """
    code = text.strip().upper()
    if not code:
        return ""
    if _USCC.fullmatch(code) is None:
        raise PeerError("bad_uscc", "18 digits and capital letters are expected", status=422)
    values = [_USCC_LETTERS.index(letter) for letter in code]
    total = sum(value * pow(3, place, 31) for place, value in enumerate(values[:17]))
    if (31 - total % 31) % 31 != values[17]:
        raise PeerError("bad_uscc", "its check character is another", status=422)
    return code


def day_of(text: str) -> str:
    """A day such as 2026-03-02; nothing stays nothing. Raises PeerError `bad_day`."""
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as error:
        raise PeerError("bad_day", "a day such as 2026-03-02 is expected", status=422) from error


def require_order(first: str, last: str) -> None:
    """Raises PeerError `bad_day` where the last day is before the first."""
    if first and last and last < first:
        raise PeerError("bad_day", "it ends before it begins", status=422)
