"""One lesson's task: it waits for events, lets the rules decide, commits the facts, acts.

The rules are `core.room.RoomState`; only this task touches it. Events that wait together share one
commit. A cut waits for nothing: the guard has already darkened the room, and while a commit is under way or
the database is away, its effects are carried out in between; its facts follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from liveserver.checks.photos import Judged, Photos
from liveserver.clock import Clock
from liveserver.core import events
from liveserver.core.errors import PeerError
from liveserver.core.events.chat import KeepLine, KeepMute
from liveserver.core.events.checks import Judge, PhotoJudged
from liveserver.core.events.cut import (
    CarriedOut,
    CutMade,
    CutMeasured,
    KeepEvidence,
    NoteCut,
    NoteRestored,
    Recorded,
    Refresh,
    RestoreAsked,
    Restored,
)
from liveserver.core.events.lesson import Joined, Keep, LessonState, Tick
from liveserver.core.events.media import ClosePublisher, Hold, Record, ShareScreen
from liveserver.core.events.screening import IncidentSeen, Report
from liveserver.core.events.telling import Append, Broadcast, Close, Send, Tell
from liveserver.core.heads import Receipt
from liveserver.core.ledger import Entry, Fact
from liveserver.core.messages import Json, dumps
from liveserver.core.permissions import Permission, Role
from liveserver.core.room import RoomState
from liveserver.core.screening import Verdict
from liveserver.hours.attending import Attending
from liveserver.log import Event, get_logger
from liveserver.patience import until_stored
from liveserver.recording import RecorderSink, Recordings
from liveserver.screening import Screening
from liveserver.sfu.stage import Stage
from liveserver.store import ChatLine, CutRow, Muted, Store, StoreError

MAX_WAITING = 20_000  # events; a class of 10,000 may join at once
_BATCH = 512
_MAX_OWED = 500  # what is beyond stays in the guard's files and comes again
_FACTS_AT_ONCE = 500  # the store takes no more than 1,000
_LAST_WORDS_S = 2.0  # for the facts that wait when a room stops
_STEP_MS = 1000  # the wall clock may drift from the monotonic one by so much
_SLICE_S = 0.005  # for one message to many, before others are let in
_SLICE = 250  # sockets: what is written to them leaves at the end of the loop's turn, 15 us each
_URGENT = (CutMade, CutMeasured, RestoreAsked, Restored, IncidentSeen)
_AFTERWARDS = (  # what the database is for
    Keep,
    KeepEvidence,
    NoteCut,
    NoteRestored,
    Recorded,
)
_ROW_S = 5.0  # a database that takes longer for a row is away
_BREATH_S = 0.05  # between commits of what nobody waits for: a class that joins at once shares a few
T = TypeVar("T")


class Carrier(Protocol):
    """A way to one client. Neither method blocks; each is bounded inside."""

    @property
    def kind(self) -> str: ...

    def send(self, text: str) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Guard(Protocol):
    """Who is told what became of a cut. From any thread; neither blocks."""

    def told(self, cut: str, at_ns: int) -> None: ...

    def recorded(self, lesson: str, act: str) -> None: ...


Promise = Callable[[Fact, Entry | None], Receipt | None]
"""The signed receipt for a fact that was kept; None while the log's key is away."""
_Waiting = tuple[events.Event, asyncio.Future[None] | None]
_WAKE: _Waiting = (Tick(), None)  # something urgent waits elsewhere; never looked at itself


class Room:
    """`stage` is the lesson's media; `state` is for reading by others, never for changing."""

    def __init__(
        self,
        state: RoomState,
        stage: Stage,
        store: Store,
        recordings: Recordings,
        clock: Clock,
        guard: Guard,
        screening: Screening | None = None,
        photos: Photos | None = None,
        attending: Attending | None = None,
        training_class: str = "",
        receipt: Promise | None = None,
    ):
        self.state = state
        self.training_class = training_class
        self.stage = stage
        self.attending = attending if attending is not None else Attending(state.lesson)
        self.photos = photos
        self.dropped_events = 0
        self._judging: set[asyncio.Task[None]] = set()
        self._store = store
        self._recordings = recordings
        self._clock = clock
        self._epoch_ms = clock.wall_ms() - clock.monotonic_ns() // 1_000_000
        self._step_ms = 0  # what the wall clock jumped since, as far as the ledger was told
        self._screening = screening
        self._guard = guard
        self._carriers: dict[str, Carrier] = {}
        self._greeted: set[str] = set()  # who has had `joined`; no broadcast comes before it
        self._closers: dict[str, Callable[[str], None]] = {}
        self._sink: RecorderSink | None = None
        self._ended_recording = ""
        self._said_to = 0  # how many, since others were let in
        self._said: tuple[Json, str] = ({}, "{}")  # what was sent last, and its text
        self._queue: asyncio.Queue[tuple[events.Event, asyncio.Future[None] | None]] = asyncio.Queue(
            MAX_WAITING
        )
        self._urgent: deque[events.Event] = deque()
        self._alarm = asyncio.Event()  # there is something urgent
        self._owed: list[tuple[list[Fact], list[events.Effect]]] = []  # of what was urgent: for the database
        self._rows: deque[Callable[[], Awaitable[object]]] = deque()  # for the database, beside facts
        self._writing = False
        self._receipt = receipt
        self._promised: dict[str, Json] = {}  # receipts of this batch, by the check they are for
        self._unnamed: dict[str, str] = {}  # whose names are not stored yet
        self._hurry = asyncio.Event()  # somebody waits
        self._log = get_logger(lesson=state.lesson)
        self._task = asyncio.create_task(self._run(), name=f"room {state.lesson}")

    def now_ms(self) -> int:
        """The lesson's time: the wall clock's when the room was opened, going on without its jumps."""
        return self._epoch_ms + self._clock.monotonic_ns() // 1_000_000

    def post(self, event: events.Event) -> None:
        """Something happened; nobody waits for what follows. What a cut brings comes before all else."""
        if isinstance(event, _URGENT):
            self._urgent.append(event)
            self._alarm.set()
            self._hurry.set()
            with contextlib.suppress(asyncio.QueueFull):
                self._queue.put_nowait(_WAKE)
            return
        try:
            self._queue.put_nowait((event, None))
        except asyncio.QueueFull:
            self.dropped_events += 1

    def ask(self, event: events.Event) -> Awaitable[None]:
        """As `post`; done when its facts are committed and its effects carried out.

        Raises PeerError when the rules refuse, lesson_full (503) when too much waits.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((event, future))
        except asyncio.QueueFull:
            raise PeerError("lesson_full", "too much at once", status=503, retry_after_s=2) from None
        self._hurry.set()
        return future

    def reach(self, connection: str, carrier: Carrier) -> None:
        """Messages for `connection` go this way from now on."""
        self._carriers[connection] = carrier

    def closes_by(self, connection: str, close: Callable[[str], None]) -> None:
        """How to end a connection that has no carrier, or whose carrier is not all of it."""
        self._closers[connection] = close

    def forget(self, connection: str) -> None:
        self._carriers.pop(connection, None)
        self._closers.pop(connection, None)
        self._greeted.discard(connection)

    def judge(self, text: str) -> Verdict | None:
        """What screening says of a chat line."""
        return self._screening.chat(self.state.lesson, text) if self._screening else None

    def shown_name(self, person: str, name: str) -> str:
        """The name under which a person is shown here."""
        return self._screening.name(self.state.lesson, person, name) if self._screening else name

    def send(self, connection: str, message: Json) -> None:
        """Say something to one client that is no fact and changes nothing."""
        carrier = self._carriers.get(connection)
        if carrier is not None:
            if message is not self._said[0]:
                self._said = (message, dumps(message))  # a thousand may be sent away with the same words
            carrier.send(self._said[1])

    def tell(self, message: Json, to: Permission) -> None:
        """Say something to those whose role may `to`."""
        text = dumps(message)
        for connection in self.state.who_may(to):
            carrier = self._carriers.get(connection)
            if carrier is not None and connection in self._greeted:
                carrier.send(text)

    async def stop(self, reason: str) -> None:
        """The node is stopping: everyone leaves, those facts are kept, the task ends; the state stays."""
        self.stage.close(reason)
        self._queue.put_nowait((Tick(), last := asyncio.get_running_loop().create_future()))
        self._hurry.set()
        await asyncio.wait([last], timeout=_LAST_WORDS_S)
        ending = [self._task, *self._judging]  # what was being judged is found waiting at the next start
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    @property
    def waiting(self) -> int:
        """Events not yet looked at, or not yet in the database."""
        return self._queue.qsize() + len(self._urgent) + len(self._owed) + len(self._rows)

    @property
    def recording(self) -> str | None:
        """The id of the recording under way."""
        return self._sink.recording if self._sink else None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began_s = -_BREATH_S
        while True:
            batch = [await self._queue.get()]
            await self._breathe(began_s + _BREATH_S - loop.time())
            began_s = loop.time()
            while not self._queue.empty() and len(batch) < _BATCH:
                batch.append(self._queue.get_nowait())
            try:
                await self._attend()
                await self._pay()
                await self._handle([waiting for waiting in batch if waiting is not _WAKE])
                await self._pay()
            except Exception:  # the room's boundary: one failure must not end the lesson
                self._log.exception(Event.LESSON_FAILED)
                for _, future in batch:
                    if future is not None and not future.done():
                        future.set_exception(PeerError("internal", "this could not be done", status=500))

    async def _breathe(self, rest_s: float) -> None:
        """Let events gather for `rest_s`, unless somebody waits."""
        if rest_s > 0 and not self._hurry.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._hurry.wait()
        self._hurry.clear()

    async def _handle(self, batch: list[_Waiting]) -> None:
        now_ms = self.now_ms()
        await self._write_rows()
        facts = self._clock_steps(now_ms)
        chat: list[ChatLine] = []
        came: dict[str, str] = {}
        work: list[tuple[Sequence[events.Effect], asyncio.Future[None] | None]] = []
        for event, future in batch:
            try:
                effects = self.state.apply(event, now_ms)
            except PeerError as error:
                self._refuse(event, future, error)
                continue
            if isinstance(event, Joined) and event.member.role is Role.LEARNER:
                came[event.member.person] = event.member.name
            for effect in effects:
                if isinstance(effect, Append):
                    self._note(effect, now_ms, facts, chat)
            rest: list[events.Effect] = [effect for effect in effects if not isinstance(effect, Append)]
            work.append((rest, future))
        await asyncio.gather(self._commit(facts, chat), self._note_names(came))
        for following, future in work:
            await self._carry_out(following)
            if future is not None and not future.done():
                future.set_result(None)
        self._promised.clear()
        if any(isinstance(event, Tick) for event, _ in batch):
            await self._tell_credit(now_ms)

    async def _attend(self) -> None:
        """Carry out what is urgent; what the database has to know of it is owed."""
        self._alarm.clear()
        while self._urgent:
            try:
                await self._take(self._urgent.popleft())
            except Exception:  # as in `_run`; what waits for its commit must not be lost with it
                self._log.exception(Event.LESSON_FAILED)

    async def _take(self, event: events.Event) -> None:
        now_ms = self._clock.wall_ms()
        effects = self.state.apply(event, now_ms)
        facts: list[Fact] = []
        for effect in effects:
            if isinstance(effect, Append):
                self._note(effect, now_ms, facts, [])
        if len(self._owed) < _MAX_OWED:
            self._owed.append((facts, [effect for effect in effects if isinstance(effect, _AFTERWARDS)]))
        at_once = [effect for effect in effects if not isinstance(effect, (Append, *_AFTERWARDS))]
        await self._carry_out(at_once)

    async def _pay(self) -> None:
        """Put into the database what is owed."""
        while self._owed:
            facts, afterwards = self._owed[0]
            await self._commit(facts, [])
            self._owed.pop(0)
            await self._carry_out(afterwards)

    def _refuse(self, event: events.Event, future: asyncio.Future[None] | None, error: PeerError) -> None:
        if future is not None and not future.done():
            future.set_exception(error)
            return
        connection = getattr(event, "connection", None) or getattr(
            getattr(event, "member", None), "connection", None
        )
        self._log.info(Event.PEER_REFUSED, code=error.code, connection=connection)
        if connection is not None:
            self.close(connection, 4410, error.code)

    def _note(self, effect: Append, now_ms: int, facts: list[Fact], chat: list[ChatLine]) -> None:
        facts.append(Fact(effect.type, self.state.lesson, now_ms, effect.data))
        said = effect.chat
        if said is not None:
            chat.append(
                ChatLine(
                    said.line_id, self.state.lesson, said.person, said.name, said.role, said.text,
                    said.at_ms, said.salt, said.state,
                )
            )  # fmt: skip

    async def _commit(self, facts: list[Fact], chat: list[ChatLine]) -> None:
        """Keep: nothing is acknowledged before it is in the ledger, or on the disk while the database is
        away. A thousand sent away at once take several appends; each has an id, so that one whose answer
        was lost is there once."""
        for start in range(0, len(facts), _FACTS_AT_ONCE):
            part = facts[start : start + _FACTS_AT_ONCE]
            ids = {fact.data.get("id") for fact in part if fact.type == "chat"}
            lines = [line for line in chat if line.id in ids]
            keep = partial(self._store.keep, secrets.token_hex(16), part, lines)
            self._promise(part, await self._until_stored(keep))
            for fact in part:
                self.attending.take(fact)

    def _promise(self, facts: Sequence[Fact], entries: Sequence[Entry] | None) -> None:
        """Receipts for who answered a check: theirs to keep, whatever becomes of this server (REL-G42)."""
        if self._receipt is None:
            return
        for number, fact in enumerate(facts):
            if fact.type == "challenge_resolved":
                entry = entries[number] if entries else None
                receipt = self._receipt(fact, entry)
                if receipt is not None:
                    self._promised[str(fact.data["id"])] = receipt.document()

    async def _note_names(self, came: dict[str, str]) -> None:
        """Names stand beside the ledger, where they can be erased."""
        self._unnamed |= self.attending.names(came)
        if not self._unnamed or self._store.away:
            return
        names, self._unnamed = self._unnamed, {}

        async def note() -> None:
            await self._store.attendance.note_names(self.state.lesson, names)
            self.attending.noted(names)

        await self._write(note)

    def _clock_steps(self, now_ms: int) -> list[Fact]:
        """The wall clock jumped: the ledger is told, lengths go on as before (DOMAIN 9.8)."""
        step_ms = self._clock.wall_ms() - now_ms
        if abs(step_ms - self._step_ms) <= _STEP_MS:
            return []
        self._step_ms = step_ms
        self._log.warning(Event.CLOCK_STEP, ms=step_ms)
        return [Fact("clock_step", self.state.lesson, now_ms, {"ms": step_ms})]

    async def _tell_credit(self, now_ms: int) -> None:
        """Whose turn it is learns what the lesson is worth so far, in slices of the loop's time."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        learners = self.state.learners
        for person, message in self.attending.tell(learners, now_ms):
            for connection in learners.get(person, ()):
                if connection in self._greeted:
                    self.send(connection, message)
            if loop.time() - began_s > _SLICE_S:
                await asyncio.sleep(0)
                began_s = loop.time()

    async def _until_stored(self, write: Callable[[], Awaitable[T]]) -> T:
        """`write`, again and again while the database is away."""
        return await self._attending(until_stored(write, self._log))

    async def _write(self, write: Callable[[], Awaitable[object]]) -> None:
        """Beside the ledger, in order: now, or when the database is back. Nobody waits for that."""
        if not self._store.journaled or len(self._rows) >= _MAX_OWED:
            await self._until_stored(write)
            return
        self._rows.append(write)
        await self._write_rows()

    async def _write_rows(self) -> None:
        if self._writing:  # what is urgent came between: its turn comes
            return
        self._writing = True
        try:
            while self._rows and not self._store.away:
                await self._attending(asyncio.wait_for(self._rows[0](), _ROW_S))
                self._rows.popleft()
        except (StoreError, TimeoutError):
            self._log.exception(Event.STORE_FAILED)
        finally:
            self._writing = False

    async def _attending(self, work: Awaitable[T]) -> T:
        """Wait for `work`, and carry out meanwhile what is urgent."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                alarm = asyncio.ensure_future(self._alarm.wait())
                await asyncio.wait((task, alarm), return_when=asyncio.FIRST_COMPLETED)
                alarm.cancel()
                await self._attend()
            return await task
        finally:
            task.cancel()

    async def _carry_out(self, effects: Sequence[events.Effect]) -> None:
        for effect in effects:
            await _ACTS[type(effect)](self, effect)

    async def _send(self, effect: Send) -> None:
        if effect.message["type"] == "joined":
            self._greeted.add(effect.connection)
        message = effect.message
        if message["type"] == "result" and message.get("challenge") in self._promised:
            message = {**message, "receipt": self._promised[message["challenge"]]}
        self.send(effect.connection, message)

    async def _broadcast(self, effect: Broadcast) -> None:
        await self._say(self.state.who_may(effect.to), dumps(effect.message))

    async def _tell(self, effect: Tell) -> None:
        await self._say(effect.connections, dumps(effect.message))

    async def _say(self, connections: Sequence[str], text: str) -> None:
        """To each in slices of the loop's time: a data channel costs far more than a socket."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for connection in connections:
            carrier = self._carriers.get(connection) if connection in self._greeted else None
            if carrier is not None:
                carrier.send(text)
                self._said_to += 1
            if self._said_to >= _SLICE or loop.time() - began_s > _SLICE_S:
                await asyncio.sleep(0)
                self._said_to = 0
                began_s = loop.time()

    async def _judge(self, effect: Judge) -> None:
        """The models look while the room goes on; without any a person has to."""
        task = asyncio.create_task(self._judged(effect), name=f"photo {effect.photo}")
        self._judging.add(task)
        task.add_done_callback(self._judging.discard)

    async def _judged(self, effect: Judge) -> None:
        if self.photos is None:
            judged = Judged(None, "no_models")
        else:
            judged = await self.photos.judge(effect.photo, effect.turned, effect.asked)
        self.post(
            PhotoJudged(
                effect.person, effect.challenge, effect.photo, judged.passed, judged.detail,
                judged.liveness, effect.turned,
            )
        )  # fmt: skip

    async def _close_one(self, effect: Close) -> None:
        self.close(effect.connection, effect.code, effect.reason)

    def close(self, connection: str, code: int, reason: str) -> bool:
        """End one connection behind what was said to it; whether there was a way to."""
        carrier = self._carriers.pop(connection, None)
        close = self._closers.pop(connection, None)
        self._greeted.discard(connection)
        if carrier is not None:
            carrier.close(code, reason)
        elif close is not None:
            close(reason)
        return carrier is not None or close is not None

    async def _close_publisher(self, effect: ClosePublisher) -> None:
        if self.stage.publisher is not None:
            self.stage.publisher.close(effect.reason)

    async def _hold(self, effect: Hold) -> None:
        self.stage.hold(effect.on, self._clock.monotonic_ns())

    async def _refresh(self, effect: Refresh) -> None:
        self.stage.refresh(self._clock.monotonic_ns())

    async def _share_screen(self, effect: ShareScreen) -> None:
        self.stage.share_screen(effect.on)

    async def _record(self, effect: Record) -> None:
        over = (LessonState.CUT, LessonState.ENDED)
        if effect.on and self._sink is None and self.state.state not in over:
            begin = partial(self._recordings.begin, self.state.lesson, self.state.title)
            self._sink = await self._until_stored(begin)
            self.stage.record(self._sink)
            if self.state.state in over:  # it became so while the database was away
                await self._record(Record(False))
        elif not effect.on and self._sink is not None:
            self.stage.record(None)
            self._recordings.finish(self._sink)
            self._ended_recording, self._sink = self._sink.recording, None

    async def _keep(self, effect: Keep) -> None:
        update = partial(
            self._store.lessons.update,
            self.state.lesson,
            state=effect.state,
            started_at_ms=effect.started_at_ms,
            ended_at_ms=effect.ended_at_ms,
            instructor=effect.instructor,
        )
        await self._write(update)

    async def _keep_line(self, effect: KeepLine) -> None:
        await self._write(partial(self._store.chat.set_state, effect.line_id, effect.state))

    async def _keep_mute(self, effect: KeepMute) -> None:
        mute, kept, lesson = effect.mute, self._store.incidents, self.state.lesson
        if effect.on:
            row = Muted(lesson, mute.person, mute.name, mute.reason, mute.at_ms, mute.by, mute.incidents)
            await self._write(partial(kept.mute, row))
        else:
            await self._write(partial(kept.unmute, lesson, mute.person))

    async def _report(self, effect: Report) -> None:
        if self._screening is not None:
            self._screening.report(self.state.lesson, effect)

    async def _carried_out(self, effect: CarriedOut) -> None:
        self._guard.told(effect.cut, self._clock.monotonic_ns())

    async def _keep_evidence(self, effect: KeepEvidence) -> None:
        recording, self._ended_recording = self._ended_recording, ""
        if recording:
            hold = partial(self._recordings.hold, recording, self.state.lesson, effect.reason, effect.by)
            await self._until_stored(hold)

    async def _note_cut(self, effect: NoteCut) -> None:
        cut = effect.cut
        row = CutRow(
            key=f"{cut.id}@{effect.node}",
            cut=cut.id,
            node=effect.node,
            lesson=self.state.lesson,
            epoch=cut.epoch,
            level=cut.level,
            person=cut.person,
            reason=cut.reason,
            made_by=cut.by,
            at_ms=cut.at_ms,
            measured=effect.measured.as_json() if effect.measured is not None else None,
        )
        await self._write(partial(self._store.cuts.save, row))

    async def _note_restored(self, effect: NoteRestored) -> None:
        lesson, note = self.state.lesson, self._store.cuts.restored
        await self._write(partial(note, lesson, effect.epoch, effect.at_ms, effect.by))

    async def _recorded(self, effect: Recorded) -> None:
        self._guard.recorded(self.state.lesson, effect.act)


_ACTS: dict[type[Any], Callable[[Room, Any], Awaitable[None]]] = {
    Send: Room._send,
    Tell: Room._tell,
    Broadcast: Room._broadcast,
    Close: Room._close_one,
    ClosePublisher: Room._close_publisher,
    Hold: Room._hold,
    Refresh: Room._refresh,
    ShareScreen: Room._share_screen,
    Record: Room._record,
    Keep: Room._keep,
    CarriedOut: Room._carried_out,
    KeepEvidence: Room._keep_evidence,
    NoteCut: Room._note_cut,
    NoteRestored: Room._note_restored,
    Recorded: Room._recorded,
    Judge: Room._judge,
    KeepLine: Room._keep_line,
    KeepMute: Room._keep_mute,
    Report: Room._report,
}
