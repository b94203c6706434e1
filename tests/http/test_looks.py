"""Who of the staff looked at what is a person's own is on record, as what they do is."""

from __future__ import annotations

from typing import Any

import pytest

from liveserver.core.permissions import STAFF, TABLE, Role
from liveserver.http.app import public_routes
from tests.drivers.process import until
from tests.drivers.server import Server
from tests.http.conftest import Sign
from tests.http.test_audit import ask
from tests.http.test_requests import is_problem

UNSEEN = {
    # The answer leaves a fact of its own.
    "/lessons/L/photos/P", "/incidents/I/evidence.jpg",
    # Nothing of a person, or nothing but what he may be known by in his work: lessons, cuts, courses, rules.
    "/lessons", "/lessons/L", "/lessons/L/cuts", "/drills", "/lessons/L/settlements", "/lessons/L/policy",
    "/lessons/L/recordings", "/lessons/L/questions", "/recordings", "/storage", "/retention/due",
    "/questions", "/screening/statistics", "/screening/models", "/policies", "/policies/P", "/lexicons",
    "/lexicons/L", "/organisations", "/organisations.csv", "/organisations/I", "/projects", "/projects.csv",
    "/projects/I", "/courses", "/courses.csv", "/courses/I", "/classes", "/classes.csv", "/classes/I",
    "/classes/C/groups", "/classes/C/timetable", "/classes/C/timetable.ics",
    # The ledger's own state, and the log itself.
    "/ledger/head", "/ledger/heads", "/ledger/keys", "/ledger/witnesses", "/ledger/receipt", "/audit/acts",
    "/audit/looks", "/audit/report", "/inspections/samples", "/inspections/views",
}  # fmt: skip


def plain(path: str) -> str:
    """`/lessons/L/attendance`: what is in braces as one letter."""
    shown, deep = "", 0
    for at, letter in enumerate(path.removeprefix("/api/v1")):
        deep += letter == "{"
        if letter == "{" and deep == 1:
            shown += path.removeprefix("/api/v1")[at + 1].upper()
        if not deep:
            shown += letter
        deep -= letter == "}"
    return shown


class TestEveryRoute:
    def test_that_the_staff_may_read_is_decided_about(self) -> None:
        """A new one is either a look with a name, or is listed here with the reason why it is none."""
        of_staff = set().union(*(TABLE[role] for role in STAFF))
        reads = [
            row
            for row in public_routes(test_hooks=False)
            if row.method == "GET" and row.permission in of_staff and row.path.startswith("/api/v1/")
            and "/me/" not in row.path and "/session/" not in row.path
        ]  # fmt: skip
        assert {plain(row.path) for row in reads if not row.view} == UNSEEN


def looks(server: Server, auditor: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(server, "GET", "/audit/looks?limit=200", auditor).json["items"]
    return found


class TestALook:
    @pytest.mark.parametrize(
        ("role", "path", "what", "subject"),
        [
            (Role.SYSTEM, "/persons", "persons", ""),
            (Role.SYSTEM, "/persons.csv", "persons_file", ""),
            (Role.ADMIN, "/accounts", "accounts", ""),
            (Role.SECURITY, "/incidents", "incidents", ""),
            (Role.ADMIN, "/statistics/learners/p-7", "learner_statistics", "p-7"),
            (Role.MODERATOR, "/lessons/{lesson}/incidents", "incidents", ""),
            (Role.ADMIN, "/lessons/{lesson}/attendance", "attendance", ""),
            (Role.SYSTEM, "/lessons/{lesson}/attendance.csv", "attendance_file", ""),
            (Role.ADMIN, "/lessons/{lesson}/evidence", "evidence", ""),
            (Role.AUDIT, "/ledger/entries?limit=1", "entries", ""),
        ],
    )
    def test_is_on_record_with_who_when_what_and_of_whom(
        self, server: Server, sign: Sign, role: Role, path: str, what: str, subject: str
    ) -> None:
        who, lesson = f"{role}-{what}", server.demo.id
        path = path.format(lesson=lesson)
        for _ in range(2):  # within a minute it is one
            assert ask(server, "GET", path, sign(role, person=who)).status == 200
        auditor = sign(Role.AUDIT)
        (found,) = until(lambda: [one for one in looks(server, auditor) if one["by"] == who], "a look")
        of = lesson if "/lessons/" in path else None
        assert (found["role"], found["what"], found["lesson"], found["subject"]) == (role, what, of, subject)

    def test_that_was_refused_is_none(self, server: Server, sign: Sign) -> None:
        token = sign(Role.ADMIN, person="curious")
        assert ask(server, "GET", "/lessons/nobody-made-it/attendance", token).status == 404
        assert [one for one in looks(server, sign(Role.AUDIT)) if one["by"] == "curious"] == []

    def test_of_an_instructor_or_at_one_s_own_is_none(self, server: Server, sign: Sign) -> None:
        lesson = server.demo.id
        teacher = sign(Role.INSTRUCTOR, lesson, person="the-teacher")
        assert ask(server, "GET", f"/lessons/{lesson}/attendance", teacher).status == 200
        assert ask(server, "GET", "/me/hours", sign(Role.LEARNER, person="the-learner")).status == 200
        assert {"the-teacher", "the-learner"}.isdisjoint(one["by"] for one in looks(server, sign(Role.AUDIT)))

    def test_is_read_by_who_audits_alone(self, server: Server, sign: Sign) -> None:
        for role in (Role.SYSTEM, Role.SECURITY, Role.MODERATOR, Role.LEARNER):
            assert is_problem(ask(server, "GET", "/audit/looks", sign(role)), 403, "forbidden")
        page = ask(server, "GET", "/audit/looks?limit=1&after=-1", sign(Role.AUDIT)).json
        following = ask(server, "GET", f"/audit/looks?limit=1&after={page['next']}", sign(Role.AUDIT)).json
        assert following["items"][0]["index"] > page["items"][0]["index"]
