"""The node's media plane: it drains the front, hands packets to peers, and keeps their timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.log import Event, get_logger
from liveserver.rtp import native
from liveserver.rtp.flags import Flags
from liveserver.sfu.answer import Candidate, IceCredentials, ServerSide, answer_publisher, answer_viewer
from liveserver.sfu.dtls import Certificate
from liveserver.sfu.front import Event as FrontEvent
from liveserver.sfu.front import Front, Kind
from liveserver.sfu.pacer import Pacer
from liveserver.sfu.peer import Peer, PeerEvents, Transport
from liveserver.sfu.publisher import Publisher
from liveserver.sfu.sdp import parse_offer
from liveserver.sfu.stage import Stage
from liveserver.sfu.tcp import TcpPort
from liveserver.sfu.uplink import PICTURE_WAIT_NS
from liveserver.sfu.viewer import Viewer

_ASK_EVERY_S = 0.02
_TICK_S = 0.1
_TOO_LATE_S = 0.25  # pictures are late by as much
_TOO_FULL = 0.25  # of the socket's receive buffer
_FORGET = 0.8  # what is left of an earlier lateness after a tick
_TEND_PARTS = 10  # every peer about once a second
_REPORT_PARTS = 40  # every viewer gets sender reports each four seconds
_log = get_logger()


class Forwarder:
    """Owns every peer of the node. `addresses` are offered as host candidates, best first."""

    def __init__(
        self,
        front: Front,
        flags: Flags,
        clock: Clock,
        addresses: Sequence[str],
        *,
        peer_timeout_s: float = 30.0,
        max_peers: int = 10_000,
    ):
        self.front = front
        self.flags = flags
        self.fanout = front.fanout
        self.peers: dict[str, Peer] = {}
        self.stages: set[Stage] = set()
        self.tcp: TcpPort | None = None
        self.late_s = 0.0  # how late the beat was, the latest counting most
        self._clock = clock
        self._max_peers = max_peers
        self._peer_timeout_ns = int(peer_timeout_s * 1e9)
        self.pacer = Pacer(self.fanout, clock.monotonic_ns, self.schedule)
        self._transport = Transport(front, self.pacer, Certificate.generate())
        self._addresses = addresses
        candidates = [Candidate(address, front.port) for address in addresses]
        self._server = ServerSide(self._transport.certificate.fingerprint, candidates)
        self._publishing = asyncio.Event()
        self._unfinished: set[Publisher] = set()  # whose newest picture is not whole yet
        self._finish: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def listen_tcp(self, host: str, port: int) -> None:
        """Offer ICE-TCP too, on `port` where that is free (0: any). Raises OSError."""
        self.tcp = TcpPort.bind(host, port, self.front, self._handle)
        passive = [Candidate(address, self.tcp.port, "tcp") for address in self._addresses]
        self._server = replace(self._server, candidates=[*self._server.candidates, *passive])

    def start(self) -> None:
        """Begin to read; call on the main loop."""
        if native.IMPLEMENTATION != "native":
            _log.warning(Event.FANOUT_TWIN, why=native.REASON)  # slower; the operator should know
        asyncio.get_running_loop().add_reader(self.front.fd, self._drain)
        if self.tcp is not None:
            self.tcp.start()
        self._tasks = [
            asyncio.create_task(self._ask(), name="uplink requests"),
            asyncio.create_task(self._tick(), name="media tick"),
        ]

    async def stop(self) -> None:
        """Close every peer and the port."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        peers = list(self.peers.values())
        for peer in peers:
            peer.close("server_stopping")
        await asyncio.gather(*(peer.wait_closed() for peer in peers), return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self.front.fd)
        if self._finish is not None:
            self._finish.cancel()
        if self.tcp is not None:
            self.tcp.stop()
        self.pacer.stop()
        self.front.close()

    def publish(self, stage: Stage, sdp: str, events: PeerEvents) -> tuple[Publisher, str]:
        """Answer a WHIP offer. Raises PeerError sdp_… or no_common_codec; nothing is left behind then."""
        self._admit()
        offer = parse_offer(sdp)
        ice = IceCredentials.new()
        answer = answer_publisher(offer, self._server, ice)
        publisher = Publisher(
            self._transport, ice, events, self._clock, stage.room, stage.publish, stage.unpublish
        )
        publisher.agree(answer)
        self._begin(publisher)
        self._publishing.set()
        publisher.start(offer, answer)
        return publisher, answer.sdp

    def watch(self, stage: Stage, sdp: str, events: PeerEvents) -> tuple[Viewer, str]:
        """Answer a WHEP offer. Raises PeerError sdp_… or no_common_codec; nothing is left behind then."""
        self._admit()
        offer = parse_offer(sdp)
        ice = IceCredentials.new()
        answer = answer_viewer(offer, self._server, ice, stage.cname)
        viewer = Viewer(self._transport, ice, events, self._clock, stage.cname, stage.add, stage.remove)
        viewer.agree(answer, is_firefox=offer.is_firefox)
        self._begin(viewer)
        viewer.start(offer, answer)
        return viewer, answer.sdp

    @property
    def is_behind(self) -> bool:
        """Whether there is more to do than can be done: what comes is late, or waits in the socket."""
        return self.late_s > _TOO_LATE_S or self.front.backlog > _TOO_FULL

    def candidates(self) -> Sequence[Candidate]:
        return self._server.candidates

    def _admit(self) -> None:
        if len(self.peers) >= self._max_peers:
            raise PeerError("lesson_full", "this server is full", status=503, retry_after_s=10)

    def _begin(self, peer: Peer) -> None:
        self.peers[peer.id] = peer

    def _drain(self) -> None:
        """Everything that waits on the port."""
        self._handle(self.front.poll())

    def _handle(self, events: Iterable[FrontEvent]) -> None:
        """Hand each event to its peer; then one fan-out call per track that got packets."""
        now_ns = self._clock.monotonic_ns()
        publishers: set[Publisher] = set()
        for kind, endpoint, data in events:
            peer = endpoint.owner
            assert isinstance(peer, Peer)
            try:
                if kind == Kind.DTLS:
                    peer.receive_dtls(data)
                elif isinstance(peer, Viewer):
                    if kind == Kind.PICTURE:
                        peer.lost_picture(now_ns)
                elif isinstance(peer, Publisher):
                    if kind == Kind.RTP:
                        peer.receive_rtp(data, now_ns)
                        publishers.add(peer)
                    elif kind == Kind.RTCP:
                        peer.receive_rtcp(data, now_ns)
            except Exception:  # the boundary of a peer: its failure must not reach the others
                _log.exception(Event.PEER_FAILED, peer=peer.id)
                peer.close("internal")
        self._flush(publishers, now_ns)

    def _flush(self, publishers: Iterable[Publisher], now_ns: int) -> None:
        flushed = False
        for publisher in publishers:
            flushed = True
            try:
                if publisher.flush(now_ns):
                    self._unfinished.add(publisher)
                else:
                    self._unfinished.discard(publisher)
            except Exception:  # as above: one lesson's failure must not reach the others
                _log.exception(Event.PEER_FAILED, peer=publisher.id)
                publisher.close("internal")
        if flushed:
            self.pacer.run()  # a frame that somebody waits for may be complete now
        if self._unfinished and self._finish is None:
            due_ns = now_ns + PICTURE_WAIT_NS
            self._finish = self.schedule(due_ns, self._flush_unfinished)

    def _flush_unfinished(self) -> None:
        """The rest of a picture did not come in time: what there is leaves."""
        self._finish = None
        unfinished = [publisher for publisher in self._unfinished if publisher.closed_reason is None]
        self._unfinished.clear()
        self._flush(unfinished, self._clock.monotonic_ns())

    def schedule(self, due_ns: int, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call `callback` at a monotonic time."""
        delay_s = max(0, due_ns - self._clock.monotonic_ns()) / 1e9
        return asyncio.get_running_loop().call_later(delay_s, callback)

    async def _ask(self) -> None:
        while True:
            await self._publishing.wait()
            await asyncio.sleep(_ASK_EVERY_S)
            now_ns = self._clock.monotonic_ns()
            publishers = [stage.publisher for stage in self.stages if stage.publisher is not None]
            for publisher in publishers:
                publisher.ask(now_ns)
            if not publishers and not any(isinstance(peer, Publisher) for peer in self.peers.values()):
                self._publishing.clear()  # nothing to ask until the next one comes

    async def _tick(self) -> None:
        """A tenth of the peers at a time, so that ten thousand never hold up a packet."""
        tick = 0
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            await asyncio.sleep(_TICK_S)
            self.late_s = max(loop.time() - began_s - _TICK_S, _FORGET * self.late_s)
            tick += 1
            now_ns = self._clock.monotonic_ns()
            wall_ns = self._clock.wall_ms() * 1_000_000
            for peer in list(islice(self.peers.values(), tick % _TEND_PARTS, None, _TEND_PARTS)):
                self._tend(peer, now_ns)
            for stage in self.stages:
                for uplink in stage.sources:
                    uplink.report_viewers(wall_ns, stage.cname, tick % _REPORT_PARTS, _REPORT_PARTS)
            if tick % _TEND_PARTS == 0:
                self._hear(now_ns)
            if self.tcp is not None:
                self.tcp.tend(_TICK_S)

    def _hear(self, now_ns: int) -> None:
        """Once a second: at whom media arrives, and whose does not arrive here. Only what changed costs."""
        for session, receives, at_ns in self.fanout.receptions(now_ns):
            peer = self._transport.sessions.get(session)
            if peer is not None:
                peer.receiving(receives, now_ns - at_ns)
        for stage in self.stages:
            if stage.publisher is not None:
                stage.publisher.listen(now_ns)

    def _tend(self, peer: Peer, now_ns: int) -> None:
        if peer.closed_reason is not None:
            self.peers.pop(peer.id, None)
        elif now_ns - peer.endpoint.heard_ns > self._peer_timeout_ns:
            peer.close("lost")
        elif isinstance(peer, Publisher):
            peer.report(now_ns)
