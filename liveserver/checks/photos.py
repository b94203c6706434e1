"""Photos of random checks: kept sealed, looked at by a confined process, erased in time (REQ-A2, A3).

A photo is on disk only under its person's key, one file each. The ledger has a salted commitment to it and
what the models said; when the person takes back the consent, or the time has come (PIPL 19), key, file and
everything that would know the photo again are gone, and every proof still holds (REL-G45, E10).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.photo import Liveness, Looked, Turn, judge, liveness, not_measured
from liveserver.log import Event, get_logger
from liveserver.screening.looker import Looker, LookerError
from liveserver.stills.wire import Faces
from liveserver.store import Store, StoreError
from liveserver.store.people_keys import Photo
from liveserver.vault import SealedError, Vault
from models import face_match
from models.duplicates import Fingerprint, Likeness, compare
from models.limits import PictureError

ERASE_EVERY_S = 3_600.0
_ERASED_AT_ONCE = 200
_ID_BYTES = 12
_SALT_BYTES = 16
_AWAY = (LookerError, SealedError, StoreError, OSError)
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Judged:
    """What the models say of a check's photo (`core.photo.judge`), and their advice beside it."""

    passed: bool | None
    detail: str
    liveness: Liveness | None = None


class Photos:
    """Owned by the main loop. `kept_ms`: how long after it was taken a photo is erased."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        vault: Vault,
        folder: Path,
        kept_ms: int,
        looker: Callable[[], Looker] = lambda: Looker("photo"),
    ):
        self._store = store
        self._photos = store.people_keys
        self._clock = clock
        self._vault = vault
        self._folder = folder
        self._kept_ms = kept_ms
        self._looker = looker()
        self._erasing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Erase what is due, now and each hour."""
        self._erasing = asyncio.create_task(self._erase_due(), name="photos")

    async def stop(self) -> None:
        if self._erasing is not None:
            self._erasing.cancel()
            await asyncio.gather(self._erasing, return_exceptions=True)
        await self._looker.close()

    async def keep(self, lesson: str, person: str, challenge: str, jpeg: bytes) -> str:
        """Seal a photo that came; its id. A fact in the ledger commits to it."""
        photo_id, salt = secrets.token_urlsafe(_ID_BYTES), secrets.token_bytes(_SALT_BYTES)
        sealed = await self._vault.seal(person, photo_id, jpeg)
        await asyncio.to_thread(_write, self._path(photo_id), sealed)
        now_ms = self._clock.wall_ms()
        digest = hashlib.sha256(jpeg).hexdigest()
        photo = Photo(photo_id, lesson, person, challenge, now_ms, len(jpeg), digest, b"", salt, "")
        await self._photos.add_photo(photo)
        committed = hashlib.sha256(salt + bytes.fromhex(digest)).hexdigest()
        fact = {"id": photo_id, "person": person, "challenge": challenge, "commitment": committed}
        await self._store.append([Fact("photo", lesson, now_ms, fact)])
        return photo_id

    async def judge(self, photo_id: str, turned: str = "", asked: Turn = Turn.LEFT) -> Judged:
        """What the models say; what cannot be judged a person looks at.

        `turned`: the photo of the head turned as `asked`, if there is one; it changes nothing but the advice.
        """
        try:
            seen, verdict = await self._judge(photo_id, turned)
        except PictureError:
            return Judged(False, "no_photo")
        except _AWAY as error:
            _log.warning(Event.PHOTO_NOT_JUDGED, photo=photo_id, error=type(error).__name__)
            return Judged(None, "not_judged")
        return Judged(*verdict, await self._liveness(seen, turned, asked))

    async def _liveness(self, straight: Faces, turned: str, asked: Turn) -> Liveness:
        if not turned:
            return not_measured(asked)
        try:
            seen = await self._look(await self._found(turned))
        except (PictureError, *_AWAY) as error:
            _log.warning(Event.PHOTO_NOT_JUDGED, photo=turned, error=type(error).__name__)
            return not_measured(asked, "not_judged")
        apart = 0.0
        if straight.descriptor and seen.descriptor:
            one, other = face_match.from_bytes(straight.descriptor), face_match.from_bytes(seen.descriptor)
            apart = face_match.distance(one, other)
        return liveness(_looked(straight), _looked(seen), apart, face_match.thresholds().same, asked)

    async def _found(self, photo_id: str) -> Photo:
        photo = await self._photos.photo(photo_id)
        if photo is None:
            raise SealedError(photo_id)
        return photo

    async def _look(self, photo: Photo) -> Faces:
        return await self._looker.faces(await self._open(photo))

    async def _judge(self, photo_id: str, turned: str) -> tuple[Faces, tuple[bool | None, str]]:
        photo = await self._found(photo_id)
        seen = await self._look(photo)
        distance = await self._distance(photo.person, seen)
        repeats = await self._repeats(photo, seen, turned)
        verdict = judge(_looked(seen, distance, repeats), face_match.thresholds().same)
        await self._photos.look(photo_id, seen.look, verdict[1])
        if verdict == (True, "not_enrolled"):
            sealed = await self._vault.seal(photo.person, "face", seen.descriptor)
            await self._photos.enrol(photo.person, sealed, photo_id, self._clock.wall_ms())
        return seen, verdict

    async def show(self, lesson: str, photo_id: str, by: str, reason: str) -> bytes:
        """The JPEG, for a person who has to decide; that it was looked at stands in the ledger first.

        Raises PeerError not_found (404) for none, or one that was erased.
        """
        photo = await self._photos.photo(photo_id)
        if photo is None or photo.lesson != lesson or photo.erased_at_ms is not None:
            raise PeerError("not_found", "there is no such photo", status=404)
        fact = {"id": photo_id, "by": by, "reason": reason}
        await self._store.append([Fact("photo_seen", photo.lesson, self._clock.wall_ms(), fact)])
        try:
            return await self._open(photo)
        except (SealedError, OSError) as error:
            raise PeerError("not_found", "the photo cannot be opened any more", status=404) from error

    async def erase_person(self, person: str, by: str) -> int:
        """Every photo and the face of one person, by destroying the key; how many photos there were."""
        photos = await self._photos.of_person(person)
        await self._vault.destroy(person)
        await asyncio.to_thread(_unlink, [self._path(photo.id) for photo in photos])
        await self._say(None, [photo.id for photo in photos], by)
        return len(photos)

    async def _erase_due(self) -> None:
        while True:
            with contextlib.suppress(StoreError, OSError):  # it comes round again
                await self.erase_old()
            await asyncio.sleep(ERASE_EVERY_S)

    async def erase_old(self) -> int:
        """Erase the photos whose time has come; how many."""
        erased = 0
        while due := await self._photos.taken_before(self._clock.wall_ms() - self._kept_ms, _ERASED_AT_ONCE):
            names = [photo.id for photo in due]
            await asyncio.to_thread(_unlink, [self._path(name) for name in names])
            await self._photos.erased(names, self._clock.wall_ms())
            await self._say(None, names, "retention")
            erased += len(names)
        return erased

    async def _say(self, lesson: str | None, photos: list[str], by: str) -> None:
        if photos:
            fact: dict[str, JSON] = {"photos": [*photos[:_ERASED_AT_ONCE]], "count": len(photos), "by": by}
            await self._store.append([Fact("photos_erased", lesson, self._clock.wall_ms(), fact)])

    async def _distance(self, person: str, seen: Faces) -> float | None:
        """To the enrolled face; None without one, or without a face in the photo."""
        sealed = await self._photos.face(person)
        if sealed is None or not seen.descriptor:
            return None
        known = face_match.from_bytes(await self._vault.unseal(person, "face", sealed))
        return face_match.distance(known, face_match.from_bytes(seen.descriptor))

    async def _repeats(self, photo: Photo, seen: Faces, turned: str) -> bool:
        """Whether this person, or anybody in this lesson, sent the same picture before; the `turned` one that
        came with it does not count."""
        new = Fingerprint(photo.sha256, int.from_bytes(seen.look, "big"))
        for other in await self._photos.comparable(photo.lesson, photo.person):
            if other.id not in (photo.id, turned):
                old = Fingerprint(other.sha256, int.from_bytes(other.look, "big"))
                if compare(new, old) is not Likeness.NONE:
                    return True
        return False

    async def _open(self, photo: Photo) -> bytes:
        sealed = await asyncio.to_thread(self._path(photo.id).read_bytes)
        return await self._vault.unseal(photo.person, photo.id, sealed)

    def _path(self, photo: str) -> Path:
        return self._folder / photo[:2] / f"{photo}.sealed"


def _looked(seen: Faces, distance: float | None = None, repeats: bool = False) -> Looked:
    first = seen.faces[0] if seen.faces else None
    if first is None:
        return Looked(0, distance=distance, repeats=repeats)
    return Looked(len(seen.faces), first.blur, first.yaw, first.pitch, distance, repeats)


def _write(path: Path, data: bytes) -> None:
    """On disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unlink(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
