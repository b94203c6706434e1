"""Carrying out what the rules of a lesson ask for, effect by effect.

Facts (`Append`) are not among them: the room commits those first (`rooms.writing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from liveserver.checks.photos import Judged
from liveserver.core import events
from liveserver.core.events.chat import KeepLine, KeepMute
from liveserver.core.events.checks import Judge, PhotoJudged
from liveserver.core.events.cut import CarriedOut, KeepEvidence, NoteCut, NoteRestored, Recorded, Refresh
from liveserver.core.events.lesson import Keep, LessonState
from liveserver.core.events.media import ClosePublisher, Hold, Record, ShareScreen
from liveserver.core.events.screening import Report
from liveserver.core.events.telling import Broadcast, Close, Send, Tell
from liveserver.core.room import RoomState
from liveserver.recording import RecorderSink
from liveserver.rooms.surroundings import Surroundings
from liveserver.rooms.voice import Voice
from liveserver.rooms.writing import Writing
from liveserver.sfu.stage import Stage
from liveserver.store import CutRow, Muted

_OVER = (LessonState.CUT, LessonState.ENDED)


class Acting:
    """One room's, used by its task alone. `post` hands it an event that follows later."""

    def __init__(
        self,
        state: RoomState,
        stage: Stage,
        around: Surroundings,
        voice: Voice,
        writing: Writing,
        post: Callable[[events.Event], None],
    ):
        self.judging: set[asyncio.Task[None]] = set()
        """Photos that are looked at."""
        self._state = state
        self._stage = stage
        self._voice = voice
        self._writing = writing
        self._store = around.store
        self._recordings = around.recordings
        self._clock = around.clock
        self._guard = around.guard
        self._screening = around.screening
        self._photos = around.photos
        self._post = post
        self._sink: RecorderSink | None = None
        self._ended_recording = ""

    @property
    def recording(self) -> str | None:
        """The id of the recording under way."""
        return self._sink.recording if self._sink else None

    async def carry_out(self, effects: Sequence[events.Effect]) -> None:
        """One after the other, in their order."""
        for effect in effects:
            await _ACTS[type(effect)](self, effect)

    # --- words ---

    async def _send(self, effect: Send) -> None:
        message = effect.message
        if message["type"] == "result" and message.get("challenge") in self._writing.receipts:
            message = {**message, "receipt": self._writing.receipts[message["challenge"]]}
        self._voice.send(effect.connection, message)

    async def _tell(self, effect: Tell) -> None:
        await self._voice.tell_many(effect.connections, effect.message)

    async def _broadcast(self, effect: Broadcast) -> None:
        await self._voice.tell_many(self._state.who_may(effect.to), effect.message)

    async def _close(self, effect: Close) -> None:
        self._voice.close(effect.connection, effect.code, effect.reason)

    # --- media ---

    async def _judge(self, effect: Judge) -> None:
        """The models look while the room goes on; without any a person has to."""
        task = asyncio.create_task(self._judged(effect), name=f"photo {effect.photo}")
        self.judging.add(task)
        task.add_done_callback(self.judging.discard)

    async def _judged(self, effect: Judge) -> None:
        if self._photos is None:
            judged = Judged(None, "no_models")
        else:
            judged = await self._photos.judge(effect.photo, effect.turned, effect.asked)
        self._post(
            PhotoJudged(
                effect.person, effect.challenge, effect.photo, judged.passed, judged.detail,
                judged.liveness, effect.turned,
            )
        )  # fmt: skip

    async def _close_publisher(self, effect: ClosePublisher) -> None:
        if self._stage.publisher is not None:
            self._stage.publisher.close(effect.reason)

    async def _hold(self, effect: Hold) -> None:
        self._stage.hold(effect.on, self._clock.monotonic_ns())

    async def _refresh(self, effect: Refresh) -> None:
        self._stage.refresh(self._clock.monotonic_ns())

    async def _share_screen(self, effect: ShareScreen) -> None:
        self._stage.share_screen(effect.on)

    async def _record(self, effect: Record) -> None:
        if effect.on and self._sink is None and self._state.state not in _OVER:
            begin = partial(self._recordings.begin, self._state.lesson, self._state.title)
            self._sink = await self._writing.until_stored(begin)
            self._stage.record(self._sink)
            if self._state.state in _OVER:  # it became so while the database was away
                await self._record(Record(False))
        elif not effect.on and self._sink is not None:
            self._stage.record(None)
            self._recordings.finish(self._sink)
            self._ended_recording, self._sink = self._sink.recording, None

    async def _report(self, effect: Report) -> None:
        if self._screening is not None:
            self._screening.texts.report(self._state.lesson, effect)

    async def _carried_out(self, effect: CarriedOut) -> None:
        self._guard.told(effect.cut, self._clock.monotonic_ns())

    async def _recorded(self, effect: Recorded) -> None:
        self._guard.recorded(self._state.lesson, effect.act)

    # --- the store ---

    async def _keep(self, effect: Keep) -> None:
        update = partial(
            self._store.lessons.update,
            self._state.lesson,
            state=effect.state,
            started_at_ms=effect.started_at_ms,
            ended_at_ms=effect.ended_at_ms,
            instructor=effect.instructor,
        )
        await self._writing.beside(update)

    async def _keep_line(self, effect: KeepLine) -> None:
        await self._writing.beside(partial(self._store.chat.set_state, effect.line_id, effect.state))

    async def _keep_mute(self, effect: KeepMute) -> None:
        mute, kept, lesson = effect.mute, self._store.incidents, self._state.lesson
        if effect.on:
            row = Muted(lesson, mute.person, mute.name, mute.reason, mute.at_ms, mute.by, mute.incidents)
            await self._writing.beside(partial(kept.mute, row))
        else:
            await self._writing.beside(partial(kept.unmute, lesson, mute.person))

    async def _keep_evidence(self, effect: KeepEvidence) -> None:
        recording, self._ended_recording = self._ended_recording, ""
        if recording:
            hold = partial(self._recordings.hold, recording, self._state.lesson, effect.reason, effect.by)
            await self._writing.until_stored(hold)

    async def _note_cut(self, effect: NoteCut) -> None:
        cut = effect.cut
        row = CutRow(
            key=f"{cut.id}@{effect.node}",
            cut=cut.id,
            node=effect.node,
            lesson=self._state.lesson,
            epoch=cut.epoch,
            level=cut.level,
            person=cut.person,
            reason=cut.reason,
            made_by=cut.by,
            at_ms=cut.at_ms,
            measured=effect.measured.as_json() if effect.measured is not None else None,
        )
        await self._writing.beside(partial(self._store.cuts.save, row))

    async def _note_restored(self, effect: NoteRestored) -> None:
        lesson, note = self._state.lesson, self._store.cuts.restored
        await self._writing.beside(partial(note, lesson, effect.epoch, effect.at_ms, effect.by))


_ACTS: Mapping[type[Any], Callable[[Acting, Any], Awaitable[None]]] = {
    Send: Acting._send,
    Tell: Acting._tell,
    Broadcast: Acting._broadcast,
    Close: Acting._close,
    ClosePublisher: Acting._close_publisher,
    Hold: Acting._hold,
    Refresh: Acting._refresh,
    ShareScreen: Acting._share_screen,
    Record: Acting._record,
    Keep: Acting._keep,
    CarriedOut: Acting._carried_out,
    KeepEvidence: Acting._keep_evidence,
    NoteCut: Acting._note_cut,
    NoteRestored: Acting._note_restored,
    Recorded: Acting._recorded,
    Judge: Acting._judge,
    KeepLine: Acting._keep_line,
    KeepMute: Acting._keep_mute,
    Report: Acting._report,
}
