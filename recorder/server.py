"""The recorder's shell: the unix socket, who feeds which recording, events until they are acknowledged."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from recorder import reels
from recorder import spool as spools
from recorder.archive import Archive, Limits
from recorder.connection import Connection
from recorder.derive import Slots
from recorder.events import failure
from recorder.feed import Ack, Close, Event, FeedError, Frame, Message, Open, Report, State
from recorder.finals import Finals
from recorder.finishing import Finishing, Surroundings
from recorder.left_open import LeftOpen
from recorder.recording import Recording
from recorder.s3 import S3Settings, S3Store
from recorder.versions import Policy

MAX_RECORDINGS = 256
REPEAT_S = 2.0
SEALERS = 2
TRANSCODERS = 1  # each may take a core; live classes come first
_log = structlog.get_logger("recorder.server")


@dataclass(frozen=True, slots=True)
class Settings:
    """`abandon_s`: how long a recording nobody feeds waits before it is sealed. `grace_s`: for SIGTERM.

    `spare`: where recordings go on when the disk of `data` fails. `bucket`: where sealed objects go in the
    end; None keeps them on the disk.
    """

    socket: Path
    data: Path
    spare: Path | None = None
    abandon_s: float = 15.0
    grace_s: float = 8.0
    policy: Policy = field(default_factory=Policy)
    bounds: reels.Bounds = field(default_factory=reels.Bounds)
    bucket: S3Settings | None = None
    limits: Limits = field(default_factory=Limits)


class Server:
    """All recordings of the process. Everything here runs on the asyncio loop but the `emit` of threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        spares = () if settings.spare is None else (settings.spare,)
        self._roots = spools.Roots(settings.data / "spool", *spares)
        self._connections: set[Connection] = set()
        # By the feed's name for a recording:
        self._recordings: dict[str, Recording] = {}
        self._feeders: dict[str, Connection] = {}
        self._orphans: dict[str, asyncio.TimerHandle] = {}
        self._leftovers: dict[str, Path] = {}  # newest reels of an earlier start, not begun yet
        # By the reel's own name:
        self._finishing: dict[str, Finishing] = {}
        self._finals = Finals()
        self._leaving = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket: asyncio.Server | None = None
        self._repeating: asyncio.Task[None] | None = None
        remote = None if settings.bucket is None else S3Store(settings.bucket)
        self._archive = Archive(
            settings.data, remote, self._emit_from_thread, settings.limits, roots=self._roots
        )
        self._left_open = LeftOpen(self._archive.trouble)
        self._around = Surroundings(
            self._archive,
            self._emit_from_thread,
            self._closed_from_thread,
            self._left_open_from_thread,
            self._archive.trouble,
            self._roots,
            Slots(threading.Semaphore(SEALERS), threading.Semaphore(TRANSCODERS)),
            lambda: time.time_ns() // 1_000_000,
            settings.policy,
            settings.bounds,
        )

    async def start(self) -> None:
        """Look through the spool, then listen. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        for folder in (self._settings.data, self._settings.data / "objects"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._roots.make()
        self._archive.start()
        self._look_through_spool()
        self._settings.socket.unlink(missing_ok=True)
        self._socket = await self._loop.create_unix_server(
            lambda: Connection(self), str(self._settings.socket)
        )
        self._repeating = asyncio.create_task(self._repeat_finals(), name="finals")
        _log.info("recorder.ready", leftovers=len(self._leftovers), unacknowledged=len(self._finals))

    async def stop(self) -> None:
        """Finish fragments, seal what is closed within the grace, leave the rest."""
        if self._socket is not None:
            self._socket.close()
        if self._repeating is not None:
            self._repeating.cancel()
            await asyncio.gather(self._repeating, return_exceptions=True)
        for timer in self._orphans.values():
            timer.cancel()
        self._leaving = True
        works: list[Recording | Finishing] = [*self._recordings.values(), *self._finishing.values()]
        for work in works:
            work.stop()
        deadline = time.monotonic() + self._settings.grace_s
        await asyncio.to_thread(_join_all, list(self._recordings.values()), deadline)
        await asyncio.sleep(0)  # what was closed last is begun to be finished
        if not await asyncio.to_thread(_join_all, list(self._finishing.values()), deadline):
            for finishing in self._finishing.values():
                finishing.abort()
            await asyncio.to_thread(_join_all, list(self._finishing.values()), time.monotonic() + 2.0)
        await asyncio.to_thread(self._archive.stop, 1.0)  # what it is at goes on at the next start
        await asyncio.sleep(0)  # events the threads emitted last
        for connection in list(self._connections):
            if connection.transport is not None:
                connection.transport.close()

    def joined(self, connection: Connection) -> None:
        """A node connected: it is told what it has not acknowledged yet."""
        self._connections.add(connection)
        for event in (*self._finals, *self._archive.untold(), *filter(None, [self._archive.status])):
            connection.send(event)

    def left(self, connection: Connection) -> None:
        """A node is gone; its recordings wait for it."""
        self._connections.discard(connection)
        for name in [name for name, feeder in self._feeders.items() if feeder is connection]:
            del self._feeders[name]
            self._await_feeder(name)

    def received(self, connection: Connection, message: Message) -> None:
        """One message of a node."""
        match message:
            case Frame() | Report():
                recording = self._recordings.get(message.recording)
                if recording is not None:
                    recording.offer(message)
            case Open():
                self._open(connection, message)
            case Close():
                recording = self._recordings.get(message.recording)
                if recording is not None:
                    recording.close("ended")
            case Ack():
                if self._finals.acknowledged(message.recording):
                    self._archive.release(message.recording)
                    self._let_go()
                    self._forget(self._roots.folder(message.recording))
                    self._tell_archived()
                else:
                    self._archive.acknowledged(message.recording)
            case Event():
                raise FeedError("unknown_type", "event from a node")

    def _forget(self, folder: Path) -> None:
        """Remove an acknowledged folder, unless its sealing failed or versions are still made of it."""
        (folder / spools.FINAL).unlink(missing_ok=True)
        spools.acknowledged(folder)

    def _open(self, connection: Connection, opening: Open) -> None:
        name = opening.recording
        is_begun = name in self._recordings or name in self._leftovers
        if not is_begun and self._finals.is_over(name):
            if (told := self._finals.of(name)) is not None:
                connection.send(told)
            return
        self._feeders[name] = connection
        if (timer := self._orphans.pop(name, None)) is not None:
            timer.cancel()
        if (recording := self._recordings.get(name)) is not None:
            recording.offer(opening)
            return
        if len(self._recordings) + sum(not f.is_sealed for f in self._finishing.values()) >= MAX_RECORDINGS:
            connection.send(failure(name, opening.lesson, "too_many"))
            return
        self._begin(name, opening)

    def _begin(self, name: str, opening: Open | None) -> Recording:
        folder = self._leftovers.pop(name, None) or self._roots.folder(name)
        recording = Recording(folder, opening, self._around)
        self._recordings[name] = recording
        recording.start()
        return recording

    def _finish(self, folder: Path, series: str, is_last: bool) -> None:
        """A reel has ended: have it sealed."""
        if is_last:
            self._recordings.pop(series, None)
            self._finals.end(series, folder.name)
        finishing = self._finishing[folder.name] = Finishing(folder, self._around)
        if self._leaving:
            finishing.stop()
        finishing.start()

    def _await_feeder(self, name: str) -> None:
        """Seal the recording unless somebody opens it again in time."""
        assert self._loop is not None
        if name not in self._orphans and not self._finals.has_ended(name):
            self._orphans[name] = self._loop.call_later(self._settings.abandon_s, self._abandon, name)

    def _abandon(self, name: str) -> None:
        self._orphans.pop(name, None)
        recording = self._recordings.get(name)
        if recording is None:
            if name not in self._leftovers:
                return
            recording = self._begin(name, None)
        _log.warning("recording.abandoned", recording=name)
        recording.close("abandoned")

    def _look_through_spool(self) -> None:
        """Take up what earlier starts left. Raises OSError."""
        found = {folder: spools.look(folder) for folder in self._roots.folders()}
        for folder, contents in list(found.items()):
            never_was = not contents.opened or (contents.reel > 1 and contents.continues is None)
            if never_was and spools.final_event(folder) is None:
                spools.forget(folder)  # died before it was begun: nothing is in it alone
                del found[folder]
            elif contents.continues is not None:
                self._left_open.add(self._roots.folder(contents.continues["recording"]), folder)
        for folder in self._left_open.close():
            self._left_open.taken_up(folder)  # below, like all others
        for folder in found:
            if folder not in self._left_open:
                self._take_up(folder)

    def _take_up(self, folder: Path) -> None:
        event, contents = spools.final_event(folder), spools.look(folder)
        if event is not None:
            if (series := self._finals.add(folder.name, event)) is not None:
                self._finals.end(series, folder.name)
            if contents.opened:  # versions are still to be made
                self._finish(folder, contents.series, contents.next is None)
        elif contents.closed is not None:
            self._finish(folder, contents.series, contents.next is None)
        else:
            self._leftovers[contents.series] = folder
            self._await_feeder(contents.series)

    def _let_go(self) -> None:
        """Forget what is over."""
        self._recordings = {name: r for name, r in self._recordings.items() if not r.over}
        self._finishing = {name: f for name, f in self._finishing.items() if not f.over}

    def _closed_from_thread(self, folder: Path, series: str, is_last: bool) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._finish, folder, series, is_last)

    def _left_open_from_thread(self, before: Path, folder: Path) -> None:
        assert self._loop is not None
        self._archive.trouble(str(before), True)  # its disk, although the recording goes on elsewhere
        self._loop.call_soon_threadsafe(self._left_open.add, before, folder)

    def _emit_from_thread(self, event: dict[str, Any]) -> None:
        assert self._loop is not None
        callback: Callable[[dict[str, Any]], None] = self._emit
        self._loop.call_soon_threadsafe(callback, event)

    def _emit(self, event: dict[str, Any]) -> None:
        if event["state"] in (State.SEALED, State.FAILED):
            self._feeders.pop(self._finals.add(event["recording"], event) or "", None)
        for connection in list(self._connections):
            connection.send(event)

    async def _repeat_finals(self) -> None:
        while True:
            await asyncio.sleep(REPEAT_S)
            self._let_go()
            for folder in await asyncio.to_thread(self._left_open.close) if self._left_open else ():
                try:
                    self._take_up(folder)
                except OSError as error:  # the next round may read it
                    self._left_open.failed(folder, error)
                else:
                    self._left_open.taken_up(folder)
            for event in self._finals:
                for connection in list(self._connections):
                    connection.send(event)
            self._tell_archived()

    def _tell_archived(self) -> None:
        for event in self._archive.untold():
            self._emit(event)


def _join_all(works: Sequence[Recording | Finishing], deadline_s: float) -> bool:
    return all(work.join(max(0.0, deadline_s - time.monotonic())) for work in works)
