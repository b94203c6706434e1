"""Random checks on the main loop: what a lesson's checks begin with, asking on demand, and the list of them.

The rules are `core.challenge_rules`, applied by the room. The seed that decides a lesson's moments is sealed
(AES-256-GCM) under a key of the installation that stands in no database: who reads the database alone
foresees nothing.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from liveserver.checks.photos import Photos
from liveserver.clock import Clock
from liveserver.core import consent, quiz
from liveserver.core.challenge import CheckKind, CheckState
from liveserver.core.check_plan import CheckPolicy, Checks
from liveserver.core.errors import PeerError
from liveserver.core.events.checks import ChallengeAsked
from liveserver.core.ledger import Entry, Fact
from liveserver.core.schedule import SEED_BYTES
from liveserver.log import Event, get_logger
from liveserver.rooms.room import Room
from liveserver.shapes import time
from liveserver.store import Lesson, Store

FACE = "face"
"""The purpose that a consent to photos is given for."""
_NONCE_BYTES = 12
_ID_BYTES = 9
_PAGE = 1_000
_log = get_logger()


class Challenges:
    """`key`: the installation's, 32 bytes. `policy`: of lessons that are opened from now on.

    Without `photos` learners are asked questions alone.
    """

    def __init__(
        self, store: Store, clock: Clock, key: bytes, policy: CheckPolicy, photos: Photos | None = None
    ):
        self.photos = photos
        self._store = store
        self._clock = clock
        self._policy = policy
        self._agreed: set[str] = set()  # shared with every open lesson's checks, which only read it
        derived = HKDF(SHA256(), length=32, salt=None, info=b"checks").derive(key)
        self._cipher = AESGCM(derived)

    async def open(self, lesson: Lesson) -> Checks:
        """What the lesson's checks begin with: the same seed at each opening, and where they stood.

        What was open when the server ended is excused (DOM section 9.4): a fact each.
        """
        seed, policy = await self._seed(lesson.id)
        bank = [_read(question.body) for question in await self._store.challenges.bank(lesson.course_id)]
        checks = Checks(seed, policy, [question for question in bank if question is not None], self._agreed)
        if lesson.started_at_ms is not None:
            async for entry in self._facts(lesson.id):
                checks.replay(entry.type, entry.data)
            excused = checks.interrupted()
            now_ms = self._clock.wall_ms()
            for start in range(0, len(excused), _PAGE):
                facts = [Fact(f.type, lesson.id, now_ms, f.data) for f in excused[start : start + _PAGE]]
                await self._store.append(facts)
        return checks

    async def start(self) -> None:
        """Learn who agreed to photos."""
        self._agreed.update(await self._store.challenges.consenting(FACE))

    def agreed(self, person: str) -> bool:
        return person in self._agreed

    async def agree(self, person: str, text_sha256: str) -> None:
        """`person` agrees to photos, having been shown the text of that hash (PIPL 29).

        Raises PeerError `bad_request` for the hash of other words.
        """
        if text_sha256 != consent.digest(consent.FACE):
            raise PeerError("bad_request", "these are not the words that are agreed to")
        if person in self._agreed:
            return
        now_ms = self._clock.wall_ms()
        await self._store.challenges.consent(person, FACE, text_sha256, now_ms)
        fact = {"person": person, "purpose": FACE, "text_sha256": text_sha256}
        await self._store.append([Fact("consent", None, now_ms, fact)])
        self._agreed.add(person)

    async def withdraw(self, person: str) -> None:
        """Taken back as easily: no photo from now on, and those there are are erased (PIPL 15, 47)."""
        self._agreed.discard(person)
        now_ms = self._clock.wall_ms()
        if await self._store.challenges.withdraw(person, FACE, now_ms):
            fact = {"person": person, "purpose": FACE}
            await self._store.append([Fact("consent_withdrawn", None, now_ms, fact)])
        if self.photos is not None:
            await self.photos.erase_person(person, person)

    async def photo(self, lesson: str, photo: str, by: str, reason: str) -> bytes:
        """A photo of this lesson, for a person who has to decide. Raises PeerError `not_found` (404)."""
        if self.photos is None:
            raise PeerError("not_found", "there is no such photo", status=404)
        return await self.photos.show(lesson, photo, by, reason)

    async def ask(
        self, room: Room, kind: CheckKind, by: str, person: str | None, question: quiz.Question | None
    ) -> dict[str, Any]:
        """Check one learner of the lesson, or all. Raises PeerError not_live (409), unknown_person (404)."""
        check_id = secrets.token_urlsafe(_ID_BYTES)
        began_ms = self._clock.wall_ms()
        await room.ask(ChallengeAsked(by, check_id, kind, question, person))
        book = room.state.checks.book
        return {
            "id": check_id,
            "kind": kind,
            "asked": book.asked(check_id),
            "deadline_at": time(began_ms + book.answer_ms),
        }

    async def listed(self, lesson: str, after: int, limit: int, person: str | None = None) -> dict[str, Any]:
        """Every check of a lesson, or one learner's, in the order of issue; its result, null while open."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        async for entry in self._facts(lesson):
            _note(found, entry.type, entry.data)
        rows = [row for row in found.values() if person in (None, row["person"])]
        page = rows[after : after + limit]
        following = after + limit if after + limit < len(rows) else None
        return {"items": page, "next": None if following is None else str(following)}

    async def _seed(self, lesson: str) -> tuple[bytes, CheckPolicy]:
        nonce, seed = secrets.token_bytes(_NONCE_BYTES), secrets.token_bytes(SEED_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, seed, lesson.encode())
        sealed, text = await self._store.challenges.seed(lesson, sealed, json.dumps(asdict(self._policy)))
        given = json.loads(text)
        policy = CheckPolicy(CheckKind(given["kind"]), int(given["slot_ms"]), int(given["answer_ms"]))
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], lesson.encode()), policy
        except (InvalidTag, ValueError):
            # Another key file: nobody is asked at random then, and that is said.
            _log.error(Event.CHECKS_UNREADABLE, lesson=lesson)
            return b"", policy

    async def _facts(self, lesson: str) -> AsyncIterator[Entry]:
        after = -1
        while True:
            page = await self._store.entries(after, _PAGE, lesson)
            for entry in page:
                if entry.type.startswith("challenge_"):
                    yield entry
            if len(page) < _PAGE:
                return
            after = page[-1].index


def _read(body: str) -> quiz.Question | None:
    """A question of the bank; one that an older version wrote and this one refuses is passed over."""
    try:
        return quiz.parse(json.loads(body))
    except (PeerError, ValueError):
        return None


def _note(found: dict[tuple[str, str], dict[str, Any]], kind: str, data: Any) -> None:
    """Take one fact into the list."""
    if kind == "challenge_issued":
        for person, number in data["checks"].items():
            found[data["id"], person] = {
                "id": data["id"],
                "person": person,
                "number": number,
                "kind": data["kind"],
                "cause": data["cause"],
                "by": data["by"],
                "issued_at": time(data["issued_at_ms"]),
                "deadline_at": time(data["deadline_ms"]),
                "answered_at": None,
                "result": None,
                "detail": "",
                "photo": None,
                "turned": None,
                "excuse": None,
                "liveness": None,
            }
        return
    row = found.get((data["id"], data["person"]))
    if row is None:
        return
    if kind == "challenge_changed":
        row.update(kind=CheckKind.QUIZ, deadline_at=time(data["deadline_ms"]))
    elif kind == "challenge_review":
        row.update(result="review", detail=data["detail"], photo=data["photo"])
        row.update(liveness=data.get("liveness"), turned=data.get("turned"))
    elif kind == "challenge_revised":
        row.update(result=data["after"], excuse=None)
        if data["after"] == CheckState.EXCUSED:
            row["excuse"] = {name: data[name] for name in ("before", "reason", "asked_by", "by")}
    elif kind == "challenge_resolved":
        answered = time(data["answered_at_ms"])
        row.update(result=data["result"], kind=data["kind"], detail=data["detail"], answered_at=answered)
        row["liveness"] = data.get("liveness", row["liveness"])
