"""The node's end of the feed: never blocks the packet path, heals by itself.

Messages wait in a queue bounded by bytes. When it is full, frames are refused; a refused video frame also
refuses what depends on it (all up to the next keyframe), and the next frame that is accepted says how many
are missing, so the gap is in the recording's manifest and never hidden.

What was sent in the last `HISTORY_S` seconds is kept and sent again after a reconnect: a recorder that was
killed has on disk all but its unfinished fragments (at most 4 s), so the repeat closes the hole. The
recorder drops what it already has by the frames' numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from recorder.feed import (
    MAX_PAYLOAD_BYTES,
    MAX_TITLE,
    Ack,
    Close,
    Codec,
    Decoder,
    Event,
    FeedError,
    Frame,
    Open,
    Report,
    Track,
    encode,
    is_name,
)

QUEUE_BYTES = 8 * 1024 * 1024
HISTORY_BYTES = 8 * 1024 * 1024
HISTORY_S = 6.0
BACKOFF_FIRST_S = 0.1
BACKOFF_LAST_S = 2.0
_WRITE_BYTES = 128 * 1024  # joined into one write

_log = structlog.get_logger("recorder.client")


@dataclass(slots=True)
class _Lane:
    """One recording as the sender sees it."""

    opening: bytes
    closed: bool = False
    frames: dict[Track, int] = field(default_factory=dict)  # accepted so far
    refused: dict[Track, int] = field(default_factory=dict)  # since the last accepted frame
    reports: dict[Track, bytes] = field(default_factory=dict)


class RecorderClient:
    """Sends frames to the recorder from an asyncio loop; all methods belong to that loop.

    `on_event` gets each event as a dict (see `recorder.feed.Event`); `sealed` and `failed` come again until
    `ack`. `dropped_frames` and `connected` are for metrics.
    """

    def __init__(
        self,
        socket_path: Path | str,
        on_event: Callable[[dict[str, Any]], None],
        *,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._path = str(socket_path)
        self._on_event = on_event
        self._queue_limit = queue_bytes
        self._feed_id = secrets.token_hex(8)
        self._lanes: dict[str, _Lane] = {}
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._history: deque[tuple[float, bytes]] = deque()
        self._history_bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self.connected = False
        self.dropped_frames = 0

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="recorder-client")

    async def close(self, timeout_s: float = 2.0) -> None:
        """Send what is queued within `timeout_s`, then disconnect."""
        if self._task is None:
            return
        if self.connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout_s)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    def open(
        self,
        recording: str,
        lesson: str,
        title: str,
        started_at_ms: int,
        retain_until_ms: int | None = None,
    ) -> None:
        """Start a recording; opening one that is open does nothing. Raises ValueError for a bad name."""
        if recording in self._lanes:
            return
        if not (is_name(recording) and is_name(lesson)):
            raise ValueError(f"not a name for a file: {recording!r}, {lesson!r}")
        title = title[:MAX_TITLE]
        opening = encode(Open(recording, lesson, title, started_at_ms, self._feed_id, retain_until_ms))
        self._lanes[recording] = _Lane(opening)
        self._put(opening)

    def frame(
        self,
        recording: str,
        *,
        track: str,
        codec: str,
        rtp_timestamp: int,
        clock_rate: int,
        keyframe: bool,
        arrival_ms: int,
        data: bytes,
        lost_before: int = 0,
        source: int = 0,
    ) -> bool:
        """Queue one frame. False: refused (unknown or closed recording, frame too large, or no room)."""
        lane = self._lanes.get(recording)
        if lane is None or lane.closed:
            return False
        kind = Track(track)
        missing = lane.refused.get(kind, 0)
        full = self._queued_bytes + len(data) > self._queue_limit or len(data) > MAX_PAYLOAD_BYTES
        if full or (missing and kind is not Track.AUDIO and not keyframe):
            lane.refused[kind] = missing + 1
            self.dropped_frames += 1
            return False
        lane.refused[kind] = 0
        lane.frames[kind] = lane.frames.get(kind, 0) + 1
        self._put(
            encode(
                Frame(
                    recording,
                    lane.frames[kind],
                    kind,
                    Codec(codec),
                    rtp_timestamp,
                    clock_rate,
                    keyframe,
                    arrival_ms,
                    lost_before + missing,
                    data,
                    "feed_overflow" if missing else "lost",
                    source,
                )
            )
        )
        return True

    def report(self, recording: str, *, track: str, ntp: int, rtp_timestamp: int) -> None:
        """Pass on a publisher's sender report."""
        lane = self._lanes.get(recording)
        if lane is None or lane.closed:
            return
        message = encode(Report(recording, Track(track), ntp, rtp_timestamp))
        lane.reports[Track(track)] = message
        if self._queued_bytes < self._queue_limit:
            self._put(message)

    def close_recording(self, recording: str) -> None:
        """The lesson ended: ask for the seal."""
        lane = self._lanes.get(recording)
        if lane is not None and not lane.closed:
            lane.closed = True
            self._put(encode(Close(recording)))

    def ack(self, recording: str, series: str | None = None) -> None:
        """The final event is stored; the recorder may forget the recording, or this reel of it.

        `series`: the feed's name for a recording that is over with it, "" while it goes on.
        """
        self._lanes.pop(recording if series is None else series, None)
        self._put(encode(Ack(recording)))

    @property
    def queued_bytes(self) -> int:
        """Bytes not yet handed to the socket."""
        return self._queued_bytes

    def _put(self, message: bytes) -> None:
        self._queue.append(message)
        self._queued_bytes += len(message)
        self._idle.clear()
        self._wake.set()

    async def _run(self) -> None:
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError as error:
                _log.debug("recorder.unreachable", error=str(error))
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                backoff_s = min(BACKOFF_LAST_S, backoff_s * 2)
                continue
            backoff_s = BACKOFF_FIRST_S
            self.connected = True
            _log.info("recorder.connected", recordings=len(self._lanes))
            try:
                await self._converse(reader, writer)
            finally:
                self.connected = False
                writer.close()
            _log.warning("recorder.lost", queued_bytes=self._queued_bytes)
            await asyncio.sleep(BACKOFF_FIRST_S)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the connection ends: repeat what may be lost, then send and listen side by side."""
        self._rewind()
        tasks = {asyncio.create_task(self._send(writer)), asyncio.create_task(self._listen(reader))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _rewind(self) -> None:
        """Put openings, reports and the last seconds in front of the queue, closings at its end."""
        self._queue.extendleft(message for _, message in reversed(self._history))
        for lane in reversed(self._lanes.values()):
            self._queue.extendleft(lane.reports.values())
            self._queue.appendleft(lane.opening)
        self._queue.extend(encode(Close(name)) for name, lane in self._lanes.items() if lane.closed)
        self._history.clear()
        self._history_bytes = 0
        self._queued_bytes = sum(map(len, self._queue))
        self._wake.set()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = bytearray()
                now_s = loop.time()
                while self._queue and len(batch) < _WRITE_BYTES:
                    message = self._queue.popleft()
                    self._queued_bytes -= len(message)
                    self._remember(now_s, message)
                    batch += message
                try:
                    writer.write(batch)
                    await writer.drain()
                except (OSError, RuntimeError):
                    return
            self._idle.set()

    def _remember(self, now_s: float, message: bytes) -> None:
        history = self._history
        history.append((now_s, message))
        self._history_bytes += len(message)
        while history and (history[0][0] < now_s - HISTORY_S or self._history_bytes > HISTORY_BYTES):
            self._history_bytes -= len(history.popleft()[1])

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        decoder = Decoder()
        try:
            while data := await reader.read(65536):
                for message in decoder.feed(data):
                    if isinstance(message, Event):
                        self._tell(dict(message.fields))
        except OSError:
            return
        except FeedError as error:
            _log.error("recorder.bad_event", code=error.code, detail=error.detail)

    def _tell(self, event: dict[str, Any]) -> None:
        try:
            self._on_event(event)
        except Exception:
            # The callback's fault must not cost the other recordings their connection.
            _log.exception("recorder.event_handler_failed", recording=event.get("recording"))
