"""A message between nodes as it travels: signed, so that nobody else who reaches Redis speaks in our name.

    v1.<64 hexadecimal digits of HMAC-SHA256 over the rest>.<JSON>

The JSON has the sender (`node`, new at each start), its count of messages (`seq`), the wall clock, the topic
and the message. One that is old, or was heard already, is not heard again (`Doorkeeper`).
"""

from __future__ import annotations

import hmac
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 64 * 1024
FRESH_MS = 60_000
"""How far the clocks of two nodes may be apart, and how late a message may come."""
_VERSION = "v1"
_WINDOW = 1024  # of a sender's newest messages it is known which were heard
_SENDERS = 64


class EnvelopeError(ValueError):
    """Not signed with our key, malformed, old, or heard before; the text is one word."""


@dataclass(frozen=True, slots=True)
class Envelope:
    node: str
    seq: int
    at_ms: int
    topic: str
    message: Mapping[str, Any]


def seal(envelope: Envelope, key: bytes) -> str:
    """As it travels. TypeError or ValueError if its message is not JSON."""
    body = json.dumps(
        {
            "node": envelope.node,
            "seq": envelope.seq,
            "at_ms": envelope.at_ms,
            "topic": envelope.topic,
            "message": dict(envelope.message),
        },
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )
    return f"{_VERSION}.{_mac(body, key)}.{body}"


def unseal(text: str, key: bytes) -> Envelope:
    """What `seal` made with the same key; EnvelopeError for anything else."""
    if len(text) > MAX_BYTES:
        raise EnvelopeError("large")
    version, _, rest = text.partition(".")
    mac, _, body = rest.partition(".")
    if version != _VERSION or not hmac.compare_digest(mac.encode(), _mac(body, key).encode()):
        raise EnvelopeError("forged")
    try:
        data = json.loads(body)
        envelope = Envelope(data["node"], data["seq"], data["at_ms"], data["topic"], data["message"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EnvelopeError("malformed") from error
    texts = isinstance(envelope.node, str) and isinstance(envelope.topic, str)
    numbers = all(isinstance(n, int) and 0 <= n < 2**63 for n in (envelope.seq, envelope.at_ms))
    if not texts or not numbers or not isinstance(envelope.message, dict):
        raise EnvelopeError("malformed")
    return envelope


def _mac(body: str, key: bytes) -> str:
    return hmac.digest(key, body.encode("utf-8", "surrogatepass"), "sha256").hex()


class Doorkeeper:
    """Lets each message of each sender in once."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, tuple[int, int]] = OrderedDict()  # by sender: newest, bits down from it

    def admit(self, envelope: Envelope, now_ms: int) -> None:
        """EnvelopeError for one that is stale, or that another line has brought already."""
        if abs(envelope.at_ms - now_ms) > FRESH_MS:
            raise EnvelopeError("stale")
        newest, bits = self._heard.pop(envelope.node, (-1, 0))
        ahead = envelope.seq - newest
        is_new = ahead > 0 or (-ahead < _WINDOW and not bits >> -ahead & 1)
        if ahead > 0:
            newest, bits = envelope.seq, (bits << min(ahead, _WINDOW) | 1) & ((1 << _WINDOW) - 1)
        elif is_new:
            bits |= 1 << -ahead
        self._heard[envelope.node] = newest, bits
        if len(self._heard) > _SENDERS:
            self._heard.popitem(last=False)
        if not is_new:
            raise EnvelopeError("repeated")
