"""A WHIP peer: which packet belongs to which track, and the feedback that keeps the tracks whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.rtp import header, rtcp
from liveserver.rtp.header import Packet
from liveserver.sfu.answer import Answer, IceCredentials, Inbound
from liveserver.sfu.bandwidth import UplinkBandwidth
from liveserver.sfu.peer import Peer, PeerEvents, Transport
from liveserver.sfu.source_clock import PublisherClock
from liveserver.sfu.uplink import Uplink

MAX_SSRCS = 64
# A track changes its SSRC only once the one before is silent: two encodings sent at once must not flap.
SSRC_SILENCE_NS = 500_000_000
SILENT_NS = 2_000_000_000  # without any packet: nothing arrives from this publisher
VIDEO_TRACKS = ("camera", "screen")  # the order of a publisher's video m-lines


class Publisher(Peer):
    """The instructor's connection. Owns its uplinks; the stage shows them."""

    def __init__(
        self,
        transport: Transport,
        ice: IceCredentials,
        events: PeerEvents,
        clock: Clock,
        room: int,
        on_ready: Callable[[Publisher], None],
        on_gone: Callable[[Publisher], None],
    ):
        super().__init__(transport, ice, events)
        self.uplinks: list[Uplink] = []
        self._clock = clock
        self._room = room
        self._on_ready = on_ready
        self._on_gone = on_gone
        self._ssrc = secrets.randbits(31) | 1
        self._bandwidth = UplinkBandwidth()
        self._inbound: dict[str, Inbound] = {}
        self._by_ssrc: dict[int, tuple[Uplink, bool]] = {}  # SSRC → its track, and whether it is RTX
        self._publisher_clock = PublisherClock()
        self._connected_ns = clock.monotonic_ns()
        self._heard = True

    def agree(self, answer: Answer) -> None:
        """Make an uplink for each accepted m-line, before the peer starts."""
        videos = iter(VIDEO_TRACKS)
        for inbound in answer.inbound:
            track = "audio" if inbound.kind == "audio" else next(videos, None)
            if track is None or any(uplink.track == track for uplink in self.uplinks):
                continue
            uplink = Uplink(
                self._transport.fanout,
                self._room,
                track,
                inbound.mid,
                inbound.codec.name,
                self._publisher_clock,
            )
            self.uplinks.append(uplink)
            self._inbound[inbound.mid] = inbound
            for ssrc in inbound.ssrcs:
                self._by_ssrc[ssrc] = (uplink, False)
            for ssrc in inbound.repairs:
                self._by_ssrc[ssrc] = (uplink, True)

    def uplink(self, track: str) -> Uplink | None:
        return next((uplink for uplink in self.uplinks if uplink.track == track), None)

    def receive_rtp(self, data: bytes, now_ns: int) -> None:
        """A packet in the clear."""
        try:
            packet = header.parse(data)
        except PeerError:
            self._transport.front.count("rtp_malformed")
            return
        found = self._by_ssrc.get(packet.ssrc) or self._identify(packet)
        if found is None:
            self._transport.front.count("unknown_ssrc")
            return
        uplink, is_rtx = found
        wall_ns = self._clock.wall_ms() * 1_000_000
        if is_rtx:
            original = _restore(packet, uplink, self._inbound[uplink.mid])
            if original is not None:
                uplink.receive(original, now_ns, wall_ns, repaired=True)
            return
        if packet.payload_type != self._inbound[uplink.mid].codec.payload_type:
            self._transport.front.count("unknown_payload_type")
            return
        if uplink.ssrc != packet.ssrc:
            if uplink.ssrc is not None and now_ns - uplink.heard_ns < SSRC_SILENCE_NS:
                uplink.counters["second_source"] += 1
                return
            uplink.adopt(packet.ssrc)
            self.report(now_ns)  # the sooner feedback comes, the sooner the picture is sharp
        uplink.receive(packet, now_ns, wall_ns)

    def receive_rtcp(self, data: bytes, now_ns: int) -> None:
        """A compound or reduced-size packet (RFC 5506) in the clear."""
        try:
            packets = rtcp.parse(data)
        except PeerError:
            self._transport.front.count("rtcp_malformed")
            return
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                uplink = next((u for u in self.uplinks if u.ssrc == packet.ssrc), None)
                if uplink is not None:
                    uplink.reported(packet, now_ns, self._clock.wall_ms() * 1_000_000)

    def flush(self, now_ns: int) -> bool:
        """Forward what came; whether something waits a moment for the rest of its picture."""
        is_waiting = False
        for uplink in self.uplinks:
            if uplink.waits(now_ns):
                is_waiting = is_waiting or uplink.is_video
            else:
                uplink.flush(now_ns)
        return is_waiting

    def ask(self, now_ns: int) -> None:
        """Every 20 ms: ask for what is missing, and for a keyframe when one is due."""
        if not self.session:
            return
        requests: list[rtcp.Rtcp] = []
        for uplink in self.uplinks:
            if uplink.ssrc is None:
                continue
            if not uplink.waits(now_ns):
                uplink.flush(now_ns)  # what waited for a pair in vain
            missing = uplink.missing(now_ns)
            if missing:
                uplink.counters["nacked"] += len(missing)
                requests.append(rtcp.Nack(self._ssrc, uplink.ssrc, tuple(missing)))
            if uplink.keyframe_due(now_ns):
                requests.append(rtcp.PictureLoss(self._ssrc, uplink.ssrc))
        if requests:
            self._transport.fanout.send_rtcp(self.session, rtcp.build(requests))

    def report(self, now_ns: int) -> None:
        """Every second: receiver report and REMB."""
        if not self.session:
            return
        blocks = [block for u in self.uplinks if (block := u.report_block(now_ns)) is not None]
        lost = max((block.fraction_lost / 256 for block in blocks), default=0.0)
        ssrcs = tuple(u.ssrc for u in self.uplinks if u.is_video and u.ssrc is not None)
        bitrate_bps = self._bandwidth.update(lost)
        packets: list[rtcp.Rtcp] = [
            rtcp.ReceiverReport(self._ssrc, tuple(blocks)),
            rtcp.SourceDescription({self._ssrc: "lectern"}),
        ]
        if ssrcs:
            packets.append(rtcp.Remb(self._ssrc, bitrate_bps, ssrcs))
        self._transport.fanout.send_rtcp(self.session, rtcp.build(packets))

    def silent_ns(self, now_ns: int) -> int:
        """How long no track has been heard of."""
        return now_ns - max([self._connected_ns, *(uplink.heard_ns for uplink in self.uplinks)])

    def listen(self, now_ns: int) -> None:
        """Every second: tell the owner when no media arrives any more, or again."""
        silent_ns = self.silent_ns(now_ns)
        if self._heard is (silent_ns > SILENT_NS):
            self._heard = not self._heard
            self.receiving(self._heard, silent_ns)

    def _identify(self, packet: Packet) -> tuple[Uplink, bool] | None:
        """A first packet of an SSRC the offer did not name: by its mid, else by its payload type."""
        if len(self._by_ssrc) >= MAX_SSRCS:
            return None
        matching = [
            (uplink, packet.payload_type == inbound.rtx_payload_type)
            for uplink in self.uplinks
            if packet.payload_type
            in ((inbound := self._inbound[uplink.mid]).codec.payload_type, inbound.rtx_payload_type)
            and self._mid_fits(packet, inbound)
        ]
        if len(matching) != 1:
            return None
        self._by_ssrc[packet.ssrc] = matching[0]
        return matching[0]

    @staticmethod
    def _mid_fits(packet: Packet, inbound: Inbound) -> bool:
        if not inbound.mid_extension:
            return True
        mid = packet.extension(inbound.mid_extension)
        return mid is None or mid == inbound.mid.encode()

    def _media_connected(self) -> None:
        self._connected_ns = self._clock.monotonic_ns()
        # Only now: an attempt that never connects must not end the broadcast that it would replace.
        self._on_ready(self)

    def _media_closed(self) -> None:
        self._on_gone(self)
        for uplink in self.uplinks:
            uplink.close()

    def describe(self) -> Mapping[str, object]:
        """For /debug/rooms."""
        return {
            "peer": self.id,
            "connected": self.is_connected,
            "remb_bps": self._bandwidth.bitrate_bps,
            "tracks": [
                {
                    "track": u.track,
                    "codec": u.codec,
                    "packets": u.packets_received,
                    "octets": u.octets_received,
                    "viewers": len(u.downlinks),
                }
                | dict(u.counters)
                for u in self.uplinks
            ],
        }


def _restore(packet: Packet, uplink: Uplink, inbound: Inbound) -> Packet | None:
    """The packet an RTX packet repeats (RFC 4588 4), or None for a bandwidth probe without payload."""
    payload = bytes(packet.payload)
    if len(payload) < 2 or uplink.ssrc is None:
        return None
    return header.parse(
        header.build(
            payload_type=inbound.codec.payload_type,
            sequence=int.from_bytes(payload[:2], "big"),
            timestamp=packet.timestamp,
            ssrc=uplink.ssrc,
            payload=payload[2:],
            marker=packet.marker,
        )
    )
