"""Recordings as the node sees them: frames go to the recorder process, what became of them comes back.

Owns the store's rows of recordings. A sealed file is a fact in the ledger before the recorder is told
that it may forget it.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Any, Protocol

from liveserver.clock import Clock
from liveserver.core.ledger import Fact
from liveserver.core.retention import Retention, programmes_of
from liveserver.log import Event, get_logger
from liveserver.rtp.depacketize import Frame
from liveserver.store import Recording, Store, StoredObject
from recorder.client import RecorderClient

_FINAL = ("sealed", "failed")
_OVER = (*_FINAL, "deleted")
_log = get_logger()


class RecordingListener(Protocol):
    """Who shows a lesson's recording to its instructor."""

    def recording_changed(self, lesson: str, message: dict[str, Any]) -> None: ...


class RecorderSink:
    """One recording's way to the recorder. Fits `sfu.tap.FrameSink`; never blocks."""

    def __init__(self, client: RecorderClient, recording: str, clock: Clock):
        self.recording = recording
        self._client = client
        self._to_wall_ms = clock.wall_ms() - clock.monotonic_ns() // 1_000_000

    def frame(self, track: str, codec: str, clock_rate: int, frame: Frame, source: int) -> None:
        self._client.frame(
            self.recording,
            track=track,
            codec=codec,
            rtp_timestamp=frame.timestamp,
            clock_rate=clock_rate,
            keyframe=frame.keyframe,
            arrival_ms=frame.arrival_ns // 1_000_000 + self._to_wall_ms,
            data=frame.data,
            lost_before=frame.lost_before,
            source=source,
        )

    def report(self, track: str, ntp: int, rtp_timestamp: int) -> None:
        self._client.report(self.recording, track=track, ntp=ntp, rtp_timestamp=rtp_timestamp)


class Recordings:
    """`client` may be None: then nothing is recorded, and the lesson says so."""

    def __init__(self, client: RecorderClient | None, store: Store, clock: Clock, retention: Retention):
        self.listener: RecordingListener | None = None
        self.archive: dict[str, Any] = {}
        """The recorder's newest word on the way into the archive (`recorder.archive`), empty before it."""
        self._client = client
        self._store = store
        self._clock = clock
        self._retention = retention
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to note what the recorder reports."""
        self._task = asyncio.create_task(self._note_all(), name="recordings")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def heard(self, event: dict[str, Any]) -> None:
        """The recorder client's callback."""
        self._events.put_nowait(event)

    async def begin(self, lesson: str, title: str) -> RecorderSink | None:
        """Start a recording of `lesson`."""
        if self._client is None:
            return None
        started_at_ms = self._clock.wall_ms()
        stored = await self._store.lessons.one(lesson)
        programmes = stored.programmes if stored is not None else ""
        retain_until_ms = self._retention.until_ms(started_at_ms, programmes_of(programmes))
        name = f"{lesson}-{secrets.token_hex(4)}"
        await self._store.recordings.save(
            Recording(
                id=name,
                lesson=lesson,
                state="recording",
                path="",
                started_at_ms=started_at_ms,
                retain_until_ms=retain_until_ms,
                programmes=programmes,
                series=name,
            )
        )
        self._client.open(name, lesson, title, started_at_ms, retain_until_ms)
        _log.info(Event.RECORDING_STARTED, lesson=lesson, recording=name)
        return RecorderSink(self._client, name, self._clock)

    def finish(self, sink: RecorderSink) -> None:
        """No more frames come: seal it."""
        if self._client is not None:
            self._client.close_recording(sink.recording)

    async def hold(self, recording: str, lesson: str, reason: str, by: str) -> None:
        """It is evidence: kept whatever its date, until an administrator lets it go."""
        await self._store.kept.set_hold(recording, f"cut: {reason}")
        data = {"recording": recording, "by": by, "reason": f"cut: {reason}"}
        await self._store.append([Fact("hold", lesson, self._clock.wall_ms(), data)])
        _log.info(Event.RECORDING_HELD, recording=recording, on=True)

    async def _note_all(self) -> None:
        while True:
            event = await self._events.get()
            try:
                await self._note(event)
            except Exception:  # the recorder repeats what was not acknowledged
                _log.exception(Event.RECORDING_FAILED, recording=event.get("recording"))

    async def _note(self, event: dict[str, Any]) -> None:
        if event["state"] == "archive":
            self._heed(event)
        elif event["state"] == "archived":
            await self._note_objects(event)
        else:
            await self._note_state(event)

    def _heed(self, status: dict[str, Any]) -> None:
        """What waits for the archive, and what is wrong with it: said once when it begins and ends."""
        before, now = set(self.archive.get("alarms", ())), set(status.get("alarms", ()))
        self.archive = status
        shown = {name: status.get(name) for name in ("lock", "lock_detail", "failing", "waiting_bytes")}
        for alarm in sorted(now - before):
            _log.error(Event.ARCHIVE_ALARM, alarm=alarm, free_bytes=status.get("free_bytes"), **shown)
        for alarm in sorted(before - now):
            _log.info(Event.ARCHIVE_ALARM_OVER, alarm=alarm)

    async def _note_objects(self, event: dict[str, Any]) -> None:
        """Where a recording's objects are now: rows and a fact, before the recorder may remove its copies."""
        now_ms, name, told = self._clock.wall_ms(), str(event["recording"]), list(event["objects"])
        known = await self._store.recordings.one(name)
        await self._store.kept.save_objects(
            [StoredObject(recording=name, stored_at_ms=now_ms, **one) for one in told]
        )
        objects = await self._store.kept.objects(name)
        for one in told:
            if known is not None and one["key"] == known.path and one["sha256"] != known.sha256:
                _log.error(Event.OBJECT_DAMAGED, recording=name, object=one["key"], verdict="altered")
        if known is not None:
            locked = bool(objects) and all(found.locked for found in objects)
            dates = [found.retain_until_ms for found in objects if found.retain_until_ms is not None]
            until = max([*dates, known.retain_until_ms or 0]) or None
            await self._store.recordings.save(replace(known, locked=locked, retain_until_ms=until))
        fact = Fact("stored", str(event["lesson"]) or None, now_ms, {"recording": name, "objects": told})
        await self._store.append([fact])
        _log.info(Event.RECORDING_ARCHIVED, recording=name, objects=len(told))
        if self._client is not None:
            self._client.ack(name, series="")

    async def _note_state(self, event: dict[str, Any]) -> None:
        known = await self._store.recordings.one(str(event["recording"])) or await self._next_reel(event)
        noted = _updated(known, event)
        # A disk that was full may have room after a restart: `sealed` overrules `failed`, nothing else does.
        is_new = known.state not in _OVER or (known.state == "failed" and noted.state == "sealed")
        if is_new and noted != known and noted.state != "recording":
            await self._store.recordings.save(noted)
        if is_new and noted.state in _FINAL:
            chain = str(event.get("chain") or "")
            await self._store.append([_fact(noted, chain, self._clock.wall_ms())])
            log = _log.info if noted.state == "sealed" else _log.warning
            name = Event.RECORDING_SEALED if noted.state == "sealed" else Event.RECORDING_FAILED
            log(name, recording=noted.id, lesson=noted.lesson, detail=noted.detail)
        goes_on = bool(event.get("next"))
        if noted.state in _FINAL and self._client is not None:
            self._client.ack(noted.id, series="" if goes_on else noted.series or noted.id)
        if self.listener is not None and not goes_on:
            size = (event.get("bytes") or event.get("size") or 0) + (event.get("begins_bytes") or 0)
            told = {"type": "recording", "state": noted.state, "bytes": size,
                    "duration_ms": (event.get("duration_ms") or 0) + noted.begins_ms}  # fmt: skip
            self.listener.recording_changed(noted.lesson, told)

    async def _next_reel(self, event: dict[str, Any]) -> Recording:
        """The row of a recording that is heard of for the first time: a long one has gone on in another reel.

        Its date, its programmes and a hold are the first one's.
        """
        series = str(event.get("series") or event["recording"])
        begun = Recording(
            id=str(event["recording"]),
            lesson=str(event["lesson"]),
            state="recording",
            path="",
            started_at_ms=int(event.get("started_at_ms") or self._clock.wall_ms()),
            series=series,
            reel=int(event.get("reel") or 1),
            begins_ms=int(event.get("begins_ms") or 0),
        )
        first = await self._store.recordings.one(series)
        if first is not None:
            begun = replace(
                begun,
                retain_until_ms=first.retain_until_ms,
                programmes=first.programmes,
                hold=first.hold,
            )
        await self._store.recordings.save(begun)
        return begun


def _updated(known: Recording, event: dict[str, Any]) -> Recording:
    state = str(event["state"])
    if state not in _FINAL:
        return replace(known, state=state)
    return replace(
        known,
        state=state,
        path=str(event.get("path") or ""),
        sha256=event.get("sha256"),
        size=event.get("size"),
        duration_ms=event.get("duration_ms"),
        sealed_at_ms=event.get("sealed_at_ms"),
        gaps=list(event.get("gaps") or ()),
        detail=str(event.get("detail") or ""),
    )


def _fact(recording: Recording, chain: str, at_ms: int) -> Fact:
    """`chain`: the head of the manifest's hash chain, which anchors every fragment in the ledger."""
    return Fact(
        type=recording.state,
        lesson=recording.lesson,
        at_ms=at_ms,
        data={
            "recording": recording.id,
            "series": recording.series or recording.id,
            "reel": recording.reel,
            "sha256": recording.sha256,
            "chain": chain,
            "size": recording.size,
            "duration_ms": recording.duration_ms,
            "detail": recording.detail,
        },
    )
