"""Random checks of open lessons: asked, reviewed, excused; consents to photos."""

from __future__ import annotations

from liveserver.checks.challenges import Challenges
from liveserver.core.challenge import CheckKind
from liveserver.core.errors import PeerError
from liveserver.core.events.checks import CheckRevised, PhotoReviewed
from liveserver.core.ledger import Fact
from liveserver.core.messages import Json
from liveserver.core.quiz import Question
from liveserver.rooms.registry import Registry
from liveserver.screening import Screening
from liveserver.store import Store
from liveserver.tokens import Claims


class Checking:
    """On the main loop. Where no checks are kept they are `not_available` (404)."""

    def __init__(
        self, registry: Registry, store: Store, challenges: Challenges | None, screening: Screening | None
    ):
        self._registry = registry
        self._store = store
        self._challenges = challenges
        self._screening = screening

    async def ask(
        self, lesson_id: str, claims: Claims, kind: CheckKind, person: str | None, question: Question | None
    ) -> Json:
        """Check one learner now, or all. Raises PeerError not_live (409), unknown_person (404), text_refused
        (422) for a question that screening refuses."""
        room = await self._registry.room(lesson_id)
        if question is not None and self._screening is not None:
            asked = "\n".join((question.text, *question.options))
            self._screening.texts.require_clean(lesson_id, asked, person=claims.person, name=claims.name)
        return await self._checks.ask(room, kind, claims.person, person, question)

    async def listed(self, lesson_id: str, after: int, limit: int, person: str | None) -> Json:
        """The checks of a lesson, or of one learner in it, in the order of issue."""
        await self._store.lessons.known(lesson_id)
        return await self._checks.listed(lesson_id, after, limit, person)

    def consents(self, claims: Claims) -> bool:
        """Whether the bearer agreed to photos."""
        return self._checks.agreed(claims.person)

    async def agree(self, claims: Claims, text_sha256: str) -> None:
        """The bearer agrees to photos. Raises PeerError `bad_request` for words that are not ours."""
        await self._checks.agree(claims.person, text_sha256)

    async def withdraw(self, claims: Claims) -> None:
        """The bearer takes it back; photos there are are erased."""
        await self._checks.withdraw(claims.person)

    async def photo(self, lesson_id: str, photo: str, claims: Claims, reason: str) -> bytes:
        """The JPEG of a photo of this lesson; each look is a fact. Raises PeerError `not_found`."""
        return await self._checks.photo(lesson_id, photo, claims.person, reason)

    async def review(
        self, lesson_id: str, claims: Claims, challenge: str, person: str, *, passed: bool
    ) -> None:
        """What a person found in a photo. Raises PeerError unknown_challenge (404), challenge_over (409)."""
        room = await self._registry.room(lesson_id)
        await room.ask(PhotoReviewed(claims.person, person, challenge, passed))

    async def revise_check(self, lesson_id: str, revised: CheckRevised) -> None:
        """Excuse a missed check of a lesson that is not over, or take that back.

        Raises PeerError not_missed, not_excused, not_live (409).
        """
        room = await self._registry.room(lesson_id)
        await room.ask(revised)

    def noted(self, fact: Fact) -> None:
        """A fact that was kept without its lesson's room, which may be open still: hours count it at once."""
        room = self._registry.get(fact.lesson or "")
        if room is not None:
            room.attending.take(fact)

    @property
    def _checks(self) -> Challenges:
        if self._challenges is None:
            raise PeerError("not_available", "this server has no challenges", status=404)
        return self._challenges
