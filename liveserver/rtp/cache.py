"""The packets of one source that can be asked for again, and those a new viewer needs to see a picture."""

from __future__ import annotations

from liveserver.rtp.header import Packet
from liveserver.rtp.keyframe import is_whole_start, starts_keyframe
from liveserver.rtp.sequence import unwrap16

CAPACITY = 1024  # packets; at 1 Mbit/s about 8 s
MAX_GROUP_NS = 4_000_000_000
MAX_GROUP_BYTES = 500_000
MAX_GROUP_PACKETS = 500

Entry = tuple[Packet, int]


class PacketCache:
    """A ring of the newest packets of one SSRC, by sequence number. `codec` tells where keyframes start.

    The *group* is every packet since the first of the newest keyframe, as far as it is here: packets that
    arrive late fall into their place, one that is lost leaves a gap.
    """

    __slots__ = ("_bytes", "_codec", "_numbers", "_ring", "_start", "_start_ns", "_timestamp", "highest")

    def __init__(self, codec: str):
        self._codec = codec
        self._ring: list[Entry | None] = [None] * CAPACITY
        self._numbers = [-1] * CAPACITY  # the extended number that each place holds
        self.highest = -1  # newest extended sequence number, -1 before the first
        self._start = -1  # extended number of the group's first packet, -1 without one
        self._start_ns = 0
        self._timestamp = 0  # of the group's keyframe
        self._bytes = 0

    def add(self, packet: Packet, arrival_ns: int) -> bool:
        """Keep a packet that arrived at `arrival_ns`; False when it is here already or too old to keep."""
        # The first packet starts one cycle up, so that those it overtook have numbers too.
        number = 0x10000 + packet.sequence if self.highest < 0 else unwrap16(packet.sequence, self.highest)
        place = number % CAPACITY
        if number <= self.highest - CAPACITY or self._numbers[place] == number:
            return False
        self._ring[place], self._numbers[place] = (packet, arrival_ns), number
        self.highest = max(self.highest, number)
        if self._start >= 0 and self.highest - self._start >= CAPACITY:
            self._start = -1  # the keyframe has been overwritten
        if number > self._start >= 0:
            self._bytes += len(packet.data)
        self._find_start(packet, number)
        return True

    def get(self, sequence: int) -> Packet | None:
        """The packet with this 16-bit sequence number, if it is among the newest."""
        if self.highest < 0:
            return None
        entry = self._entry(unwrap16(sequence, self.highest))
        return entry[0] if entry else None

    @property
    def newest(self) -> Entry | None:
        """The packet with the highest sequence number and its arrival."""
        return self._entry(self.highest) if self.highest >= 0 else None

    @property
    def keyframe_ns(self) -> int | None:
        """When the newest keyframe's first packet arrived, or None."""
        return self._start_ns if self._start >= 0 else None

    @property
    def usable(self) -> bool:
        """Whether the group is small enough to be replayed, and its keyframe's start is here.

        An H.264 keyframe may begin with what only parameter sets in the packet before make decodable.
        """
        if self._start < 0:
            return False
        first, newest = self._entry(self._start), self._entry(self.highest)
        assert first is not None and newest is not None
        return (
            self.highest - self._start < MAX_GROUP_PACKETS
            and self._bytes <= MAX_GROUP_BYTES
            and newest[1] - self._start_ns <= MAX_GROUP_NS
            and (is_whole_start(self._codec, first[0].payload) or self._entry(self._start - 1) is not None)
        )

    def group(self) -> list[Entry]:
        """(packet, arrival) in sequence order since the newest keyframe's first packet; empty without one."""
        if self._start < 0:
            return []
        entries = (self._entry(number) for number in range(self._start, self.highest + 1))
        return [entry for entry in entries if entry is not None]

    def _entry(self, number: int) -> Entry | None:
        place = number % CAPACITY
        return self._ring[place] if self._numbers[place] == number else None

    def _find_start(self, packet: Packet, number: int) -> None:
        """Move the group's start: `packet` begins a newer keyframe, or comes before its first one so far."""
        if self._start >= 0 and packet.timestamp == self._timestamp:
            if number > self._start:
                return
        elif number < self._start or not starts_keyframe(self._codec, packet.payload):
            return
        self._timestamp = packet.timestamp
        self._start = self._first_of_frame(number)
        self._start_ns = min(arrival for found, arrival in self.group() if found.timestamp == self._timestamp)
        self._bytes = sum(len(found.data) for found, _ in self.group())

    def _first_of_frame(self, number: int) -> int:
        """What stands before a keyframe's first slice under its timestamp belongs to it (SEI, delimiter)."""
        while (before := self._entry(number - 1)) is not None and before[0].timestamp == self._timestamp:
            number -= 1
        return number
