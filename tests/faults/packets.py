"""Datagrams that nobody should have sent, made in memory."""

from __future__ import annotations

import hmac
import secrets
import struct
import zlib

from tests.peers.wire import corpora

COOKIE = 0x2112A442
_USERNAME, _INTEGRITY, _PRIORITY, _USE_CANDIDATE = 0x0006, 0x0008, 0x0024, 0x0025
_CONTROLLED, _CONTROLLING, _FINGERPRINT = 0x8029, 0x802A, 0x8028
FATAL_ALERT = bytes.fromhex("15fefd0000000000000001000202ff")[:13] + b"\x02\x28"
CLOSE_NOTIFY = FATAL_ALERT[:13] + b"\x01\x00"


def tiny(count: int) -> list[bytes]:
    """0 to 3 octets, of every first octet there is."""
    return [bytes([n % 256]) * (n % 4) for n in range(count)]


def handshakes() -> list[bytes]:
    """Records of other people's handshakes, and alerts of nobody's."""
    return [d for d in corpora() if 19 < (d[:1] or b"\0")[0] < 64] + [FATAL_ALERT, CLOSE_NOTIFY, b""]


def binding(
    ufrag: str = "",
    pwd: str | None = None,
    *,
    role: int = _CONTROLLING,
    padding: int = 0,
    fingerprint: bool = True,
) -> bytes:
    """A connectivity check (RFC 8445 7.2.2), signed with `pwd` (None: not at all), with `padding` attributes
    that mean nothing."""
    body = _attribute(_USERNAME, f"{ufrag}:abcd".encode()) if ufrag else b""
    body += _attribute(_PRIORITY, (1 << 24).to_bytes(4)) + _attribute(role, secrets.token_bytes(8))
    body += _attribute(_USE_CANDIDATE, b"") + _attribute(0xC057, b"") * padding
    transaction = secrets.token_bytes(12)

    def head(size: int) -> bytes:
        return struct.pack("!HHI12s", 1, size, COOKIE, transaction)

    if pwd is not None:
        digest = hmac.digest(pwd.encode(), head(len(body) + 24) + body, "sha1")
        body += _attribute(_INTEGRITY, digest)
    if fingerprint:
        value = zlib.crc32(head(len(body) + 8) + body) ^ 0x5354554E
        body += _attribute(_FINGERPRINT, value.to_bytes(4))
    return head(len(body)) + body


def role_conflict(ufrag: str = "", pwd: str | None = None) -> bytes:
    """A check by somebody who claims the role that the server has by being ICE-lite."""
    return binding(ufrag, pwd, role=_CONTROLLED)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def mixture() -> list[bytes]:
    """A flood of everything: nothing, noise, checks of strangers, handshakes, alerts, the corpora."""
    noise = [secrets.token_bytes(size) for size in (1, 20, 200, 1200, 1500)] * 20
    media = [bytes([0x80, 96 + n % 30]) + secrets.token_bytes(1000) for n in range(100)]
    checks = [binding(), binding("aaaaaaaaaaaa", "x" * 32), role_conflict("aaaaaaaaaaaa", "y" * 32)] * 40
    whole = [*tiny(100), *noise, *media, *checks, *handshakes(), *corpora()]
    return [data for data in whole if len(data) <= 1500]
