"""Time-limited credentials for TURN (RFC 8656), by the REST scheme that coturn calls `use-auth-secret`.

The server and coturn share a secret and nothing else (draft-uberti-behave-turn-rest-00 section 2.2):

    username   = EXPIRY ":" ID        EXPIRY in seconds since 1970
    credential = base64(HMAC-SHA1(secret, username))

`ID` is the same for one person in one lesson, because coturn counts a user's allocations by it
(`user-quota`), and says nothing about the person: it is a keyed hash that only the holder of the secret could
try to guess.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from liveserver.config.checks import ConfigError
from liveserver.config.sections import RtcConfig

MIN_SECRET_CHARS = 16
MAX_SECRET_CHARS = 256
_ID_CHARS = 24  # 96 bits: no two people of an installation share a quota


@dataclass(frozen=True, slots=True)
class IceServer:
    """One relay as a browser's RTCIceServer wants it; `url` is a URI of RFC 7065."""

    url: str
    username: str
    credential: str

    @property
    def link(self) -> str:
        """The value of a Link header (RFC 9725 section 4.6). No part of it can hold a quote or a comma."""
        return (
            f'<{self.url}>; rel="ice-server"; username="{self.username}"; '
            f'credential="{self.credential}"; credential-type="password"'
        )


class Turn:
    """Signs credentials for the configured relays; without relays it signs none."""

    def __init__(self, urls: Sequence[str], secret: str, ttl_s: int):
        self._urls = tuple(urls)
        self._secret = secret.encode()
        self._ttl_s = ttl_s

    @classmethod
    def of(cls, config: RtcConfig) -> Turn:
        """With the secret of the configuration or of the file it names. Raises ConfigError, OSError."""
        secret = config.turn_secret
        if config.turn_secret_file:
            secret = Path(config.turn_secret_file).read_text(encoding="utf-8").strip()
        fits = f"[!-~]{{{MIN_SECRET_CHARS},{MAX_SECRET_CHARS}}}"
        if config.turn_urls and re.fullmatch(fits, secret) is None:
            raise ConfigError(
                f"the secret shared with the TURN server must be {MIN_SECRET_CHARS} to {MAX_SECRET_CHARS} "
                "visible ASCII characters (openssl rand -hex 32 makes one)"
            )
        return cls(config.turn_urls, secret, int(config.turn_ttl.s))

    def servers(self, person: str, lesson: str, until_s: int, now_s: int) -> tuple[IceServer, ...]:
        """The relays for `person` in `lesson`, with credentials that end with the person's token (`until_s`)
        or after the configured time, whichever comes first. Times in seconds since 1970."""
        if not self._urls:
            return ()
        expiry_s = min(until_s, now_s + self._ttl_s)
        username = f"{expiry_s}:{self._id(person, lesson)}"
        digest = hmac.new(self._secret, username.encode(), hashlib.sha1).digest()
        credential = base64.b64encode(digest).decode()
        return tuple(IceServer(url, username, credential) for url in self._urls)

    def _id(self, person: str, lesson: str) -> str:
        # A length before each part: no two pairs give one text.
        text = f"turn-id {len(lesson)}:{lesson}{len(person)}:{person}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()[:_ID_CHARS]
