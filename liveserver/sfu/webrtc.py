"""The only file that knows aiortc: its SCTP over a transport of ours.

aiortc's RTCPeerConnection, receivers and senders decode, encode and queue without bounds, its DTLS
transport has a task and a queue per peer, its SDP reader takes a millisecond: `sfu.dtls` and `sfu.sdp` are
ours. What is used is `RTCSctpTransport` for the data channel, with the bounds it lacks (RELIABILITY
section 0, items 1 and 2).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Coroutine
from typing import Any, cast

from aiortc.rtcdatachannel import RTCDataChannel
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcsctptransport import Chunk, RTCSctpCapabilities, RTCSctpTransport

MAX_REASSEMBLY_BYTES = 256 * 1024
MAX_MESSAGE_BYTES = 64 * 1024
MAX_STREAMS = 16
MAX_OUTBOUND_BYTES = 512 * 1024
_INIT_PATIENCE_S = 1.0


class Lower:
    """What aiortc's SCTP takes for a DTLS transport: a way out that never waits."""

    _role = "server"
    state = "connected"

    def __init__(self, send: Callable[[bytes], None]):
        self._send_now = send

    async def _send_data(self, data: bytes) -> None:
        self._send_now(data)

    def _register_data_receiver(self, receiver: object) -> None:
        """Packets are handed to `Sctp.receive` by the peer itself."""

    def _unregister_data_receiver(self, receiver: object) -> None:
        """As above."""


class Sctp(RTCSctpTransport):
    """SCTP (RFC 8831) with the bounds aiortc lacks; any breach ends this peer alone.

    aiortc's methods are coroutines of which none ever waits once sending does not, so they are run to their
    end where they are called: no task per packet and message.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        port: int,
        on_breach: Callable[[str], None],
        on_channel: Callable[[RTCDataChannel], None] = lambda channel: None,
    ):
        super().__init__(cast(RTCDtlsTransport, Lower(send)), port)
        self._on_breach = on_breach
        self._on_channel = on_channel
        self._inbound_streams_max = MAX_STREAMS
        self._advertised_rwnd = MAX_REASSEMBLY_BYTES
        self._patience: asyncio.TimerHandle | None = None
        self._flushed = asyncio.get_running_loop().create_future()
        self._flushed.set_result(None)

    def begin(self, port: int, max_message_bytes: int) -> None:
        """Be ready for the association; `port` and `max_message_bytes` are the peer's (RFC 8841)."""
        _run_to_end(self.start(RTCSctpCapabilities(maxMessageSize=max_message_bytes), port))

    def receive(self, packet: bytes) -> None:
        """One SCTP packet from the peer."""
        try:
            _run_to_end(self._handle_data(packet))
        except (ValueError, AssertionError, LookupError, TypeError, AttributeError, struct.error):
            self._on_breach("sctp_malformed")
        if self._advertised_rwnd < 0 or len(self._inbound_streams) > MAX_STREAMS:
            self._on_breach("sctp_flood")
        if len(self._data_channels) > MAX_STREAMS:
            self._on_breach("sctp_flood")

    def end(self) -> None:
        """Abort the association; nothing is sent any more."""
        if self._patience is not None:
            self._patience.cancel()
        _run_to_end(self.stop())

    async def _init(self) -> None:
        # Both sides may initiate (RFC 8841 9.3), and the DTLS client, which is ready first, always does.
        # A collision costs both of them twice the packets: ours is kept for a peer that does not.
        self._patience = asyncio.get_running_loop().call_later(_INIT_PATIENCE_S, self._initiate)

    def _initiate(self) -> None:
        if not self._remote_verification_tag:
            _run_to_end(super()._init())

    async def _send_chunk(self, chunk: Chunk) -> None:
        # aiortc sends from timers nobody watches: a peer that has gone is no failure to report.
        with contextlib.suppress(ConnectionError):
            await super()._send_chunk(chunk)

    def _data_channel_flush(self) -> asyncio.Future[None]:  # type: ignore[override]
        # aiortc makes a task of each flush it does not await; a future that is done needs none.
        _run_to_end(super()._data_channel_flush())
        return self._flushed

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """What aiortc tells its listeners: that the peer has opened a channel."""
        if event == "datachannel":
            self._on_channel(args[0])
        return True

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if len(data) > MAX_MESSAGE_BYTES:
            self._on_breach("too_large")
            return
        await super()._receive(stream_id, pp_id, data)


def _run_to_end(work: Coroutine[Any, Any, None]) -> None:
    """Carry out a coroutine that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise RuntimeError("SCTP wanted to wait")


class DataChannel:
    """The `control` channel as the rooms see it: a carrier of JSON texts.

    `send` never blocks; a peer whose backlog passes MAX_OUTBOUND_BYTES is given up (`on_stalled`). The
    peer that owns the channel sets both callbacks before anybody else gets it.
    """

    kind = "datachannel"

    def __init__(self, channel: RTCDataChannel):
        self._channel = channel
        self.on_stalled: Callable[[], None] = lambda: None
        self.on_close: Callable[[str], None] = lambda reason: None

    def send(self, text: str) -> None:
        if self._channel.readyState != "open":
            return
        if self._channel.bufferedAmount > MAX_OUTBOUND_BYTES:
            self.on_stalled()
            return
        self._channel.send(text)

    def close(self, code: int, reason: str) -> None:
        """Say no more on this channel; the peer itself is closed once what was said has left."""
        self.on_close(reason)

    @property
    def backlog(self) -> int:
        """Bytes said but not yet acknowledged by the peer."""
        return int(self._channel.bufferedAmount)


def open_sctp(
    send: Callable[[bytes], None],
    port: int,
    max_message_bytes: int,
    on_control: Callable[[DataChannel], None],
    on_text: Callable[[str | bytes], None],
    on_breach: Callable[[str], None],
) -> Sctp:
    """An SCTP association that reports the channel labelled `control` and its messages."""

    def opened(channel: RTCDataChannel) -> None:
        if channel.label == "control":
            channel.on("message", on_text)
            on_control(DataChannel(channel))

    sctp = Sctp(send, port, on_breach, opened)
    sctp.begin(port, max_message_bytes)
    return sctp
