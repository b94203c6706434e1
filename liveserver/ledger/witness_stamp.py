"""A time stamp authority (RFC 3161) as a witness: it says when a head was there, and remembers nothing.

What is stamped is `Head.hash()`, a SHA-256 already. The answer keeps the whole token, so that
`openssl ts -verify` can check it years later. The library takes answers in strict DER alone, which some
authorities do not give.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from liveserver.core import stamp
from liveserver.core.heads import Head, signed_bytes
from liveserver.core.stamp import StampError
from liveserver.ledger.witness import WitnessAwayError
from liveserver.store import Store

TIMEOUT_S = 10.0
ANSWER_MAX_BYTES = 65_536
_TYPE = "application/timestamp-query"


class StampWitness:
    """Fits `witness.Witness`. `roots`: PEM certificates the authority's is trusted by. Raises OSError,
    ValueError for a file that holds none."""

    name = "stamp"
    weakness = ""

    def __init__(self, url: str, roots: Path):
        self._url = url
        self._roots = x509.load_pem_x509_certificates(roots.read_bytes())

    async def see(self, head: Head, seen: int, store: Store) -> Mapping[str, Any]:
        message = signed_bytes(head.body())
        request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
                session.post(
                    self._url, data=request.as_bytes(), headers={"Content-Type": _TYPE}, allow_redirects=False
                ) as reply,
            ):
                body = await reply.content.read(ANSWER_MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise WitnessAwayError(type(error).__name__) from error
        if reply.status != 200:
            raise WitnessAwayError(f"HTTP {reply.status}")
        return self._checked(request.nonce, body, head)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _checked(self, nonce: int | None, body: bytes, head: Head) -> Mapping[str, Any]:
        """What is kept of an answer; one that the checker in a bundle cannot check is none."""
        try:
            lead_to(self._roots, body, bytes.fromhex(head.hash()), nonce)
            found = stamp.check(body, bytes.fromhex(head.hash()))
        except StampError as error:
            raise WitnessAwayError(f"its stamp does not hold: {error}") from error
        return {
            "head": head.hash(),
            "at_ms": found.at_ms,
            "serial": str(found.serial),
            "token": base64.b64encode(body).decode(),
        }


def lead_to(
    roots: Sequence[x509.Certificate], answer: bytes, digest: bytes, nonce: int | None = None
) -> None:
    """Pass, or raise StampError: unless the certificate of the stamp in `answer` over a SHA-256 was given out
    by one of `roots`, as of when it stamped. Needs OpenSSL, so the checker in a bundle cannot do it."""
    try:
        response = decode_timestamp_response(answer)
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify(response, digest)
    except (VerificationError, ValueError) as error:
        raise StampError(
            "roots", f"it does not lead to the certificates that are trusted ({error})"
        ) from error
