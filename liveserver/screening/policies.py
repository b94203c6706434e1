"""Policies as they are kept: versions that are never rewritten, and which one each open lesson is under.

A lesson is given a version when it is made and keeps it until an administrator changes it, which takes effect
with the next thing screening sees. `of` never waits: it is asked on the way from a finding to a cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.messages import Json
from liveserver.core.policies import DEFAULT, NAME, PRESETS, parse, policy_fact, policy_json
from liveserver.core.screening import Policy
from liveserver.log import Event, get_logger
from liveserver.store import Lesson, Store, Version

OWN = "lesson-"
"""A lesson's own policy is named so, with its id."""
SERVER = "server"
_log = get_logger()


class Policies:
    """Owned by the main loop. `standard`: the name of the policy that new lessons are given."""

    def __init__(self, store: Store, clock: Clock, standard: str = DEFAULT.name):
        self._store = store
        self._kept = store.rules.policies
        self._clock = clock
        self._standard_name = standard
        self._standard = PRESETS.get(standard, DEFAULT)
        self._open: dict[str, Policy] = {}
        self.listener: Callable[[str, Policy], None] | None = None
        """Told what an open lesson is screened by, when it opens and when that changes."""

    async def start(self) -> None:
        """Keep the policies that ship. One that an administrator has changed stays as he left it.

        Raises ValueError if there is no policy of the configured name.
        """
        for name, policy in PRESETS.items():
            newest = await self._kept.get(name)
            shipped_before = newest is not None and newest.by == SERVER
            if newest is None or (shipped_before and newest.body != _body(policy)):
                await self._add(name, policy, SERVER)
        standard = await self._kept.get(self._standard_name)
        if standard is None:
            raise ValueError(f"screening.policy: there is no policy {self._standard_name}")
        self._standard = _read(standard)

    # --- of lessons ---

    @property
    def standard(self) -> Policy:
        """What new lessons are screened by."""
        return self._standard

    def of(self, lesson: str) -> Policy:
        """What an open lesson is screened by; of one that is not open, what new ones are."""
        return self._open.get(lesson, self._standard)

    async def open(self, lesson: Lesson) -> None:
        """The lesson's room opens: `of` knows its policy from now on."""
        self._hold(lesson.id, await self._of_stored(lesson))

    def close(self, lesson: str) -> None:
        self._open.pop(lesson, None)

    async def of_lesson(self, lesson: Lesson) -> Policy:
        """What a lesson is screened by, whether it is open or not."""
        return self._open.get(lesson.id) or await self._of_stored(lesson)

    async def give(self, lesson: Lesson, document: object, by: str) -> Policy:
        """Put a lesson under a kept policy ({"name", "version"?}) or one of its own; at once.

        Raises PeerError `bad_request`, `not_found` (404).
        """
        before = await self.of_lesson(lesson)
        if isinstance(document, dict) and "name" in document and not set(document) - {"name", "version"}:
            policy = await self._named(document)
        else:
            own = f"{OWN}{lesson.id.lower()}"
            policy = _read(await self._add(own, parse(document, own, 1), by))
        now_ms = self._clock.wall_ms()
        change: dict[str, JSON] = {"by": by, "before": _title(before), "after": _title(policy)}
        await self._store.append([Fact("lesson_policy", lesson.id, now_ms, change)])
        await self._store.lessons.update(lesson.id, policy=policy.name, policy_version=policy.version)
        if lesson.id in self._open:
            self._hold(lesson.id, policy)
        return policy

    # --- by name ---

    async def put(self, name: str, document: object, by: str) -> Policy:
        """The next version of a policy. Raises PeerError `bad_request`."""
        if name.startswith(OWN):
            raise PeerError("bad_request", f"names that begin with {OWN} are the lessons' own")
        policy = _read(await self._add(name, parse(document, name, 1), by))
        if name == self._standard_name:
            self._standard = policy
        return policy

    async def get(self, name: str, version: int | None = None) -> Policy:
        """One version, the newest unless named. Raises PeerError `not_found` (404)."""
        found = await self._kept.get(name, version)
        if found is None:
            raise PeerError("not_found", "there is no such policy", status=404)
        return _read(found)

    async def shown(self, name: str, version: int | None) -> Json:
        """The REST shape of one, with all its versions."""
        policy = await self.get(name, version)
        history = [shapes.version(one) for one in await self._kept.history(name)]
        return policy_json(policy) | {"versions": history}

    async def listed(self) -> list[Json]:
        """The newest version of each, but for the lessons' own."""
        return [
            {"name": one.name} | shapes.version(one)
            for one in await self._kept.newest()
            if not one.name.startswith(OWN)
        ]

    # --- inside ---

    def _hold(self, lesson: str, policy: Policy) -> None:
        self._open[lesson] = policy
        if self.listener is not None:
            self.listener(lesson, policy)

    async def _named(self, document: dict[str, Any]) -> Policy:
        name, version = document["name"], document.get("version")
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise PeerError("bad_request", "name: a policy's name is expected")
        if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
            raise PeerError("bad_request", "version: a whole number is expected")
        return await self.get(name, version)

    async def _of_stored(self, lesson: Lesson) -> Policy:
        if not lesson.policy:
            return self._standard
        found = await self._kept.get(lesson.policy, lesson.policy_version)
        if found is None:  # a lesson must open whatever became of its policy
            _log.error(Event.SCREENING_LACKS, lesson=lesson.id, policy=lesson.policy)
            return self._standard
        return _read(found)

    async def _add(self, name: str, policy: Policy, by: str) -> Version:
        now_ms = self._clock.wall_ms()

        def fact(version: Version) -> Fact:
            before = version.version - 1 or None
            data: dict[str, JSON] = {
                "by": by,
                "name": name,
                "version": version.version,
                "before": before,
                "after": policy_fact(policy),
                "sha256": version.sha256,
            }
            return Fact("policy", None, now_ms, data)

        return await self._kept.add(name, _body(policy), len(policy.rules), now_ms, by, fact)


def _body(policy: Policy) -> str:
    document = {key: value for key, value in policy_json(policy).items() if key not in ("name", "version")}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _read(version: Version) -> Policy:
    return parse(json.loads(version.body), version.name, version.version)


def _title(policy: Policy) -> dict[str, Any]:
    return {"name": policy.name, "version": policy.version}
