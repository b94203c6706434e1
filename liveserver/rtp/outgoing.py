"""What leaves for one row: sender reports, padding, and a packet that is protected once more."""

from __future__ import annotations

from liveserver.rtp import header, rtcp
from liveserver.rtp.history import Source
from liveserver.rtp.tables import Row

MAX_PADDING = 32  # octets by which a packet is filled up to the size of its neighbours
_PACK = header.FIXED_HEADER.pack


def padding(sources: list[Source]) -> list[int]:
    """Octets of RTP padding for each packet, so that packets that leave together are of one size.

    Then the kernel takes them as one message (UDP GSO): all but the last must be equal, none may be larger.
    """
    largest = max(len(source.payload) for source in sources)
    pads = [largest - len(source.payload) for source in sources]
    pads[-1] = 0
    return [pad if pad <= MAX_PADDING else 0 for pad in pads]


def report(row: Row, ntp: int, rtp_timestamp: int, cname: bytes) -> bytes:
    report = rtcp.SenderReport(
        ssrc=row.ssrc,
        ntp=ntp,
        rtp_timestamp=(rtp_timestamp + row.timestamp_offset) & 0xFFFFFFFF,
        packets=row.packets & 0xFFFFFFFF,
        octets=row.octets & 0xFFFFFFFF,
    )
    return rtcp.build([report, rtcp.SourceDescription({row.ssrc: cname.decode()})])


def protected(row: Row, source: Source, index: int, timestamp: int, pad: int) -> bytes:
    """The packet under `index`, filled up by `pad` octets of RTP padding (RFC 3550 §5.1)."""
    first, payload = row.first_octet, source.payload
    if pad:
        first |= 0x20
        payload += bytes(pad - 1) + bytes((pad,))
    second = source.marker | row.payload_type
    head = _PACK(first, second, index & 0xFFFF, timestamp, row.ssrc) + row.extension
    return row.protect(row.ssrc, index, head, payload)


def fingerprint(row: Row, source: Source, index: int, timestamp: int, pad: int) -> int:
    """All that the packet under `index` is made of, as 64 bits; the hash of bytes is keyed per process."""
    return hash((index, source.packet, timestamp, row.payload_type, pad)) & 0xFFFFFFFFFFFFFFFF
