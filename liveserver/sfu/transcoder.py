"""The node's end of a transcode process (`sfu.child`): fed, watched, and what it says handed on.

Nothing here waits: frames go into a bounded queue, and a process that does not follow loses frames up to the
next keyframe.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from liveserver.clock import Clock
from liveserver.confined.framing import WireError
from liveserver.log import Event
from liveserver.sfu.child import Bounds, Child
from liveserver.transcode.wire import (
    Decoder,
    Forget,
    Frame,
    Lost,
    Message,
    Picture,
    Ready,
    ToProcess,
    WantKeyframe,
    encode,
)

QUEUE_BYTES = 2_000_000  # encoded frames waiting for the process: some seconds of a class
READY_NS = 15_000_000_000  # a busy machine starts a Python process within seconds
SILENCE_NS = 5_000_000_000  # fed for so long without an answer, it hangs
BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 5.0)  # before each further start; then it is given up
# What the process may send: more than camera and screen need at the greatest bit rate there is to configure.
MAX_BYTES_PER_S = 8_000_000
MAX_PARTS_PER_S = 10_000  # messages and packets


class Listener(Protocol):
    """Who owns a transcoder. Called on the main loop; must not block."""

    def ready(self) -> None:
        """A process runs and has seen nothing yet."""

    def produced(self, picture: Picture) -> None: ...

    def lost(self, track: str) -> None:
        """The process waits for a keyframe of the source."""

    def interrupted(self, why: str) -> None:
        """The process has ended by itself or was ended; another may follow."""

    def failed(self) -> None:
        """It failed too often: no other follows."""


class Transcoder:
    """One process at a time; `run` is its life."""

    def __init__(self, command: Sequence[str], listener: Listener, clock: Clock):
        self.counters: Counter[str] = Counter()
        self._listener = listener
        self._clock = clock
        bounds = Bounds(BACKOFF_S, MAX_BYTES_PER_S, MAX_PARTS_PER_S)
        self._child: Child[Message] = Child(
            command, self, clock, bounds, _decoding, parts=_parts, trouble=Event.TRANSCODE_FAILED
        )
        self.begun()

    @property
    def is_ready(self) -> bool:
        """Whether it listens."""
        return self._said_ready and self._child.is_running

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def restarts(self) -> int:
        """Starts after the first."""
        return self._child.restarts

    async def run(self) -> None:
        """Until `close`, or until the process failed too often."""
        await self._child.run()

    def close(self) -> None:
        """End it at once; `run` returns soon."""
        self._child.close()

    def feed(self, frame: Frame) -> bool:
        """Queue one frame. False: there is no process, or it cannot follow (up to the next keyframe)."""
        if not self.is_ready:
            return False
        message = encode(frame)
        is_full = self._child.queued_bytes + len(message) > QUEUE_BYTES
        if is_full or (frame.track in self._skipping and not frame.keyframe):
            self._skipping.add(frame.track)
            self.counters["dropped"] += 1
            return False
        self._skipping.discard(frame.track)
        self.counters["fed"] += 1
        self._unanswered.setdefault(frame.track, self._clock.monotonic_ns())
        self._child.send(message)
        return True

    def want_keyframe(self, track: str) -> None:
        self._tell(WantKeyframe(track))

    def forget(self, track: str) -> None:
        self._unanswered.pop(track, None)
        self._tell(Forget(track))

    def watch(self, now_ns: int) -> None:
        """Several times a second: end a process that hangs."""
        if not self._child.is_running:
            return
        if not self.is_ready:
            if now_ns - self._child.started_ns > READY_NS:
                self._child.end("it did not become ready")
        elif any(now_ns - fed_ns > SILENCE_NS for fed_ns in self._unanswered.values()):
            self._child.end("it is fed and sends nothing")

    def _tell(self, message: ToProcess) -> None:
        if self.is_ready and self._child.queued_bytes < QUEUE_BYTES:
            self._child.send(encode(message))

    # --- what becomes of the process (`sfu.child.Owner`) ---

    def begun(self) -> None:
        self._said_ready = False
        self._skipping: set[str] = set()  # tracks that wait for their next keyframe
        self._unanswered: dict[str, int] = {}  # track → when it was fed first since its last picture

    def heard(self, message: Message) -> None:
        if isinstance(message, Ready) and not self._said_ready:
            self._said_ready = True
            self._listener.ready()
        elif isinstance(message, Picture) and self._said_ready:
            self._unanswered.pop(message.track, None)
            self.counters["pictures"] += 1
            self._listener.produced(message)
        elif isinstance(message, Lost) and self._said_ready:
            self.counters["lost"] += 1
            self._unanswered.pop(message.track, None)
            self._skipping.add(message.track)
            self._listener.lost(message.track)
        else:
            raise WireError(f"{type(message).__name__} out of turn")

    def interrupted(self, why: str) -> None:
        self._listener.interrupted(why)

    def failed(self) -> None:
        self._listener.failed()


def _decoding() -> Callable[[bytes], Sequence[Message]]:
    return Decoder().feed


def _parts(message: Message) -> int:
    return len(message.payloads) if isinstance(message, Picture) else 1


def transcode_command(max_bitrate_bps: int) -> list[str]:
    """How the process is started."""
    return [sys.executable, "-m", "liveserver.transcode", str(max_bitrate_bps)]
