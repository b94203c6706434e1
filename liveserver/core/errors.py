"""The one error a peer's bad input may raise.

Parsers and rules raise `PeerError`; only an edge (HTTP, WebSocket, data channel, UDP front) turns it
into a reply. Codes are part of the wire contract (docs/PROTOCOL.md) and never change their meaning.
"""

from __future__ import annotations


class PeerError(Exception):
    """What a peer sent, or asked for, is refused.

    `code` is stable and machine-readable, `detail` is for people, `status` is the HTTP status an HTTP
    edge answers, `retry_after_s` goes into Retry-After where the peer may come back. `ref` is the peer's
    own name for the message that is refused, set by whoever read it.
    """

    def __init__(self, code: str, detail: str = "", *, status: int = 400, retry_after_s: int | None = None):
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s
        self.ref: str | None = None
