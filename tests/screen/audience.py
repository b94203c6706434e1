"""Viewers who look for what nobody should see: the forbidden patch in any decoded picture."""

from __future__ import annotations

import random
import time

import av
from aiortc.rtcdtlstransport import RTCDtlsTransport

from loadtest.viewer import Viewer
from tests.screen import magenta

SEEN_FROM = 0.01  # share of magenta: a hundredth of the picture


class Witness(Viewer):
    """A viewer by WHEP that decodes every picture. `sightings`: when the patch was in one (seconds)."""

    def __init__(self, url: str, token: str, codec: str | None = None):
        super().__init__(url, token, codec)
        self.sightings: list[float] = []

    def _see(self, frame: av.VideoFrame) -> None:
        super()._see(frame)
        if magenta.share_of_magenta(frame) >= SEEN_FROM:
            self.sightings.append(time.time())


class LossyWitness(Witness):
    """As `Witness`, on a network that loses one packet of media in `one_in`: asks again (NACK, RTX)."""

    def __init__(self, url: str, token: str, codec: str | None = None, *, one_in: int = 20):
        super().__init__(url, token, codec)
        self._chance = random.Random(7)
        self._one_in = one_in
        self.lost = 0

    async def __aenter__(self) -> LossyWitness:
        await super().__aenter__()
        for transport in {t.receiver.transport for t in self._connection.getTransceivers()}:
            self._lose(transport)
        return self

    def _lose(self, transport: RTCDtlsTransport) -> None:
        handle = transport._handle_rtp_data

        async def lossy(data: bytes, arrival_time_ms: int) -> None:
            if self._chance.randrange(self._one_in) == 0:
                self.lost += 1
            else:
                await handle(data, arrival_time_ms)

        transport._handle_rtp_data = lossy
