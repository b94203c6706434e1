"""One lesson's task: it waits for events, lets the rules decide, commits the facts, acts.

The rules are `core.room.RoomState`; only this task touches it. Events that wait together share one
commit. A cut waits for nothing: the guard has already darkened the room, and while a commit is under way or
the database is away, its effects are carried out in between; its facts follow.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from liveserver.core import events
from liveserver.core.errors import PeerError
from liveserver.core.events.cut import (
    CutMade,
    CutMeasured,
    KeepEvidence,
    NoteCut,
    NoteRestored,
    Recorded,
    RestoreAsked,
    Restored,
)
from liveserver.core.events.lesson import Joined, Keep, Tick
from liveserver.core.events.screening import IncidentSeen
from liveserver.core.events.telling import Append
from liveserver.core.ledger import Fact
from liveserver.core.permissions import Role
from liveserver.core.room import RoomState
from liveserver.core.screening import Verdict
from liveserver.hours.attending import Attending
from liveserver.log import Event, get_logger
from liveserver.rooms.acting import Acting
from liveserver.rooms.surroundings import Surroundings
from liveserver.rooms.voice import SLICE_S, Voice
from liveserver.rooms.writing import Writing
from liveserver.sfu.stage import Stage
from liveserver.store import ChatLine

MAX_WAITING = 20_000  # events; a class of 10,000 may join at once
_BATCH = 512
_MAX_OWED = 500  # what is beyond stays in the guard's files and comes again
_LAST_WORDS_S = 2.0  # for the facts that wait when a room stops
_STEP_MS = 1000  # the wall clock may drift from the monotonic one by so much
_URGENT = (CutMade, CutMeasured, RestoreAsked, Restored, IncidentSeen)
_AFTERWARDS = (Keep, KeepEvidence, NoteCut, NoteRestored, Recorded)  # what the database is for
_BREATH_S = 0.05  # between commits of what nobody waits for: a class that joins at once shares a few
T = TypeVar("T")

_Waiting = tuple[events.Event, asyncio.Future[None] | None]
_WAKE: _Waiting = (Tick(), None)  # something urgent waits elsewhere; never looked at itself


class Room:
    """`stage` is the lesson's media, `voice` the way to its connections; others read `state`, no more."""

    def __init__(
        self,
        state: RoomState,
        stage: Stage,
        around: Surroundings,
        attending: Attending,
        training_class: str,
    ):
        self.state = state
        self.training_class = training_class
        self.stage = stage
        self.attending = attending
        self.photos = around.photos
        self.voice = Voice()
        self.dropped_events = 0
        self._clock = clock = around.clock
        self._epoch_ms = clock.wall_ms() - clock.monotonic_ns() // 1_000_000
        self._step_ms = 0  # what the wall clock jumped since, as far as the ledger was told
        self._screening = around.screening
        self._log = get_logger(lesson=state.lesson)
        self._writing = Writing(
            state.lesson, around.store, attending, self._meanwhile, around.receipt, self._log
        )
        self._acting = Acting(state, stage, around, self.voice, self._writing, self.post)
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(MAX_WAITING)
        self._urgent: deque[events.Event] = deque()
        self._alarm = asyncio.Event()  # there is something urgent
        self._owed: list[tuple[list[Fact], list[events.Effect]]] = []  # of what was urgent: for the database
        self._hurry = asyncio.Event()  # somebody waits
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

    def judge(self, text: str) -> Verdict | None:
        """What screening says of a chat line."""
        return self._screening.texts.chat(self.state.lesson, text) if self._screening else None

    def shown_name(self, person: str, name: str) -> str:
        """The name under which a person is shown here."""
        return self._screening.texts.name(self.state.lesson, person, name) if self._screening else name

    async def stop(self, reason: str) -> None:
        """The node is stopping: everyone leaves, those facts are kept, the task ends; the state stays."""
        self.stage.close(reason)
        self._queue.put_nowait((Tick(), last := asyncio.get_running_loop().create_future()))
        self._hurry.set()
        await asyncio.wait([last], timeout=_LAST_WORDS_S)
        ending = [self._task, *self._acting.judging]  # what is judged is found waiting at the next start
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    @property
    def recording(self) -> str | None:
        """The id of the recording under way."""
        return self._acting.recording

    @property
    def waiting(self) -> int:
        """Events not yet looked at, or not yet in the database."""
        return self._queue.qsize() + len(self._urgent) + len(self._owed) + len(self._writing)

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
        await self._writing.rows()
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
        await asyncio.gather(self._writing.commit(facts, chat), self._writing.names(came))
        for following, future in work:
            await self._acting.carry_out(following)
            if future is not None and not future.done():
                future.set_result(None)
        self._writing.receipts.clear()
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
        await self._acting.carry_out(at_once)

    async def _pay(self) -> None:
        """Put into the database what is owed."""
        while self._owed:
            facts, afterwards = self._owed[0]
            await self._writing.commit(facts, [])
            self._owed.pop(0)
            await self._acting.carry_out(afterwards)

    def _refuse(self, event: events.Event, future: asyncio.Future[None] | None, error: PeerError) -> None:
        if future is not None and not future.done():
            future.set_exception(error)
            return
        connection = getattr(event, "connection", None) or getattr(
            getattr(event, "member", None), "connection", None
        )
        self._log.info(Event.PEER_REFUSED, code=error.code, connection=connection)
        if connection is not None:
            self.voice.close(connection, 4410, error.code)

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
                if self.voice.has_greeted(connection):
                    self.voice.send(connection, message)
            if loop.time() - began_s > SLICE_S:
                await asyncio.sleep(0)
                began_s = loop.time()

    async def _meanwhile(self, work: Awaitable[T]) -> T:
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
