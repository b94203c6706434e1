"""What lessons are screened by, as administrators see and change it."""

from __future__ import annotations

from liveserver.core.messages import Json
from liveserver.core.policies import policy_json
from liveserver.screening.lexicons import Lexicons
from liveserver.screening.policies import Policies
from liveserver.store import Store
from liveserver.tokens import Claims


class Rules:
    """Policies and lists of one installation. Owned by the main loop."""

    def __init__(self, store: Store, policies: Policies, lexicons: Lexicons):
        self._store = store
        self.policies = policies
        self.lexicons = lexicons

    async def of_lesson(self, lesson: str) -> Json:
        """What a lesson is screened by. Raises PeerError `unknown_lesson` (404)."""
        return policy_json(await self.policies.of_lesson(await self._store.lessons.known(lesson)))

    async def give(self, lesson: str, document: object, claims: Claims) -> Json:
        """Put a lesson under another policy; raises as `Policies.give`."""
        found = await self._store.lessons.known(lesson)
        return policy_json(await self.policies.give(found, document, claims.person))
