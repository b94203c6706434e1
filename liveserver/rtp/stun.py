"""STUN messages as ICE uses them (RFC 8489, RFC 8445 §7.1): read, verified, answered.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    |0 0|     STUN message type     |         message length        |
    |                   magic cookie 0x2112A442                     |
    |                 transaction id (96 bits)                      |
    |        attribute type         |       attribute length        |   value, padded to 32 bits; repeated

What follows MESSAGE-INTEGRITY is not covered by it and so is not read, but for FINGERPRINT (§14.5).
"""

from __future__ import annotations

import hmac
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from liveserver.core.errors import PeerError

BINDING = 0x001
MAGIC_COOKIE = 0x2112A442
HEADER_BYTES = 20
# ICE checks carry seven or eight; a message of hundreds is an attack on our time (RELIABILITY F10).
MAX_ATTRIBUTES = 20
MAX_USERNAME_BYTES = 513  # RFC 8489 §14.3

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_USERNAME, _MESSAGE_INTEGRITY, _XOR_MAPPED_ADDRESS = 0x0006, 0x0008, 0x0020
_PRIORITY, _USE_CANDIDATE = 0x0024, 0x0025
_FINGERPRINT, _ICE_CONTROLLED, _ICE_CONTROLLING = 0x8028, 0x8029, 0x802A
_FINGERPRINT_MASK = 0x5354554E
_INTEGRITY_BYTES = 4 + 20
_FINGERPRINT_BYTES = 4 + 4
_FIXED_LENGTH = {
    _PRIORITY: 4,
    _USE_CANDIDATE: 0,
    _ICE_CONTROLLED: 8,
    _ICE_CONTROLLING: 8,
    _MESSAGE_INTEGRITY: 20,
}


class Class(IntEnum):
    """The two class bits of the message type (RFC 8489 §5)."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Message:
    """One STUN message; fields are None or False where the attribute is absent.

    `mapped` is XOR-MAPPED-ADDRESS as (host, port). `fingerprint` says that one was there and right (a wrong
    one is refused). Nothing in it may be believed before `verify_integrity` said True.
    """

    data: bytes
    method: int
    cls: Class
    transaction_id: bytes
    username: str | None
    priority: int | None
    use_candidate: bool
    ice_controlling: int | None
    ice_controlled: int | None
    mapped: tuple[str, int] | None
    fingerprint: bool
    integrity_offset: int  # where MESSAGE-INTEGRITY starts in `data`, 0 when it is absent

    @property
    def is_binding_request(self) -> bool:
        return self.method == BINDING and self.cls is Class.REQUEST

    def verify_integrity(self, key: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY was made with `key`, the ICE password (RFC 8489 §14.5)."""
        offset = self.integrity_offset
        if not offset:
            return False
        # The length field counts up to and including MESSAGE-INTEGRITY, whatever came after it.
        covered = self.data[:2] + (offset + _INTEGRITY_BYTES - HEADER_BYTES).to_bytes(2) + self.data[4:offset]
        digest = hmac.digest(key, covered, "sha1")
        return hmac.compare_digest(digest, self.data[offset + 4 : offset + _INTEGRITY_BYTES])


def is_stun(data: bytes) -> bool:
    """Whether a datagram is in STUN's range (RFC 7983 §7) and carries the magic cookie."""
    return len(data) >= HEADER_BYTES and data[0] < 4 and data[4:8] == b"\x21\x12\xa4\x42"


def parse(data: bytes) -> Message:
    """Read one datagram; PeerError `stun_malformed` when it is no well-formed STUN message."""
    if len(data) < HEADER_BYTES:
        raise PeerError("stun_malformed", "shorter than a header")
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if kind & 0xC000 or cookie != MAGIC_COOKIE:
        raise PeerError("stun_malformed", "no STUN message")
    if length % 4 or len(data) != HEADER_BYTES + length:
        raise PeerError("stun_malformed", "length is not the datagram's")
    values, integrity_offset = _attributes(data)
    return Message(
        data=data,
        method=(kind & 0x000F) | ((kind & 0x00E0) >> 1) | ((kind & 0x3E00) >> 2),
        cls=Class((kind >> 4 & 1) | (kind >> 7 & 2)),
        transaction_id=transaction_id,
        username=_username(values.get(_USERNAME)),
        priority=_integer(values.get(_PRIORITY)),
        use_candidate=_USE_CANDIDATE in values,
        ice_controlling=_integer(values.get(_ICE_CONTROLLING)),
        ice_controlled=_integer(values.get(_ICE_CONTROLLED)),
        mapped=_mapped(values.get(_XOR_MAPPED_ADDRESS), transaction_id),
        fingerprint=_FINGERPRINT in values,
        integrity_offset=integrity_offset,
    )


def binding_success(transaction_id: bytes, address: tuple[str, int], key: bytes) -> bytes:
    """The answer to a verified check: the `address` it came from, signed with our password."""
    value = _xor_address(address[0], address[1], transaction_id)
    return _sealed(Class.SUCCESS, transaction_id, _attribute(_XOR_MAPPED_ADDRESS, value), key)


def binding_request(
    transaction_id: bytes,
    username: str,
    key: bytes,
    *,
    priority: int = 1,
    use_candidate: bool = False,
    ice_controlling: int | None = 1,
) -> bytes:
    """A connectivity check as a full ICE agent sends it; for tests, probes and load."""
    body = _attribute(_USERNAME, username.encode()) + _attribute(_PRIORITY, priority.to_bytes(4))
    if ice_controlling is not None:
        body += _attribute(_ICE_CONTROLLING, ice_controlling.to_bytes(8))
    if use_candidate:
        body += _attribute(_USE_CANDIDATE, b"")
    return _sealed(Class.REQUEST, transaction_id, body, key)


def _attributes(data: bytes) -> tuple[dict[int, bytes], int]:
    """The first value of each attribute type, and where MESSAGE-INTEGRITY starts (0: nowhere)."""
    values: dict[int, bytes] = {}
    integrity_offset = count = 0
    position, size = HEADER_BYTES, len(data)
    while position < size:
        count += 1
        if count > MAX_ATTRIBUTES:
            raise PeerError("stun_malformed", f"more than {MAX_ATTRIBUTES} attributes")
        kind, length = _ATTRIBUTE.unpack_from(data, position)
        end = position + 4 + length
        if end > size:
            raise PeerError("stun_malformed", "attribute is cut off")
        if length != _FIXED_LENGTH.get(kind, length):
            raise PeerError("stun_malformed", f"attribute 0x{kind:04x} has the wrong length")
        if kind == _FINGERPRINT:
            _check_fingerprint(data, position, end)
            values[kind] = b""
        elif not integrity_offset:
            if kind == _MESSAGE_INTEGRITY:
                integrity_offset = position
            else:
                values.setdefault(kind, data[position + 4 : end])
        position = end + -length % 4
    return values, integrity_offset


def _check_fingerprint(data: bytes, position: int, end: int) -> None:
    """FINGERPRINT is the CRC-32 of all before it, and the last attribute (RFC 8489 §14.7)."""
    if end != len(data) or end - position != _FINGERPRINT_BYTES:
        raise PeerError("stun_malformed", "fingerprint is not last, or not four octets")
    if int.from_bytes(data[position + 4 : end]) != zlib.crc32(data[:position]) ^ _FINGERPRINT_MASK:
        raise PeerError("stun_malformed", "fingerprint is wrong")


def _username(value: bytes | None) -> str | None:
    if value is None:
        return None
    if len(value) > MAX_USERNAME_BYTES:
        raise PeerError("stun_malformed", "username is too long")
    return value.decode(errors="replace")  # what is not UTF-8 names nobody


def _integer(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value)


def _mapped(value: bytes | None, transaction_id: bytes) -> tuple[str, int] | None:
    if value is None:
        return None
    if len(value) < 4 or {1: 8, 2: 20}.get(value[1]) != len(value):
        raise PeerError("stun_malformed", "mapped address of no known family")
    port = int.from_bytes(value[2:4]) ^ (MAGIC_COOKIE >> 16)
    mask = MAGIC_COOKIE.to_bytes(4) + transaction_id
    address = bytes(octet ^ pad for octet, pad in zip(value[4:], mask, strict=False))
    return str(ip_address(address)), port


def _xor_address(host: str, port: int, transaction_id: bytes) -> bytes:
    """RFC 8489 §14.2; an IPv4 address that an IPv6 socket saw (::ffff:a.b.c.d) is told as IPv4."""
    address: IPv4Address | IPv6Address = ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    head = struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ (MAGIC_COOKIE >> 16))
    if isinstance(address, IPv4Address):
        return head + (int(address) ^ MAGIC_COOKIE).to_bytes(4)
    return head + (int(address) ^ int.from_bytes(MAGIC_COOKIE.to_bytes(4) + transaction_id)).to_bytes(16)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _sealed(cls: Class, transaction_id: bytes, body: bytes, key: bytes) -> bytes:
    """A Binding message with MESSAGE-INTEGRITY and then FINGERPRINT behind `body`."""
    kind = BINDING | (cls & 1) << 4 | (cls & 2) << 7
    length = len(body) + _INTEGRITY_BYTES
    message = _HEADER.pack(kind, length, MAGIC_COOKIE, transaction_id) + body
    message += _attribute(_MESSAGE_INTEGRITY, hmac.digest(key, message, "sha1"))
    message = message[:2] + (length + _FINGERPRINT_BYTES).to_bytes(2) + message[4:]
    return message + _attribute(_FINGERPRINT, (zlib.crc32(message) ^ _FINGERPRINT_MASK).to_bytes(4))
