"""What the HTTP edge needs of lesson hours, and of the questions of random checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from liveserver.core.people import Status
from liveserver.core.quiz import Question
from liveserver.http.ports import Object
from liveserver.tokens import Claims


class Statistics(Protocol):
    """Settled hours over time."""

    async def learner(self, person: str, since: str | None, until: str | None) -> Object: ...

    async def course(self, course: str, since: str | None, until: str | None) -> Object: ...


class Progress(Protocol):
    """How far the learners of a project are."""

    async def of_project(self, project_id: str) -> Object: ...


class Hours(Protocol):
    """Attendance and lesson hours."""

    @property
    def statistics(self) -> Statistics: ...

    @property
    def progress(self) -> Progress: ...

    async def attendance(self, lesson_id: str, after: str, limit: int) -> Object: ...

    async def explained(self, lesson_id: str, person: str) -> Object: ...

    async def own(self, person: str, lesson_id: str) -> Object: ...

    async def settlements(self, lesson_id: str) -> Object: ...

    async def adjustments(self, lesson_id: str) -> Object: ...

    async def ask_adjustment(
        self, lesson_id: str, person: str, delta_s: int, reason: str, by: str
    ) -> Object: ...

    async def decide_adjustment(self, adjustment: str, *, approve: bool, words: str, by: str) -> Object: ...

    async def excuse(
        self, lesson_id: str, challenge: str, person: str, reason: str, by: str, *, excused: bool
    ) -> Object: ...

    async def export(self, lesson_id: str, kind: str, claims: Claims, grant: str | None) -> bytes: ...

    async def ask_export(self, lesson_id: str, reason: str, by: str) -> Object: ...

    async def agree_export(self, grant: str, by: str) -> Object: ...


class Questions(Protocol):
    """Banks of questions."""

    async def add(self, course: str, questions: Sequence[Question], by: str) -> list[Object]: ...

    async def set_status(self, key: str, status: Status, by: str) -> Object: ...

    async def page(self, wanted: str, after: str | None, limit: int, where: Mapping[str, Any]) -> Object: ...

    async def of_lesson(self, lesson: str) -> Object: ...
