"""Classes: their groups, the authority's approval, and the gates before a start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.gates import Closed, Cohort, closed_gates, size_limit
from liveserver.core.messages import Json
from liveserver.core.people import APPROVALS, Approval, Status
from liveserver.core.presets import preset
from liveserver.people.kinds import shown
from liveserver.people.registry import Registry, new_id
from liveserver.store import Store
from liveserver.store.model.people import ClassGroup, Project, TrainingClass

GROUPS_MOST = 100


class Classes:
    """Owned by the main loop. Raises PeerError for what is refused."""

    def __init__(self, store: Store, clock: Clock, registry: Registry):
        self._people = store.people
        self._clock = clock
        self._registry = registry

    async def one(self, key: str) -> Json:
        """The class with how many belong to it, its limit, and the gates that are closed."""
        found = await self.require(key)
        project = await self.project(found.project)
        cohort = await self._cohort(found, project)
        return {
            **shown(found),
            "project_name": project.name,
            "preset": project.preset,
            "learners": cohort.learners,
            "lecturers": cohort.lecturers,
            "size_limit": size_limit(cohort, preset(project.preset).conditions),
            "gates": [
                {"code": gate.gate, "detail": gate.detail, "clause": gate.clause}
                for gate in _closed(cohort, project)
            ],
        }

    async def closed(self, training_class: str) -> tuple[Project, list[Closed]]:
        """The project of a class, and what a start would be refused for now."""
        found = await self.require(training_class)
        project = await self.project(found.project)
        return project, _closed(await self._cohort(found, project), project)

    async def approve(self, key: str, approval: Approval, note: str, by: str) -> Json:
        """The next step of the authority's approval. Raises PeerError `wrong_step` (409)."""
        found = await self.require(key)
        if approval not in APPROVALS[Approval(found.approval)]:
            detail = f"a class that is {found.approval} cannot become {approval}"
            raise PeerError("wrong_step", detail, status=409)
        now_ms = self._clock.wall_ms()
        changes = {
            "approval": str(approval),
            "approval_by": by,
            "approval_note": note,
            "approval_at_ms": now_ms,
        }
        return shown(await self._people.classes.change(key, changes, by, now_ms, str(approval)))

    # --- groups ---

    async def groups(self, training_class: str) -> Json:
        await self.require(training_class)
        where = {"training_class": training_class}
        found, _ = await self._people.groups.page("", None, GROUPS_MOST, where)
        return {"items": [shown(group) for group in found], "next": None}

    async def add_group(self, training_class: str, name: str, by: str) -> Json:
        """Raises PeerError `already_there` (409), `too_many` (409)."""
        if len((await self.groups(training_class))["items"]) >= GROUPS_MOST:
            raise PeerError("too_many", f"a class has at most {GROUPS_MOST} groups", status=409)
        now_ms = self._clock.wall_ms()
        group = ClassGroup(new_id(), training_class, name, created_at_ms=now_ms)
        return shown(await self._people.groups.add(group, by, now_ms))

    async def change_group(self, training_class: str, key: str, values: Mapping[str, Any], by: str) -> Json:
        await self.group(training_class, key)
        act = {"archived": "archived", "active": "restored"}.get(values.get("status", ""), "changed")
        return shown(await self._people.groups.change(key, values, by, self._clock.wall_ms(), act))

    # --- inside ---

    async def require(self, training_class: str) -> TrainingClass:
        """Raises PeerError `not_found` (404)."""
        found: TrainingClass = await self._registry.get("class", training_class)
        return found

    async def require_active(self, training_class: str) -> TrainingClass:
        """Raises PeerError `unknown_class` (422), `archived` (409)."""
        found = await self._people.classes.get(training_class)
        if found is None:
            raise PeerError("unknown_class", "there is no such class", status=422)
        if found.status == Status.ARCHIVED:
            raise PeerError("archived", "the class is archived", status=409)
        return found

    async def group(self, training_class: str, key: str) -> ClassGroup:
        """Raises PeerError `unknown_group` (422)."""
        found = await self._people.groups.get(key)
        if found is None or found.training_class != training_class:
            raise PeerError("unknown_group", "the class has no such group", status=422)
        return found

    async def project(self, key: str) -> Project:
        found = await self._people.projects.get(key)
        if found is None:
            raise PeerError("unknown_project", "there is no such project", status=422)
        return found

    async def _cohort(self, found: TrainingClass, project: Project) -> Cohort:
        return Cohort(
            await self._people.roster.learners(found.id),
            await self._people.teachers.lecturers(found.id),
            found.approval == Approval.APPROVED,
            found.status == Status.ARCHIVED,
            (found.capacity, project.class_size),
        )


def _closed(cohort: Cohort, project: Project) -> list[Closed]:
    chosen = preset(project.preset)
    return closed_gates(cohort, chosen.conditions, chosen.clauses)
