"""Connectivity and consent checks of a controlling, full ICE agent (RFC 8445 7, RFC 7675, RFC 8489).

A check is written, an answer is read and verified; checks that come from the other side (it may be a full
agent too) are answered.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_USERNAME, _INTEGRITY, _ERROR_CODE, _XOR_MAPPED = 0x0006, 0x0008, 0x0009, 0x0020
_PRIORITY, _USE_CANDIDATE, _FINGERPRINT, _CONTROLLING = 0x0024, 0x0025, 0x8028, 0x802A
_MASK = 0x5354554E
# A peer reflexive candidate's: type preference 110, local preference 65535, component 1 (RFC 8445 5.1.2.1).
_PEER_REFLEXIVE = (110 << 24) | (65535 << 8) | 255


@dataclass(frozen=True, slots=True)
class Message:
    """What of an authentic message matters here. `error` is a code such as 487, 0 without one."""

    is_request: bool
    transaction: bytes
    error: int


def check(transaction: bytes, username: str, password: str, tie_breaker: int) -> bytes:
    """A Binding request with USE-CANDIDATE: we control, and nominate what answers first."""
    body = _attribute(_USERNAME, username.encode())
    body += _attribute(_PRIORITY, _PEER_REFLEXIVE.to_bytes(4))
    body += _attribute(_CONTROLLING, tie_breaker.to_bytes(8)) + _attribute(_USE_CANDIDATE, b"")
    return _sealed(_REQUEST, transaction, body, password)


def success(transaction: bytes, address: tuple[str, int], password: str) -> bytes:
    """The answer to a check that came from `address`."""
    return _sealed(_SUCCESS, transaction, _attribute(_XOR_MAPPED, _xored(address, transaction)), password)


def new_transaction() -> bytes:
    return secrets.token_bytes(12)


def is_request(data: bytes) -> bool:
    """Whether a datagram asks rather than answers: another password signs it then."""
    return data[:2] == _REQUEST.to_bytes(2)


def read(data: bytes, password: str) -> Message | None:
    """A Binding message signed with `password`; None for anything else."""
    if len(data) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if cookie != _COOKIE or kind not in (_REQUEST, _SUCCESS, _ERROR) or length != len(data) - _HEADER.size:
        return None
    error, signed = 0, False
    for attribute, offset, value in _attributes(data):
        if attribute == _INTEGRITY:
            signed = hmac.compare_digest(value, _digest(data[:offset], password))
            break  # what follows is not covered by it
        if attribute == _ERROR_CODE and len(value) >= 4:
            error = value[2] * 100 + value[3]
    return Message(kind == _REQUEST, transaction, error) if signed else None


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, where it starts, value) of each."""
    offset = _HEADER.size
    while offset + 4 <= len(data):
        kind, size = struct.unpack_from("!HH", data, offset)
        if offset + 4 + size > len(data):
            return
        yield kind, offset, data[offset + 4 : offset + 4 + size]
        offset += 4 + size + -size % 4


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _digest(before: bytes, password: str) -> bytes:
    """Of all before MESSAGE-INTEGRITY, with a length that counts it (RFC 8489 14.5)."""
    length = len(before) - _HEADER.size + 24
    return hmac.digest(password.encode(), before[:2] + length.to_bytes(2) + before[4:], "sha1")


def _sealed(kind: int, transaction: bytes, body: bytes, password: str) -> bytes:
    message = _HEADER.pack(kind, len(body) + 24, _COOKIE, transaction) + body
    message += _attribute(_INTEGRITY, _digest(message, password))
    message = message[:2] + (len(body) + 32).to_bytes(2) + message[4:]
    return message + _attribute(_FINGERPRINT, (zlib.crc32(message) ^ _MASK).to_bytes(4))


def _xored(address: tuple[str, int], transaction: bytes) -> bytes:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    mask = _COOKIE.to_bytes(4) + transaction
    raw = bytes(a ^ b for a, b in zip(socket.inet_pton(family, host), mask, strict=False))
    return struct.pack("!BBH", 0, 2 if ":" in host else 1, port ^ (_COOKIE >> 16)) + raw
