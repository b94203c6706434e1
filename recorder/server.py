"""The recorder's shell: the unix socket, who feeds which recording, events until they are acknowledged."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from recorder import spool as spools
from recorder.archive import Archive, Limits
from recorder.derive import Slots
from recorder.feed import Ack, Close, Decoder, Event, FeedError, Frame, Message, Open, Report, State, encode
from recorder.recording import Recording, Surroundings
from recorder.s3 import S3Settings, S3Store
from recorder.versions import Policy

MAX_RECORDINGS = 256
MAX_OUT_BYTES = 4 * 1024 * 1024  # events a node does not read; it is disconnected then
REPEAT_S = 2.0
SEALERS = 2
TRANSCODERS = 1  # each may take a core; live classes come first
_log = structlog.get_logger("recorder.server")


@dataclass(frozen=True, slots=True)
class Settings:
    """`abandon_s`: how long a recording nobody feeds waits before it is sealed. `grace_s`: for SIGTERM.

    `bucket`: where sealed objects go in the end; None keeps them on the disk.
    """

    socket: Path
    data: Path
    abandon_s: float = 15.0
    grace_s: float = 8.0
    policy: Policy = field(default_factory=Policy)
    bucket: S3Settings | None = None
    limits: Limits = field(default_factory=Limits)


class Connection(asyncio.Protocol):
    """One node's connection; reads always."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._decoder = Decoder()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if _peer_uid(transport) != os.getuid():
            _log.warning("feed.stranger")
            transport.abort()
            return
        self._server.joined(self)

    def data_received(self, data: bytes) -> None:
        refused = self._decoder.refused
        try:
            for message in self._decoder.feed(data):
                self._server.received(self, message)
            if refused == 0 and self._decoder.refusal is not None:  # the first one only: it may be a flood
                _log.error("feed.refused", error=str(self._decoder.refusal))
        except FeedError as error:
            _log.error("feed.malformed", code=error.code, detail=error.detail)
            assert self.transport is not None
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.left(self)

    def send(self, event: dict[str, Any]) -> None:
        """Send an event, or give the connection up when the node does not read."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > MAX_OUT_BYTES:
            self.transport.abort()
            return
        self.transport.write(encode(Event(event)))


class Server:
    """All recordings of the process. Everything here runs on the asyncio loop but the `emit` of threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._spool = settings.data / "spool"
        self._connections: set[Connection] = set()
        self._recordings: dict[str, Recording] = {}
        self._feeders: dict[str, Connection] = {}
        self._orphans: dict[str, asyncio.TimerHandle] = {}
        self._leftovers: set[str] = set()  # folders of an earlier start, not begun yet
        self._finals: dict[str, dict[str, Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket: asyncio.Server | None = None
        self._repeating: asyncio.Task[None] | None = None
        remote = None if settings.bucket is None else S3Store(settings.bucket)
        self._archive = Archive(settings.data, remote, self._emit_from_thread, settings.limits)
        self._around = Surroundings(
            self._archive,
            self._emit_from_thread,
            Slots(threading.Semaphore(SEALERS), threading.Semaphore(TRANSCODERS)),
            lambda: time.time_ns() // 1_000_000,
            settings.policy,
        )

    async def start(self) -> None:
        """Look through the spool, then listen. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        for folder in (self._settings.data, self._spool, self._settings.data / "objects"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
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
        recordings = list(self._recordings.values())
        for recording in recordings:
            recording.stop()
        if not await asyncio.to_thread(_join_all, recordings, self._settings.grace_s):
            for recording in recordings:
                recording.abort()
            await asyncio.to_thread(_join_all, recordings, 2.0)
        await asyncio.to_thread(self._archive.stop, 1.0)  # what it is at goes on at the next start
        await asyncio.sleep(0)  # events the threads emitted last
        for connection in list(self._connections):
            if connection.transport is not None:
                connection.transport.close()

    def joined(self, connection: Connection) -> None:
        """A node connected: it is told what it has not acknowledged yet."""
        self._connections.add(connection)
        for event in (*self._finals.values(), *self._archive.untold(), *filter(None, [self._archive.status])):
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
                if self._finals.pop(message.recording, None) is not None:
                    self._feeders.pop(message.recording, None)
                    self._archive.release(message.recording)
                    self._let_go()
                    self._forget(self._spool / message.recording)
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
        if name in self._finals:
            connection.send(self._finals[name])
            return
        self._feeders[name] = connection
        if (timer := self._orphans.pop(name, None)) is not None:
            timer.cancel()
        if (recording := self._recordings.get(name)) is not None:
            recording.offer(opening)
            return
        if sum(not recording.is_sealed for recording in self._recordings.values()) >= MAX_RECORDINGS:
            connection.send(
                {"recording": name, "state": State.FAILED.value, "detail": "too_many", "gaps": []}
            )
            return
        self._begin(name, opening)

    def _begin(self, name: str, opening: Open | None) -> Recording:
        self._leftovers.discard(name)
        recording = Recording(self._spool / name, opening, self._around)
        self._recordings[name] = recording
        recording.start()
        return recording

    def _await_feeder(self, name: str) -> None:
        """Seal the recording unless somebody opens it again in time."""
        assert self._loop is not None
        if name not in self._orphans and name not in self._finals:
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
        for folder in spools.leftovers(self._spool):
            event = spools.final_event(folder)
            if event is not None:
                self._finals[folder.name] = event
                if (folder / spools.MANIFEST).exists():  # versions are still to be made
                    self._begin(folder.name, None)
                continue
            contents = spools.look(folder)
            if not contents.opened:
                spools.forget(folder)  # died before its first line: nothing was recorded
            elif contents.closed is not None:
                self._begin(folder.name, None)
            else:
                self._leftovers.add(folder.name)
                self._await_feeder(folder.name)

    def _let_go(self) -> None:
        """Forget recordings that are over and acknowledged."""
        for name in [n for n, r in self._recordings.items() if r.over and n not in self._finals]:
            del self._recordings[name]

    def _emit_from_thread(self, event: dict[str, Any]) -> None:
        assert self._loop is not None
        callback: Callable[[dict[str, Any]], None] = self._emit
        self._loop.call_soon_threadsafe(callback, event)

    def _emit(self, event: dict[str, Any]) -> None:
        if event["state"] in (State.SEALED, State.FAILED):
            self._finals[event["recording"]] = event
            self._feeders.pop(event["recording"], None)
        for connection in list(self._connections):
            connection.send(event)

    async def _repeat_finals(self) -> None:
        while True:
            await asyncio.sleep(REPEAT_S)
            self._let_go()
            for event in list(self._finals.values()):
                for connection in list(self._connections):
                    connection.send(event)
            self._tell_archived()

    def _tell_archived(self) -> None:
        for event in self._archive.untold():
            self._emit(event)


def _join_all(recordings: list[Recording], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    return all(recording.join(max(0.0, deadline - time.monotonic())) for recording in recordings)


def _peer_uid(transport: asyncio.Transport) -> int:
    peer = transport.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)
