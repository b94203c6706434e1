"""What the HTTP edge needs of people and classes, as protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from liveserver.core.people import Approval, Placement, Status
from liveserver.core.permissions import Role
from liveserver.http.ports import Object
from liveserver.people.lessons import Own
from liveserver.store import Lesson
from liveserver.store.model.people import Person

Values = Mapping[str, Any]


class Registry(Protocol):
    """Organisations, projects, courses, classes, persons: each by its kind's name."""

    async def add(self, name: str, values: Values, by: str) -> Object: ...

    async def change(self, name: str, key: str, values: Values, by: str) -> Object: ...

    async def set_status(self, name: str, key: str, status: Status, by: str) -> Object: ...

    async def one(self, name: str, key: str, *, masked: bool) -> Object: ...

    async def page(
        self, name: str, wanted: str, after: str | None, limit: int, where: Mapping[str, Any]
    ) -> Object: ...

    async def export(self, name: str, wanted: str, where: Mapping[str, Any]) -> bytes: ...


class Classes(Protocol):
    """Classes with their groups."""

    async def one(self, key: str) -> Object: ...

    async def approve(self, key: str, approval: Approval, note: str, by: str) -> Object: ...

    async def groups(self, training_class: str) -> Object: ...

    async def add_group(self, training_class: str, name: str, by: str) -> Object: ...

    async def change_group(self, training_class: str, key: str, values: Values, by: str) -> Object: ...


class Members(Protocol):
    """Rosters of classes, and who teaches them."""

    async def roster(
        self, training_class: str, wanted: str, status: str | None, after: str | None, limit: int
    ) -> Object: ...

    async def enrol(self, training_class: str, values: Values, by: str) -> Object: ...

    async def change_enrolment(self, training_class: str, key: str, values: Values, by: str) -> Object: ...

    async def roster_csv(self, training_class: str) -> bytes: ...

    async def teachers(
        self, training_class: str, status: str | None, after: str | None, limit: int
    ) -> Object: ...

    async def assign(self, training_class: str, values: Values, by: str) -> Object: ...

    async def change_assignment(self, training_class: str, key: str, values: Values, by: str) -> Object: ...


class Lessons(Protocol):
    """Lessons of classes."""

    async def place(self, training_class: str, course: str, project: str) -> Placement: ...

    async def invited(
        self, training_class: str, role: Role, person: str | None, *, roster: bool
    ) -> Sequence[Person]: ...

    async def timetable(
        self, training_class: str, after: str | None, limit: int
    ) -> tuple[Sequence[Lesson], str | None]: ...

    async def mine(self, person: str, after: str | None, limit: int) -> tuple[Sequence[Own], str | None]: ...

    async def role_of(self, lesson: str, person: str) -> Role: ...

    async def replan(
        self, lesson: str, planned_start_ms: int | None, planned_s: int | None, by: str
    ) -> Lesson: ...

    async def name(self, person: str) -> str: ...

    async def calendar(self, lessons: Sequence[Lesson], title: str, base_url: str) -> bytes: ...


class RosterImport(Protocol):
    """Rosters from files."""

    async def take(
        self, training_class: str, data: bytes, media_type: str, by: str, *, dry_run: bool
    ) -> Object: ...


class Erasure(Protocol):
    """Everything that is a person's own, for ever."""

    async def erase(self, person: str, reason: str, by: str) -> None: ...


class People(Protocol):
    """The parts of it."""

    @property
    def registry(self) -> Registry: ...

    @property
    def classes(self) -> Classes: ...

    @property
    def members(self) -> Members: ...

    @property
    def lessons(self) -> Lessons: ...

    @property
    def roster_import(self) -> RosterImport: ...

    @property
    def erasure(self) -> Erasure: ...
