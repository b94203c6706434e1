"""The line over Redis: one channel, published to and subscribed by every node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from liveserver.bus.envelope import MAX_BYTES
from liveserver.bus.shared import LineError, Wire

_PATIENCE_S = 2.0


class RedisLine:
    """`url`: redis://, rediss:// or unix://. Nodes of one installation use one `channel`."""

    name = "redis"
    max_bytes = MAX_BYTES

    def __init__(self, url: str, channel: str):
        self._url = url
        self._channel = channel

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Wire]:
        """Connected and subscribed as long as the context lasts. Raises LineError."""
        client = redis.asyncio.Redis.from_url(
            self._url,
            decode_responses=True,
            encoding_errors="replace",
            socket_connect_timeout=_PATIENCE_S,
            socket_timeout=None,  # a message may be long in coming; the beat is what misses it
            retry=Retry(NoBackoff(), 0),  # the bus has its own
        )
        pubsub = client.pubsub(ignore_subscribe_messages=True)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await pubsub.subscribe(self._channel)
            yield _RedisWire(client, pubsub, self._channel)
        except (RedisError, OSError) as error:
            raise LineError(f"{type(error).__name__}") from error
        finally:
            for ending in (pubsub.aclose(), client.aclose()):  # type: ignore[no-untyped-call]
                with suppress(RedisError, OSError, TimeoutError):
                    async with asyncio.timeout(_PATIENCE_S):
                        await ending


class _RedisWire:
    def __init__(self, client: redis.asyncio.Redis, pubsub: redis.asyncio.client.PubSub, channel: str):
        self._client = client
        self._pubsub = pubsub
        self._channel = channel

    async def send(self, text: str) -> None:
        await self._client.publish(self._channel, text)

    async def receive(self) -> str:
        while True:
            message = await self._pubsub.get_message(timeout=None)
            if message is not None and message["type"] == "message":
                return str(message["data"])
