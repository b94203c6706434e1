"""The bounded way of messages from the feed to a recording's thread."""

from __future__ import annotations

import threading
from dataclasses import replace

from recorder.feed import Frame, Open, Report, Track

INBOX_BYTES = 16 * 1024 * 1024  # over a minute of a class at 2 Mbit/s
INBOX_MESSAGES = 50_000
_MESSAGE_BYTES = 200  # what a message costs besides its payload


class Inbox:
    """One recording's. `put` is called by the feed, `take` by the thread."""

    def __init__(self, limit_bytes: int = INBOX_BYTES) -> None:
        self._limit = limit_bytes
        self._lock = threading.Condition()
        self._messages: list[Frame | Report | Open] = []
        self._bytes = 0
        self._ended: str | None = None
        self._refused: dict[Track, int] = {}
        self.dropped = 0

    def put(self, message: Frame | Report | Open) -> bool:
        """False: no room. A video frame after a refused one is refused too, up to the next keyframe."""
        with self._lock:
            if self._ended is not None:
                return False
            if isinstance(message, Frame):
                missing = self._refused.get(message.track, 0)
                full = self._bytes + len(message.data) > self._limit or len(self._messages) >= INBOX_MESSAGES
                if full or (missing and message.track is not Track.AUDIO and not message.keyframe):
                    self._refused[message.track] = missing + 1
                    self.dropped += 1
                    return False
                if missing:
                    self._refused[message.track] = 0
                    message = replace(
                        message, lost_before=message.lost_before + missing, lost_reason="overload"
                    )
                self._bytes += len(message.data)
            elif len(self._messages) >= INBOX_MESSAGES:
                return False
            self._bytes += _MESSAGE_BYTES
            self._messages.append(message)
            return True

    def end(self, reason: str) -> None:
        """No more messages: wake the thread. The first reason counts."""
        with self._lock:
            self._ended = self._ended or reason
            self._lock.notify()

    def take(self, timeout_s: float) -> tuple[list[Frame | Report | Open], str | None]:
        """All that waits, and why it ended, if it did."""
        with self._lock:
            if self._ended is None:
                self._lock.wait(timeout_s)
            messages, self._messages, self._bytes = self._messages, [], 0
            return messages, self._ended
