"""Exports with whole names: one person asks with a reason, another agrees, within the hour (003 L23).

Both acts and each export stand in the ledger. Grants live in memory: after a restart one asks again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import Fact
from liveserver.core.messages import Json
from liveserver.shapes import time
from liveserver.store import Store

LIFE_MS = 3_600_000
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Grant:
    id: str
    lesson: str
    reason: str
    asked_by: str
    expires_ms: int
    agreed_by: str = ""

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "lesson": self.lesson,
            "reason": self.reason,
            "asked_by": self.asked_by,
            "agreed_by": self.agreed_by,
            "expires_at": time(self.expires_ms),
        }


class Grants:
    """Who may see whole names in an export, and until when."""

    def __init__(self, store: Store, clock: Clock):
        self._store = store
        self._clock = clock
        self._grants: dict[str, Grant] = {}

    async def ask(self, lesson: str, reason: str, by: str) -> Grant:
        """Raises PeerError `busy` (503) when too many wait."""
        now_ms = self._clock.wall_ms()
        self._grants = {key: grant for key, grant in self._grants.items() if grant.expires_ms > now_ms}
        if len(self._grants) >= MOST:
            raise PeerError("busy", "too many exports wait for agreement", status=503, retry_after_s=60)
        grant = Grant(secrets.token_urlsafe(9), lesson, reason, by, now_ms + LIFE_MS)
        data = {"id": grant.id, "reason": reason, "by": by}
        await self._store.append([Fact("export_asked", lesson, now_ms, data)])
        self._grants[grant.id] = grant
        return grant

    async def agree(self, grant: str, by: str) -> Grant:
        """Raises PeerError `not_found` (404), `same_person` (403) for whoever asked."""
        found = self._known(grant)
        if found.asked_by == by:
            raise PeerError("same_person", "another person has to agree", status=403)
        data = {"id": grant, "by": by}
        await self._store.append([Fact("export_agreed", found.lesson, self._clock.wall_ms(), data)])
        agreed = self._grants[grant] = replace(found, agreed_by=by)
        return agreed

    def require(self, grant: str, lesson: str, by: str) -> Grant:
        """The grant, if it is for this lesson and person and agreed; else PeerError 403 or 404."""
        found = self._known(grant)
        if found.lesson != lesson or found.asked_by != by:
            raise PeerError("forbidden", "the grant is for another lesson or person", status=403)
        if not found.agreed_by:
            raise PeerError("second_person_needed", "nobody has agreed yet", status=403)
        return found

    def _known(self, grant: str) -> Grant:
        found = self._grants.get(grant)
        if found is None or found.expires_ms <= self._clock.wall_ms():
            raise PeerError("not_found", "there is no such grant, or not any more", status=404)
        return found
