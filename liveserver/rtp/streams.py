"""All TCP connections of a fan-out: what waits for slow peers leaves only while their room may send."""

from __future__ import annotations

from collections.abc import Callable

from liveserver.rtp.flags import Flags
from liveserver.rtp.stream import Stream
from liveserver.rtp.tables import Stats

Media = tuple[int, int]
"""A room and a kind of `Flags`."""


class Streams:
    """Owns the streams by their numbers. `clock_ns` tells when the socket had taken something."""

    def __init__(self, flags: Flags, clock_ns: Callable[[], int]):
        self.all: dict[int, Stream] = {}
        self._flags = flags
        self._clock_ns = clock_ns

    def close(self) -> None:
        for number in list(self.all):
            self.remove(number)

    def remove(self, number: int) -> None:
        found = self.all.pop(number, None)
        if found is not None:
            found.close()

    def write(
        self, number: int, data: bytes, stats: Stats, media: Media | None = None, now_ns: int = 0
    ) -> bool:
        """One packet; whether it was taken. `media`: it is such, and the caller is `sending` it."""
        stream = self.all.get(number)
        if stream is None:
            return False
        if media is None:
            return self._write_other(stream, data, stats)
        self._hold_back(stream, stats, now_ns)
        if not stream.put(data):
            return False
        stream.room, kind = media
        stream.kinds |= kind
        stream.epoch = self._flags.epoch(stream.room)
        return self._flush(stream)

    def flush(self, now_ns: int, stats: Stats) -> bool:
        """Send what waits; whether something still does."""
        waiting = [stream for stream in self.all.values() if stream.waiting]
        for stream in waiting:
            with self._flags.sending(stream.room):
                self._hold_back(stream, stats, now_ns)
                self._flush(stream)
        return any(stream.waiting for stream in waiting)

    def _write_other(self, stream: Stream, data: bytes, stats: Stats) -> bool:
        """STUN, DTLS, RTCP: behind the media that waits, if that may still leave."""
        with self._flags.sending(stream.room):
            self._hold_back(stream, stats, 0)
            return stream.put(data) and self._flush(stream)

    def _hold_back(self, stream: Stream, stats: Stats, now_ns: int) -> None:
        """What a slow peer has not read yet is not sent any more once its room is dark, or was meanwhile.

        Without a time (0) the lease is not looked at; `flush` comes within 10 ms and does.
        """
        if not stream.kinds:
            return
        was_dark = stream.epoch != self._flags.epoch(stream.room)
        if was_dark or not self._flags.allows(stream.room, stream.kinds, now_ns):
            stats.held += stream.recall()

    def _flush(self, stream: Stream) -> bool:
        room, kinds, left = stream.room, stream.kinds, stream.left
        is_whole = stream.flush()
        if kinds and stream.left != left:
            self._flags.left(room, self._clock_ns(), tcp=True)
        return is_whole
