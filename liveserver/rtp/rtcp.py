"""RTCP: compound packets in and out (RFC 3550 §6, RFC 4585, RFC 5104, REMB).

    |V=2|P| count |      PT       |   length in 32-bit words - 1  |
    |                        SSRC of sender                       |   and so on, by type

Every packet type the server understands is a frozen dataclass with `build()`; others (APP, XR, transport-cc)
are skipped. Reduced-size RTCP (RFC 5506) is taken: no order of the parts is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from liveserver.core.errors import PeerError

_SENDER_REPORT, _RECEIVER_REPORT, _SDES, _BYE = 200, 201, 202, 203
_TRANSPORT_FEEDBACK, _PAYLOAD_FEEDBACK = 205, 206
_FMT_NACK = 1
_FMT_PLI, _FMT_FIR, _FMT_APPLICATION = 1, 4, 15
_SDES_CNAME = 1
_REMB = b"REMB"
_REMB_MANTISSA_BITS = 18
# What one datagram could name is 6,000 packets; no cache holds more than this, so the rest is not read.
MAX_NACKED = 1024

_COMMON = struct.Struct("!BBH")
_BLOCK = struct.Struct("!IIIIII")
_SENDER = struct.Struct("!IQIII")
_PAIR = struct.Struct("!II")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one source arrives at the reporter (RFC 3550 §6.4.1).

    `fraction_lost` in 1/256 since the last report, `lost` signed 24 bits, `highest_sequence` extended to
    32 bits, `jitter` in RTP ticks, `last_sr` the middle 32 bits of the last report's NTP time,
    `delay_since_last_sr` in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int

    def build(self) -> bytes:
        loss = (self.fraction_lost << 24) | (self.lost & 0xFFFFFF)
        return _BLOCK.pack(
            self.ssrc, loss, self.highest_sequence, self.jitter, self.last_sr, self.delay_since_last_sr
        )


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp` is the 64-bit NTP timestamp (seconds since 1900 in 32.32 fixed point) of `rtp_timestamp`."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packets: int
    octets: int
    reports: tuple[ReportBlock, ...] = ()

    def build(self) -> bytes:
        body = _SENDER.pack(self.ssrc, self.ntp, self.rtp_timestamp, self.packets, self.octets)
        return _packet(_SENDER_REPORT, len(self.reports), body + b"".join(r.build() for r in self.reports))


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RFC 3550 §6.4.2."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()

    def build(self) -> bytes:
        body = self.ssrc.to_bytes(4) + b"".join(report.build() for report in self.reports)
        return _packet(_RECEIVER_REPORT, len(self.reports), body)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The CNAME of each source, by SSRC, at most 31 (RFC 3550 §6.5.1); other items are not kept."""

    cnames: Mapping[int, str]

    def build(self) -> bytes:
        chunks = b"".join(_cname_chunk(ssrc, cname) for ssrc, cname in self.cnames.items())
        return _packet(_SDES, len(self.cnames), chunks)


@dataclass(frozen=True, slots=True)
class Bye:
    """Sources that leave (RFC 3550 §6.6)."""

    ssrcs: tuple[int, ...]
    reason: str = ""

    def build(self) -> bytes:
        body = struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        if self.reason:
            text = self.reason.encode()[:255]
            body += bytes((len(text),)) + text
            body += bytes(-len(body) % 4)
        return _packet(_BYE, len(self.ssrcs), body)


@dataclass(frozen=True, slots=True)
class Nack:
    """Packets asked for again (RFC 4585 §6.2.1); `sequences` in the order asked, at most MAX_NACKED."""

    sender_ssrc: int
    media_ssrc: int
    sequences: tuple[int, ...]

    def build(self) -> bytes:
        """Packs runs of 17 into one entry when `sequences` ascend (modulo 2^16)."""
        entries: list[list[int]] = []
        for sequence in self.sequences:
            distance = (sequence - entries[-1][0]) & 0xFFFF if entries else 0
            if entries and 1 <= distance <= 16:
                entries[-1][1] |= 1 << (distance - 1)
            else:
                entries.append([sequence, 0])
        body = _PAIR.pack(self.sender_ssrc, self.media_ssrc)
        body += b"".join(struct.pack("!HH", first, mask) for first, mask in entries)
        return _packet(_TRANSPORT_FEEDBACK, _FMT_NACK, body)


@dataclass(frozen=True, slots=True)
class PictureLoss:
    """A keyframe is needed (RFC 4585 §6.3.1)."""

    sender_ssrc: int
    media_ssrc: int

    def build(self) -> bytes:
        return _packet(_PAYLOAD_FEEDBACK, _FMT_PLI, _PAIR.pack(self.sender_ssrc, self.media_ssrc))


@dataclass(frozen=True, slots=True)
class FullIntraRequest:
    """A keyframe is asked for (RFC 5104 §4.3.1); `entries` are (SSRC, 8-bit command number)."""

    sender_ssrc: int
    entries: tuple[tuple[int, int], ...]

    def build(self) -> bytes:
        body = _PAIR.pack(self.sender_ssrc, 0)
        body += b"".join(_PAIR.pack(ssrc, number << 24) for ssrc, number in self.entries)
        return _packet(_PAYLOAD_FEEDBACK, _FMT_FIR, body)


@dataclass(frozen=True, slots=True)
class Remb:
    """The receiver's estimate of what the path carries (draft-alvestrand-rmcat-remb-03 §2.2)."""

    sender_ssrc: int
    bitrate_bps: int
    ssrcs: tuple[int, ...]

    def build(self) -> bytes:
        """Rounds the rate down to 18 significant bits, as the format holds."""
        exponent = max(0, self.bitrate_bps.bit_length() - _REMB_MANTISSA_BITS)
        word = (len(self.ssrcs) << 24) | (exponent << _REMB_MANTISSA_BITS) | (self.bitrate_bps >> exponent)
        body = _PAIR.pack(self.sender_ssrc, 0) + _REMB + word.to_bytes(4)
        return _packet(
            _PAYLOAD_FEEDBACK, _FMT_APPLICATION, body + struct.pack(f"!{len(self.ssrcs)}I", *self.ssrcs)
        )


Rtcp = SenderReport | ReceiverReport | SourceDescription | Bye | Nack | PictureLoss | FullIntraRequest | Remb


def parse(data: bytes) -> list[Rtcp]:
    """Read a compound packet of plaintext RTCP; PeerError `rtcp_malformed` when any part is.

    One bad part refuses the whole: what is authenticated and still malformed is not to be guessed at.
    """
    found: list[Rtcp] = []
    position, size = 0, len(data)
    if not data:
        raise PeerError("rtcp_malformed", "empty")
    while position < size:
        if size - position < 4:
            raise PeerError("rtcp_malformed", "shorter than a header")
        first, kind, words = _COMMON.unpack_from(data, position)
        if first & 0xC0 != 0x80:
            raise PeerError("rtcp_malformed", "version is not 2")
        end = position + 4 + 4 * words
        if end > size:
            raise PeerError("rtcp_malformed", "length goes past the datagram")
        reader = _READERS.get(kind)
        if reader:
            found += reader(first & 0x1F, _without_padding(data[position + 4 : end], first, end == size))
        position = end
    return found


def build(packets: Iterable[Rtcp]) -> bytes:
    """One compound packet of `packets`, in their order."""
    return b"".join(packet.build() for packet in packets)


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _COMMON.pack(0x80 | count, kind, len(body) // 4) + body


def _cname_chunk(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    chunk = ssrc.to_bytes(4) + bytes((_SDES_CNAME, len(name))) + name
    return chunk + bytes(4 - len(chunk) % 4)  # at least one null octet ends the items of a chunk


def _without_padding(body: bytes, first: int, last: bool) -> bytes:
    """Only the last packet of a compound may be padded, by a multiple of four (RFC 3550 §6.4.1)."""
    if not first & 0x20:
        return body
    if not last or not body:
        raise PeerError("rtcp_malformed", "padding before the last packet, or of nothing")
    padding = body[-1]
    if not 0 < padding <= len(body) or padding % 4:
        raise PeerError("rtcp_malformed", "padding is longer than the packet")
    return body[:-padding]


def _require(body: bytes, octets: int, what: str) -> None:
    if len(body) < octets:
        raise PeerError("rtcp_malformed", f"{what} is cut off")


def _report_blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    _require(body, offset + count * _BLOCK.size, "report block")
    blocks = []
    for position in range(offset, offset + count * _BLOCK.size, _BLOCK.size):
        ssrc, loss, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, position)
        lost = loss & 0xFFFFFF
        lost -= (lost & 0x800000) << 1  # signed 24 bits: duplicates make it negative
        blocks.append(ReportBlock(ssrc, loss >> 24, lost, highest, jitter, last_sr, delay))
    return tuple(blocks)


def _read_sender_report(count: int, body: bytes) -> list[Rtcp]:
    _require(body, _SENDER.size, "sender report")
    ssrc, ntp, timestamp, packets, octets = _SENDER.unpack_from(body)
    return [SenderReport(ssrc, ntp, timestamp, packets, octets, _report_blocks(body, _SENDER.size, count))]


def _read_receiver_report(count: int, body: bytes) -> list[Rtcp]:
    _require(body, 4, "receiver report")
    return [ReceiverReport(int.from_bytes(body[:4]), _report_blocks(body, 4, count))]


def _read_sdes(count: int, body: bytes) -> list[Rtcp]:
    cnames: dict[int, str] = {}
    position = 0
    for _ in range(count):
        _require(body, position + 5, "source description")
        ssrc = int.from_bytes(body[position : position + 4])
        position += 4
        while body[position]:
            _require(body, position + 2, "source description item")
            kind, end = body[position], position + 2 + body[position + 1]
            _require(body, end + 1, "source description item")
            if kind == _SDES_CNAME:
                cnames[ssrc] = body[position + 2 : end].decode(errors="replace")
            position = end
        position += 4 - position % 4
    return [SourceDescription(cnames)]


def _read_bye(count: int, body: bytes) -> list[Rtcp]:
    _require(body, 4 * count, "bye")
    ssrcs = struct.unpack_from(f"!{count}I", body)
    reason = b""
    if len(body) > 4 * count:
        end = 4 * count + 1 + body[4 * count]
        _require(body, end, "reason for leaving")
        reason = body[4 * count + 1 : end]
    return [Bye(ssrcs, reason.decode(errors="replace"))]


def _read_transport_feedback(fmt: int, body: bytes) -> list[Rtcp]:
    _require(body, 8, "feedback")
    if fmt != _FMT_NACK:
        return []
    sender, media = _PAIR.unpack_from(body)
    sequences: list[int] = []
    for position in range(8, len(body) - 3, 4):
        first, mask = struct.unpack_from("!HH", body, position)
        sequences.append(first)
        sequences += [(first + 1 + bit) & 0xFFFF for bit in range(16) if mask >> bit & 1]
        if len(sequences) >= MAX_NACKED:
            break
    return [Nack(sender, media, tuple(sequences[:MAX_NACKED]))]


def _read_payload_feedback(fmt: int, body: bytes) -> list[Rtcp]:
    _require(body, 8, "feedback")
    sender, media = _PAIR.unpack_from(body)
    if fmt == _FMT_PLI:
        return [PictureLoss(sender, media)]
    if fmt == _FMT_FIR:
        words = (_PAIR.unpack_from(body, position) for position in range(8, len(body) - 7, 8))
        return [FullIntraRequest(sender, tuple((ssrc, word >> 24) for ssrc, word in words))]
    if fmt == _FMT_APPLICATION and body[8:12] == _REMB:
        return [_read_remb(sender, body)]
    return []


def _read_remb(sender: int, body: bytes) -> Remb:
    _require(body, 16, "REMB")
    word = int.from_bytes(body[12:16])
    count, exponent = word >> 24, word >> _REMB_MANTISSA_BITS & 0x3F
    _require(body, 16 + 4 * count, "REMB")
    rate_bps = (word & ((1 << _REMB_MANTISSA_BITS) - 1)) << exponent
    return Remb(sender, rate_bps, struct.unpack_from(f"!{count}I", body, 16))


_READERS: dict[int, Callable[[int, bytes], list[Rtcp]]] = {
    _SENDER_REPORT: _read_sender_report,
    _RECEIVER_REPORT: _read_receiver_report,
    _SDES: _read_sdes,
    _BYE: _read_bye,
    _TRANSPORT_FEEDBACK: _read_transport_feedback,
    _PAYLOAD_FEEDBACK: _read_payload_feedback,
}
