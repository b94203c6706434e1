"""A time stamp authority (RFC 3161) as a witness: it says when a head was there, and remembers nothing.

What is stamped is `Head.hash()`, a SHA-256 already. The answer keeps the whole token, so that
`openssl ts -verify` can check it years later. The library takes answers in strict DER alone, which some
authorities do not give.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from liveserver.core.heads import Head, signed_bytes
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
        return self._checked(request.nonce, body, message, head)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _checked(self, nonce: int | None, body: bytes, message: bytes, head: Head) -> Mapping[str, Any]:
        try:
            response: TimeStampResponse = decode_timestamp_response(body)
            VerifierBuilder(roots=self._roots, nonce=nonce).build().verify_message(response, message)
        except (VerificationError, ValueError) as error:
            raise WitnessAwayError(f"its stamp does not hold: {type(error).__name__}") from error
        at = response.tst_info.gen_time
        return {
            "head": head.hash(),
            "at_ms": int(at.timestamp() * 1000),
            "serial": str(response.tst_info.serial_number),
            "token": base64.b64encode(body).decode(),
        }
