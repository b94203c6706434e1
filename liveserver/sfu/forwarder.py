"""The node's media plane: it drains the front, hands packets to peers, and keeps their timers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.log import Event, get_logger
from liveserver.rtp import native
from liveserver.rtp.flags import Flags
from liveserver.sfu.answer import IceCredentials, ServerSide, answer_publisher, answer_viewer
from liveserver.sfu.dtls import Certificate
from liveserver.sfu.front import Front, Kind
from liveserver.sfu.peer import Peer, PeerEvents, Transport
from liveserver.sfu.publisher import Publisher
from liveserver.sfu.sdp import parse_offer
from liveserver.sfu.stage import Stage
from liveserver.sfu.viewer import Viewer

_ASK_EVERY_S = 0.02
_TICK_S = 1.0
_REPORT_EVERY_TICKS = 4  # a viewer gets sender reports this often, spread over the ticks
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
        self.fanout = native.make_fanout(front.fd, flags)
        self.peers: dict[str, Peer] = {}
        self.stages: set[Stage] = set()
        self._clock = clock
        self._max_peers = max_peers
        self._peer_timeout_ns = int(peer_timeout_s * 1e9)
        self._transport = Transport(front, self.fanout, Certificate.generate())
        candidates = [(address, front.port) for address in addresses]
        self._server = ServerSide(self._transport.certificate.fingerprint, candidates)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to read; call on the main loop."""
        if native.IMPLEMENTATION != "native":
            _log.warning(Event.FANOUT_TWIN, why=native.REASON)  # slower; the operator should know
        asyncio.get_running_loop().add_reader(self.front.fd, self._drain)
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
        self.fanout.close()
        self.front.close()

    def publish(self, stage: Stage, sdp: str, events: PeerEvents) -> tuple[Publisher, str]:
        """Answer a WHIP offer. Raises PeerError sdp_… or no_common_codec; nothing is left behind then."""
        offer = parse_offer(sdp)
        ice = IceCredentials.new()
        answer = answer_publisher(offer, self._server, ice)
        self._admit()
        publisher = Publisher(
            self._transport, ice, events, self._clock, stage.room, stage.publish, stage.unpublish
        )
        publisher.agree(answer)
        self._begin(publisher)
        publisher.start(offer, answer)
        return publisher, answer.sdp

    def watch(self, stage: Stage, sdp: str, events: PeerEvents) -> tuple[Viewer, str]:
        """Answer a WHEP offer. Raises PeerError sdp_… or no_common_codec; nothing is left behind then."""
        offer = parse_offer(sdp)
        ice = IceCredentials.new()
        cname = f"lesson-{stage.room}"
        answer = answer_viewer(offer, self._server, ice, cname)
        self._admit()
        viewer = Viewer(self._transport, ice, events, self._clock, cname, stage.add, stage.remove)
        viewer.agree(answer, is_firefox=offer.is_firefox)
        self._begin(viewer)
        viewer.start(offer, answer)
        return viewer, answer.sdp

    def candidates(self) -> Sequence[tuple[str, int]]:
        return self._server.candidates

    def _admit(self) -> None:
        if len(self.peers) >= self._max_peers:
            raise PeerError("lesson_full", "this server is full", status=503, retry_after_s=10)

    def _begin(self, peer: Peer) -> None:
        self.peers[peer.id] = peer

    def _drain(self) -> None:
        """Everything that waits on the port, then one fan-out call per track that got packets."""
        now_ns = self._clock.monotonic_ns()
        publishers: set[Publisher] = set()
        for kind, endpoint, data in self.front.poll():
            peer = endpoint.peer
            assert isinstance(peer, Peer)
            try:
                if kind is Kind.RTP:
                    peer.receive_rtp(data, now_ns)
                    if isinstance(peer, Publisher):
                        publishers.add(peer)
                elif kind is Kind.RTCP:
                    peer.receive_rtcp(data, now_ns)
                else:
                    peer.receive_dtls(data)
            except Exception:  # the boundary of a peer: its failure must not reach the others
                _log.exception(Event.PEER_FAILED, peer=peer.id)
                peer.close("internal")
        for publisher in publishers:
            try:
                publisher.flush(now_ns)
            except Exception:  # as above: one lesson's failure must not reach the others
                _log.exception(Event.PEER_FAILED, peer=publisher.id)
                publisher.close("internal")

    async def _ask(self) -> None:
        while True:
            await asyncio.sleep(_ASK_EVERY_S)
            now_ns = self._clock.monotonic_ns()
            for stage in self.stages:
                if stage.publisher is not None:
                    stage.publisher.ask(now_ns)

    async def _tick(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(_TICK_S)
            tick += 1
            now_ns = self._clock.monotonic_ns()
            wall_ns = self._clock.wall_ms() * 1_000_000
            for index, peer in enumerate(list(self.peers.values())):
                self._tend(peer, (index + tick) % _REPORT_EVERY_TICKS == 0, now_ns, wall_ns)

    def _tend(self, peer: Peer, is_report_due: bool, now_ns: int, wall_ns: int) -> None:
        if peer.closed_reason is not None:
            self.peers.pop(peer.id, None)
        elif now_ns - peer.endpoint.heard_ns > self._peer_timeout_ns:
            peer.close("lost")
        elif isinstance(peer, Publisher):
            peer.report(now_ns)
        elif isinstance(peer, Viewer) and is_report_due:
            peer.report(wall_ns)
