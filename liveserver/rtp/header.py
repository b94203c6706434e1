"""The RTP fixed header and its extensions (RFC 3550 §5.1, RFC 8285), and telling RTP from RTCP (RFC 5761).

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
|V=2|P|X|  CC   |M|     PT      |       sequence number         |
|                           timestamp                           |
|                             SSRC                              |
|                     CSRC, CC times                            |
|      profile 0xBEDE or 0x100x     |   length in 32-bit words  |   if X
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from liveserver.core.errors import PeerError

FIXED_HEADER = struct.Struct("!BBHII")
HEADER_BYTES = FIXED_HEADER.size

_EXTENSION_HEADER = struct.Struct("!HH")
_ONE_BYTE = 0xBEDE
_TWO_BYTE = 0x1000  # the low four bits are for the application
_PADDED = 0x20
_EXTENDED = 0x10


class Packet:
    """One RTP packet as it came; `data` is kept whole and nothing is copied until asked for.

    `payload_offset` counts header, CSRCs and extensions, `padding` the octets at the end that are no
    payload. A slotted class and not a dataclass: one is made for each packet received.
    """

    __slots__ = (
        "data",
        "marker",
        "padding",
        "payload_offset",
        "payload_type",
        "sequence",
        "ssrc",
        "timestamp",
    )

    def __init__(
        self,
        data: bytes,
        marker: bool,
        payload_type: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
        payload_offset: int,
        padding: int,
    ):
        self.data = data
        self.marker = marker
        self.payload_type = payload_type
        self.sequence = sequence
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.payload_offset = payload_offset
        self.padding = padding

    @property
    def payload(self) -> bytes:
        """The payload without padding; empty for a packet that only probes the path."""
        return self.data[self.payload_offset : len(self.data) - self.padding]

    def extension(self, identifier: int) -> bytes | None:
        """The header extension element `identifier` (1-14, or 1-255 with two-byte headers), else None.

        Elements after a truncated one are as good as absent (RFC 8285 §4.1).
        """
        data = self.data
        if not data[0] & _EXTENDED:
            return None
        start = HEADER_BYTES + 4 * (data[0] & 0x0F)
        profile, _ = _EXTENSION_HEADER.unpack_from(data, start)
        block = data[start + 4 : self.payload_offset]
        if profile == _ONE_BYTE:
            return _one_byte_element(block, identifier)
        if profile & 0xFFF0 == _TWO_BYTE:
            return _two_byte_element(block, identifier)
        return None

    def __repr__(self) -> str:
        return (
            f"Packet(ssrc={self.ssrc}, sequence={self.sequence}, timestamp={self.timestamp}, "
            f"payload_type={self.payload_type}, marker={self.marker}, octets={len(self.data)})"
        )


def parse(data: bytes) -> Packet:
    """Read one plaintext RTP packet; PeerError `rtp_malformed` when its lengths do not add up."""
    size = len(data)
    if size < HEADER_BYTES:
        raise PeerError("rtp_malformed", "shorter than the fixed header")
    first, second, sequence, timestamp, ssrc = FIXED_HEADER.unpack_from(data)
    if first & 0xC0 != 0x80:
        raise PeerError("rtp_malformed", "version is not 2")
    offset = HEADER_BYTES + 4 * (first & 0x0F)
    if first & _EXTENDED:
        if size < offset + 4:
            raise PeerError("rtp_malformed", "extension header is cut off")
        offset += 4 + 4 * ((data[offset + 2] << 8) | data[offset + 3])
    if size < offset:
        raise PeerError("rtp_malformed", "CSRCs or extensions are cut off")
    padding = 0
    if first & _PADDED:
        padding = data[-1]
        if not 0 < padding <= size - offset:
            raise PeerError("rtp_malformed", "padding is longer than the payload")
    return Packet(data, second >= 0x80, second & 0x7F, sequence, timestamp, ssrc, offset, padding)


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram in the RTP range (first octet 128-191) is RTCP (RFC 5761 §4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


def build(
    *,
    payload_type: int,
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload: bytes = b"",
    marker: bool = False,
    csrcs: Sequence[int] = (),
    extensions: Mapping[int, bytes] | None = None,
    padding: int = 0,
) -> bytes:
    """Write one packet; `extensions` maps an element's id to its value, one-byte headers where they fit."""
    block = extension_block(extensions) if extensions else b""
    first = 0x80 | (_PADDED if padding else 0) | (_EXTENDED if block else 0) | len(csrcs)
    fixed = FIXED_HEADER.pack(first, (0x80 if marker else 0) | payload_type, sequence, timestamp, ssrc)
    tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
    return fixed + struct.pack(f"!{len(csrcs)}I", *csrcs) + block + payload + tail


def extension_block(extensions: Mapping[int, bytes]) -> bytes:
    """The whole extension: profile, length and elements, padded to 32 bits (RFC 8285 §4.2, §4.3)."""
    if all(0 < key < 15 and 0 < len(value) <= 16 for key, value in extensions.items()):
        profile = _ONE_BYTE
        elements = b"".join(
            bytes(((key << 4) | (len(value) - 1),)) + value for key, value in extensions.items()
        )
    else:
        profile = _TWO_BYTE
        elements = b"".join(bytes((key, len(value))) + value for key, value in extensions.items())
    elements += bytes(-len(elements) % 4)
    return _EXTENSION_HEADER.pack(profile, len(elements) // 4) + elements


def _one_byte_element(block: bytes, identifier: int) -> bytes | None:
    position = 0
    while position < len(block):
        key, end = block[position] >> 4, position + 2 + (block[position] & 0x0F)
        if block[position] == 0:  # a padding octet between elements
            position += 1
            continue
        if key == 15 or end > len(block):  # 15 ends the list (RFC 8285 §4.2)
            return None
        if key == identifier:
            return block[position + 1 : end]
        position = end
    return None


def _two_byte_element(block: bytes, identifier: int) -> bytes | None:
    position = 0
    while position < len(block):
        if block[position] == 0:
            position += 1
            continue
        if position + 2 > len(block):
            return None
        end = position + 2 + block[position + 1]
        if end > len(block):
            return None
        if block[position] == identifier:
            return block[position + 2 : end]
        position = end
    return None
