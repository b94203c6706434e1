"""What one track sent of late, for those who catch up with it and those who ask again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from liveserver.core.errors import PeerError
from liveserver.rtp import header
from liveserver.rtp.sequence import unwrap16

CAPACITY = 1024  # packets; at 1 Mbit/s about 8 s


class Source(NamedTuple):
    """What all viewers take from one packet: `marker` is 0x80 or 0, `packet` is the whole of it."""

    marker: int
    sequence: int
    timestamp: int
    payload: bytes
    packet: bytes


class Frame(NamedTuple):
    """Packets of one RTP timestamp that lie together, from number `first` to before `end`.

    `complete`: its marker was seen, or a later frame.
    """

    first: int
    end: int
    packets: list[Source]
    complete: bool

    @property
    def size(self) -> int:
        """Octets, headers included."""
        return sum(len(source.packet) for source in self.packets)


def read(packet: bytes) -> Source | None:
    """None for what is no RTP packet (RFC 3550 §5.1)."""
    try:
        parsed = header.parse(packet)
    except PeerError:
        return None
    marker = 0x80 if parsed.marker else 0
    return Source(marker, parsed.sequence, parsed.timestamp, parsed.payload, packet)


class History:
    """A ring of the newest packets by extended sequence number, of which `highest` is the newest, or -1."""

    __slots__ = ("_numbers", "_ring", "highest")

    def __init__(self) -> None:
        self._ring: list[Source | None] = [None] * CAPACITY
        self._numbers = [-1] * CAPACITY  # the extended number that each place holds
        self.highest = -1

    def add(self, source: Source) -> None:
        """Keep it, unless it is here already or older than all that is kept."""
        # The first packet starts one cycle up, so that those it overtook have numbers too.
        number = 0x10000 + source.sequence if self.highest < 0 else unwrap16(source.sequence, self.highest)
        place = number % CAPACITY
        if number <= self.highest - CAPACITY or self._numbers[place] == number:
            return
        self._ring[place], self._numbers[place] = source, number
        self.highest = max(self.highest, number)

    def get(self, number: int) -> Source | None:
        """The packet with this extended number, while it is among the newest."""
        place = number % CAPACITY
        return self._ring[place] if self._numbers[place] == number else None

    def number(self, sequence: int) -> int:
        """The extended number that a 16-bit `sequence` most likely has."""
        return unwrap16(sequence, self.highest) if self.highest >= 0 else 0x10000 + sequence

    def frame(self, number: int) -> Frame | None:
        """The first frame that begins at `number` or later; None when there is no packet so new."""
        packets: list[Source] = []
        first = end = number
        marked = False
        for end in range(number, self.highest + 1):
            source = self.get(end)
            if source is None:
                continue
            if packets and source.timestamp != packets[0].timestamp:
                return Frame(first, end, packets, True)
            first = first if packets else end
            packets.append(source)
            marked = marked or bool(source.marker)
        return Frame(first, end + 1, packets, marked) if packets else None

    def frames(self, number: int) -> Iterator[Frame]:
        """Every frame from `number` on."""
        while (frame := self.frame(number)) is not None:
            yield frame
            number = frame.end
