"""A witness that answers: a server elsewhere that remembers the last head and signs that it only grew.

    POST <url>  {"head": {…}, "keys": […], "first": 512, "path": ["…", …]}

`first` is the size of the head it saw last, `path` proves that the new one grew out of it (RFC 9162 2.1.4).
It answers 200 with a `liveserver/witnessed/1` document (`core/heads.py`); 409 `{"size": n}` when it remembers
another size: then the proof is made from there; 422 when what it remembers is not in this log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from liveserver.core import heads
from liveserver.core.heads import Head, HeadError, Witnessed
from liveserver.ledger import signing
from liveserver.ledger.witness import WitnessAwayError, WitnessRefusesError
from liveserver.store import Store

TIMEOUT_S = 10.0
ANSWER_MAX_BYTES = 16_384


class HttpWitness:
    """Fits `witness.Witness`. `public`: the key its answers are signed with, 32 bytes."""

    name = "http"
    weakness = ""

    def __init__(self, url: str, public: bytes):
        self._url = url
        self.public = public
        self._keys = {heads.key_id(public): public}
        self._session: aiohttp.ClientSession | None = None

    async def see(self, head: Head, seen: int, store: Store) -> Mapping[str, Any]:
        status, answer = await self._post(head, seen, store)
        if status == 409:
            remembered = answer.get("size")
            if not isinstance(remembered, int) or isinstance(remembered, bool) or remembered < 0:
                raise WitnessAwayError("409 without a size")
            if remembered > head.size:
                raise WitnessRefusesError(f"it has seen {remembered} entries, there are {head.size}")
            status, answer = await self._post(head, remembered, store)
        if status == 422:
            raise WitnessRefusesError("what it has seen is not in this ledger")
        if status != 200:
            raise WitnessAwayError(f"HTTP {status}")
        return self._checked(head, answer).document()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _checked(self, head: Head, answer: Mapping[str, Any]) -> Witnessed:
        try:
            seen = Witnessed.read(answer)
            heads.check(seen, self._keys, head.log, signing.verify)
        except HeadError as error:
            raise WitnessAwayError(f"its answer: {error}") from error
        if (seen.head, seen.size, seen.root) != (head.hash(), head.size, head.root):
            raise WitnessAwayError("its answer is of another head")
        return seen

    async def _post(self, head: Head, first: int, store: Store) -> tuple[int, Mapping[str, Any]]:
        path = await store.consistency(first, head.size)
        keys = [key.document() for key in await store.heads.keys()]
        shown = {
            "head": head.document(), "keys": keys, "first": first, "path": [node.hex() for node in path],
        }  # fmt: skip
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=False)
        try:
            async with self._session.post(self._url, json=shown, allow_redirects=False) as reply:
                body = await reply.content.read(ANSWER_MAX_BYTES)
                answer = json.loads(body) if body else {}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise WitnessAwayError(type(error).__name__) from error
        return reply.status, answer if isinstance(answer, dict) else {}
