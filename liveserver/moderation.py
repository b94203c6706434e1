"""What people do with what screening found: decide, object, mute, take lines away."""

from __future__ import annotations

from dataclasses import replace

from liveserver import shapes
from liveserver.core.errors import PeerError
from liveserver.core.messages import Json
from liveserver.core.permissions import Permission, Role, require
from liveserver.incidents import Incidents
from liveserver.lexicons import Lexicons
from liveserver.rooms import Rooms
from liveserver.store import Case, Store
from liveserver.store.incidents import Wanted
from liveserver.tokens import ALL_LESSONS, Claims

CONFIRMED, DISMISSED = "confirmed", "dismissed"


class Moderation:
    """Owned by the main loop. A token of one lesson reaches that lesson's incidents alone."""

    def __init__(self, store: Store, rooms: Rooms, incidents: Incidents, lexicons: Lexicons):
        self._store = store
        self._rooms = rooms
        self._incidents = incidents
        self._lexicons = lexicons

    async def listed(self, claims: Claims, wanted: Wanted, after: str | None, limit: int) -> Json:
        """A page of incidents, newest first. Raises PeerError `forbidden` (403) for another lesson's."""
        if claims.lesson != ALL_LESSONS:
            _require_reach(claims, wanted.lesson or claims.lesson)
            wanted = replace(wanted, lesson=claims.lesson)
        cases, following = await self._incidents.cases(wanted, after, limit)
        titles: dict[str, str] = {}
        for case in cases:
            lesson = case.incident.lesson
            if lesson not in titles:
                titles[lesson] = await self._title(lesson)
        return {
            "items": [shapes.incident(case, titles[case.incident.lesson]) for case in cases],
            "next": following,
        }

    async def one(self, claims: Claims, incident: str) -> Json:
        """One incident. Raises PeerError `not_found` (404), `forbidden` (403)."""
        return await self._shown(await self._case(claims, incident))

    async def picture(self, claims: Claims, incident: str) -> bytes:
        """Its evidence as JPEG; raises as `Incidents.picture`."""
        return await self._incidents.picture(await self._case(claims, incident), claims.person)

    async def decide(
        self, claims: Claims, incident: str, outcome: str, note: str, *, whitelist: bool = False
    ) -> Json:
        """Confirm or dismiss; a chat line is then taken away for good, or shown.

        The same decision again carries out again what may have failed, and is on record once.
        """
        case = await self._case(claims, incident)
        if whitelist:
            require(claims.role, Permission.MANAGE_POLICIES)
            if outcome != DISMISSED or not case.incident.text:
                raise PeerError("bad_request", "whitelist goes with a dismissed text")
        case = await self._incidents.decide(case, outcome, note, claims.person)
        if case.incident.line:
            await self._rooms.judge_line(
                case.incident.lesson,
                case.incident.line,
                show=outcome == DISMISSED,
                by=claims.person,
                incident=case.incident.id,
                reason=case.incident.category,
            )
        if whitelist:
            await self._lexicons.whitelist(case.incident.text, claims.person)
        return await self._shown(case)

    async def appeal(self, claims: Claims, incident: str, text: str) -> Json:
        """Object, as the lesson's instructor or its author. Raises PeerError `forbidden`, `appealed`."""
        case = await self._case(claims, incident)
        if claims.role is not Role.INSTRUCTOR and case.incident.person != claims.person:
            raise PeerError("forbidden", "only its author and the instructor may object", status=403)
        case = await self._incidents.appeal(case, text, claims.person)
        shown: Json = shapes.incident(case, "")["appeal"]
        return shown

    async def statistics(self, claims: Claims, lesson: str | None, since_ms: int) -> Json:
        """Precision by people's word, blindness, and how long decisions took."""
        if claims.lesson != ALL_LESSONS:
            _require_reach(claims, lesson or claims.lesson)
            lesson = claims.lesson
        return await self._incidents.statistics(lesson, since_ms)

    async def mute(self, claims: Claims, lesson: str, person: str, reason: str, *, on: bool) -> Json:
        """Take the chat from a person, or give it back."""
        return await self._rooms.mute(lesson, person, on=on, by=claims.person, reason=reason)

    async def remove_line(self, claims: Claims, lesson: str, line: str, reason: str) -> Json:
        """Take a line away from the class. Raises PeerError `not_found` (404)."""
        await self._rooms.judge_line(lesson, line, show=False, by=claims.person, reason=reason)
        return {"id": line, "removed": True}

    # --- inside ---

    async def _case(self, claims: Claims, incident: str) -> Case:
        case = await self._incidents.case(incident)
        _require_reach(claims, case.incident.lesson)
        return case

    async def _shown(self, case: Case) -> Json:
        return shapes.incident(case, await self._title(case.incident.lesson))

    async def _title(self, lesson: str) -> str:
        found = await self._store.lesson(lesson)
        return found.title if found else ""


def _require_reach(claims: Claims, lesson: str) -> None:
    if not claims.covers(lesson):
        raise PeerError("forbidden", "the token is for another lesson", status=403)
