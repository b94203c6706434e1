"""What people do with what screening found: decide, object, mute, take lines away."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import replace

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact, commitment
from liveserver.core.messages import Json
from liveserver.core.permissions import Permission, Role, require
from liveserver.log import Event, get_logger
from liveserver.rooms.moderating import Moderating
from liveserver.screening.evidence import EvidenceDamagedError
from liveserver.screening.incidents import Incidents
from liveserver.screening.lexicons import Lexicons
from liveserver.store import Appeal, Case, Decided, Store
from liveserver.store.incidents import Wanted
from liveserver.tokens import ALL_LESSONS, Claims

DISMISSED = "dismissed"
_log = get_logger()


class Moderation:
    """Owned by the main loop. A token of one lesson reaches that lesson's incidents alone."""

    def __init__(
        self, store: Store, rooms: Moderating, incidents: Incidents, lexicons: Lexicons, clock: Clock
    ):
        self._store = store
        self._kept = store.incidents
        self._rooms = rooms
        self._incidents = incidents
        self._lexicons = lexicons
        self._clock = clock

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
        """Its evidence as JPEG; that it was looked at, and by whom, is in the ledger first.

        Raises PeerError `not_found` (404), `evidence_gone` (410), `internal` (500) if it was damaged.
        """
        found = (await self._case(claims, incident)).incident
        if found.evidence == "gone":
            raise PeerError("evidence_gone", "the picture was deleted after its date", status=410)
        if not found.evidence:
            raise PeerError("not_found", "there is no picture of this incident", status=404)
        try:
            jpeg = await asyncio.to_thread(self._incidents.evidence.get, found.lesson, found.id)
        except (EvidenceDamagedError, OSError) as error:
            _log.exception(Event.EVIDENCE_FAILED, incident=found.id)
            raise PeerError("internal", "the picture cannot be read", status=500) from error
        if jpeg is None:
            raise PeerError("evidence_gone", "the picture is not there any more", status=410)
        data = {"incident": found.id, "by": claims.person}
        await self._store.append([Fact("evidence_viewed", found.lesson, self._clock.wall_ms(), data)])
        return jpeg

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
        case = await self._decided(case, outcome, note, claims.person)
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
        found, now_ms = case.incident, self._clock.wall_ms()
        data = {"incident": found.id, "by": claims.person, "text": commitment(found.salt, text)}
        fact = Fact("incident_appealed", found.lesson, now_ms, data)
        await self._kept.appeal(Appeal(found.id, text, claims.person, now_ms), fact)
        case = await self._incidents.changed(found.id)
        shown: Json = shapes.incident(case, "")["appeal"]
        return shown

    async def statistics(self, claims: Claims, lesson: str | None, since_ms: int) -> Json:
        """Precision by people's word, blindness, and how long decisions took."""
        if claims.lesson != ALL_LESSONS:
            _require_reach(claims, lesson or claims.lesson)
            lesson = claims.lesson
        tallies = await self._kept.tallies(lesson, since_ms)
        spells, blind_ms = await self._kept.blindness(lesson, since_ms)
        times = await self._kept.decision_times(lesson, since_ms)
        return {
            "since": shapes.time(since_ms),
            "items": [shapes.tally(tally) for tally in tallies],
            "blind_s": round(blind_ms / 1000, 1),
            "blind_spells": spells,
            "median_decision_s": round(statistics.median(times) / 1000, 1) if times else None,
        }

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

    async def _decided(self, case: Case, outcome: str, note: str, by: str) -> Case:
        """One more decision; the same one again, by the same person with the same note, is none."""
        incident, before = case.incident, case.decided
        now_ms = self._clock.wall_ms()
        decided = Decided(incident.id, outcome, note, by, now_ms)
        if before is not None and replace(before, at_ms=now_ms) == decided:
            return case
        data: dict[str, JSON] = {
            "incident": incident.id,
            "by": by,
            "before": case.state,
            "after": outcome,
            "count": incident.count,
            "note": commitment(incident.salt, note) if note else "",
        }
        await self._kept.decide(decided, Fact("incident_decided", incident.lesson, now_ms, data))
        _log.info(Event.INCIDENT_DECIDED, incident=incident.id, lesson=incident.lesson, outcome=outcome)
        return await self._incidents.changed(incident.id)

    async def _shown(self, case: Case) -> Json:
        return shapes.incident(case, await self._title(case.incident.lesson))

    async def _title(self, lesson: str) -> str:
        found = await self._store.lessons.one(lesson)
        return found.title if found else ""


def _require_reach(claims: Claims, lesson: str) -> None:
    if not claims.covers(lesson):
        raise PeerError("forbidden", "the token is for another lesson", status=403)
