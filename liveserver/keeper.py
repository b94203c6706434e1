"""Keeps what was recorded: holds it, deletes it after its date, forecasts the room.

The store's rows say where each object is; the bucket and the disk have the last word on whether it may go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from liveserver import shapes
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, Fact
from liveserver.core.retention import (
    DAY_MS,
    RATE_DAYS,
    VERIFY_PERIOD_DAYS,
    Retention,
    forecast,
    month_starts,
    programmes_of,
)
from liveserver.log import Event, get_logger
from liveserver.recording import Recordings
from liveserver.store import Recording, Store, StoredObject
from recorder.objects import DiskStore, ObjectError, ObjectStore
from recorder.s3 import S3Settings, S3Store

_log = get_logger()


class Keeper:
    """`folder` holds objects/; `bucket` is None where they stay there."""

    def __init__(
        self,
        store: Store,
        recordings: Recordings,
        clock: Clock,
        folder: Path,
        bucket: S3Settings | None,
        retention: Retention,
    ):
        self._store = store
        self._recordings = recordings
        self._clock = clock
        self._bucket = bucket
        self._retention = retention
        self._disk = DiskStore(folder / "objects")
        self._remote: S3Store | None = None
        self._deleting = asyncio.Lock()

    def numbers(self) -> Mapping[str, float]:
        """For /metrics."""
        status = self._recordings.archive
        return {
            "waiting_bytes": float(status.get("waiting_bytes", 0)),
            "waiting_objects": float(status.get("waiting_objects", 0)),
            "free_bytes": float(status.get("free_bytes", 0)),
            "alarms": float(len(status.get("alarms", ()))),
            "failing": float(bool(status.get("failing", ""))),
            "lock_proven": float(status.get("lock") == "proven"),
        }

    # Where an object is

    async def located(self, key: str) -> StoredObject | None:
        """The object's row, None for one that is not stored elsewhere than on the disk."""
        found = await self._store.kept.object(key)
        return found if found is not None and found.store == "s3" else None

    async def remote(self) -> S3Store:
        """The bucket. Raises ObjectError `not_found` where none is configured any more."""
        if self._bucket is None:
            raise ObjectError("not_found", "")
        if self._remote is None:
            self._remote = await asyncio.to_thread(S3Store, self._bucket)
        return self._remote

    # Room

    async def storage(self) -> dict[str, Any]:
        """What is kept, what waits, whether locks hold, and the months ahead."""
        now_ms = self._clock.wall_ms()
        totals = await self._store.kept.totals(
            recent_since_ms=now_ms - RATE_DAYS * DAY_MS,
            unread_since_ms=now_ms - VERIFY_PERIOD_DAYS * DAY_MS,
            read_since_ms=now_ms - DAY_MS,
        )
        starts = month_starts(now_ms)
        days = RATE_DAYS if totals.first_ms is None else min(RATE_DAYS, (now_ms - totals.first_ms) / DAY_MS)
        expiring = await self._store.kept.expiring(starts)
        kept = forecast(now_ms, totals.size, totals.recent_size, days, expiring)
        status = self._recordings.archive
        return {
            "store": "disk" if self._bucket is None else "s3",
            "lock": status.get("lock", "unknown" if self._bucket else "none"),
            "lock_detail": status.get("lock_detail", ""),
            "alarms": list(status.get("alarms", ())),
            "failing": status.get("failing", ""),
            "objects": totals.objects,
            "bytes": totals.size,
            "unlocked_objects": totals.unlocked,
            "damaged_objects": totals.damaged,
            "overdue_readings": totals.unread,
            "waiting_objects": status.get("waiting_objects", 0),
            "waiting_bytes": status.get("waiting_bytes", 0),
            "free_bytes": status.get("free_bytes"),
            "bytes_per_day": round(totals.recent_size / max(days, 1.0)),
            "forecast": [
                {"month": (shapes.time(start) or "")[:7], "gb": round(size / 10**9, 3)}
                for start, size in zip(starts, kept, strict=True)
            ],
        }

    # Holding and deleting

    async def hold(self, recording: str, by: str, reason: str) -> Recording:
        """Put a recording with all its reels under legal hold, or with "" let it go: here, and in the bucket
        where its objects are locked. Raises PeerError `not_found`, `unavailable`."""
        found = await self._store.recordings.one(recording)
        if found is None:
            raise PeerError("not_found", "there is no such recording", status=404)
        reels = [reel.id for reel in await self._store.recordings.reels(found)]
        kind = "hold" if reason else "hold_lifted"
        for reel in reels:
            await self._store.kept.set_hold(reel, reason)
            data = {"recording": reel, "by": by, "reason": reason}
            await self._store.append([Fact(kind, found.lesson, self._clock.wall_ms(), data)])
            _log.info(Event.RECORDING_HELD, recording=reel, on=bool(reason))
        for reel in reels:
            for one in await self._store.kept.objects(reel):
                if one.version is not None and one.locked:
                    await self._hold_object(one, on=bool(reason))
        return replace(found, hold=reason)

    async def _hold_object(self, one: StoredObject, *, on: bool) -> None:
        """Row and ledger have it already; what a bucket that is away leaves undone, asking again does."""
        try:
            remote = await self.remote()
            await asyncio.to_thread(remote.hold, one.key, one.version or "", on=on)
        except (ObjectError, OSError) as error:
            raise PeerError(
                "unavailable", "done here, but the bucket did not take it: ask again", status=503
            ) from error

    async def due(self, limit: int) -> list[dict[str, Any]]:
        """Recordings that may be deleted now, as the API shows them."""
        found = await self._store.kept.due(self._clock.wall_ms(), limit)
        return [
            {
                "id": recording.id,
                "lesson": recording.lesson,
                "started_at": shapes.time(recording.started_at_ms),
                "retain_until": shapes.time(recording.retain_until_ms),
                "months": self._months(recording),
                "programmes": sorted(programmes_of(recording.programmes)),
                "size": sum(one.size for one in await self._store.kept.objects(recording.id)),
                "sha256": recording.sha256,
            }
            for recording in found
        ]

    async def delete(self, wanted: Sequence[str], by: str) -> dict[str, Any]:
        """Delete recordings whose date has come, each with a certificate in the ledger; what was refused
        and why comes back. The ledger has it before and after: a crash in between is seen, and repeated."""
        deleted: list[str] = []
        refused: list[dict[str, str]] = []
        async with self._deleting:
            for name in wanted:
                try:
                    await self._delete(name, by)
                    deleted.append(name)
                except (PeerError, ObjectError) as error:
                    refused.append({"id": name, "code": error.code})
                except OSError as error:
                    refused.append({"id": name, "code": "store_away"})
                    _log.error(Event.OBJECTS_READ_FAILED, recording=name, error=type(error).__name__)
            if refused:
                for one in refused:
                    _log.warning(Event.RECORDING_DELETION_REFUSED, recording=one["id"], code=one["code"])
                data: dict[str, JSON] = {"by": by, "recordings": [dict(one) for one in refused]}
                await self._store.append([Fact("deletion_refused", None, self._clock.wall_ms(), data)])
        return {"deleted": deleted, "refused": refused}

    async def _delete(self, name: str, by: str) -> None:
        recording, now_ms = await self._store.recordings.one(name), self._clock.wall_ms()
        if recording is None or recording.state == "deleted":
            raise PeerError("not_found", "there is no such recording", status=404)
        if recording.hold:
            raise PeerError("held", "the recording is under legal hold", status=409)
        if recording.state not in ("sealed", "failed") or not (
            recording.retain_until_ms is not None and recording.retain_until_ms <= now_ms
        ):
            raise PeerError("too_early", "the recording's date has not come", status=409)
        objects = await self._store.kept.objects(name)
        certificate = {
            "recording": name,
            "by": by,
            "sha256": recording.sha256,
            "size": recording.size,
            "started_at_ms": recording.started_at_ms,
            "retain_until_ms": recording.retain_until_ms,
            "months": self._months(recording),
            "programmes": recording.programmes,
            "objects": [
                {key: value for key, value in asdict(one).items() if key in _CERTIFIED} for one in objects
            ],
        }
        await self._store.append([Fact("deleting", recording.lesson, now_ms, certificate)])
        for one in objects:
            await self._remove(one, now_ms)
        await self._store.kept.forget(name, now_ms)
        await self._store.append([Fact("deleted", recording.lesson, self._clock.wall_ms(), certificate)])
        _log.info(Event.RECORDING_DELETED, recording=name, objects=len(objects))

    async def _remove(self, one: StoredObject, now_ms: int) -> None:
        """Remove one object for good; one that is gone already was removed before a crash."""
        home: ObjectStore = await self.remote() if one.store == "s3" else self._disk
        try:
            await asyncio.to_thread(home.delete, one.key, now_ms, one.version)
        except ObjectError as error:
            if error.code != "not_found":
                raise
        if one.store == "s3":
            await asyncio.to_thread(self._disk.discard, one.key)

    def _months(self, recording: Recording) -> int:
        return self._retention.months_for(programmes_of(recording.programmes))


_CERTIFIED = frozenset({"key", "sha256", "size", "store", "version", "locked", "stored_at_ms"})
