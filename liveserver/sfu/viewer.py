"""A WHEP peer: its downlinks, its reports, its requests for repair."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Container, Mapping, Sequence

from liveserver.clock import Clock
from liveserver.rtp import rtcp
from liveserver.rtp.replay import FAST_SPARE_BPS, SLOW_SPARE_BPS
from liveserver.sfu.answer import Answer, IceCredentials
from liveserver.sfu.downlink import Downlink
from liveserver.sfu.peer import Peer, PeerEvents, Transport
from liveserver.sfu.uplink import Uplink

FIREFOX_HOLD_NS = 75_000_000  # Firefox drops what comes right after DTLS
# What to show instead of an uplink to a viewer who has these codecs and not its own; None: nothing.
Instead = Callable[[Uplink, Container[str]], Uplink | None]


class Viewer(Peer):
    """Watches what the stage shows it. `on_ready` is called once media may flow to it.

    Its reports and requests for packets end in the front; only a lost picture reaches it.
    """

    is_viewer = True

    def __init__(
        self,
        transport: Transport,
        ice: IceCredentials,
        events: PeerEvents,
        clock: Clock,
        cname: str,
        on_ready: Callable[[Viewer], None],
        on_gone: Callable[[Viewer], None],
    ):
        super().__init__(transport, ice, events)
        self.hold_ns = 0
        self._clock = clock
        self._cname = cname
        self._on_ready = on_ready
        self._on_gone = on_gone
        self._answer: Answer | None = None
        self._lacking: dict[str, Uplink] = {}  # by mid: what could not be shown, and the owner was told
        self.audio: Downlink | None = None
        self.videos: list[Downlink] = []

    def agree(self, answer: Answer, *, is_firefox: bool) -> None:
        """Take note of what was agreed, before the peer starts."""
        self._answer = answer
        self.hold_ns = FIREFOX_HOLD_NS if is_firefox else 0

    def show(self, audio: Uplink | None, videos: Sequence[Uplink], instead: Instead) -> None:
        """Attach the instructor's tracks: the first video m-line gets the first of `videos`, and so on.

        Tells the owner once (`unsupported`) when the viewer lacks a track's codec and `instead` has nothing.
        """
        if self.audio is not None:
            self._attach(self.audio, audio, 0, instead)
        for index, downlink in enumerate(self.videos):
            self._attach(downlink, videos[index] if index < len(videos) else None, self.hold_ns, instead)

    def notice(self, code: str) -> None:
        """Something about the picture that the person should know: `transcode_lost`, `transcode_back`."""
        self._events.notice(code)

    def refresh(self, now_ns: int) -> None:
        """Media was held back and may flow again: start from the cache."""
        for downlink in self._downlinks():
            downlink.begin(now_ns)

    def report(self, wall_ns: int) -> None:
        """Send the sender reports of all downlinks."""
        for downlink in self._downlinks():
            downlink.report(wall_ns)

    def say_bye(self) -> None:
        """SRTCP BYE for every stream (RFC 3550 6.6)."""
        ssrcs = [downlink.outbound.ssrc for downlink in self._downlinks()]
        if ssrcs and self.session:
            farewell: list[rtcp.Rtcp] = [rtcp.ReceiverReport(ssrcs[0], ()), rtcp.Bye(tuple(ssrcs))]
            self._transport.fanout.send_rtcp(self.session, rtcp.build(farewell))

    def lost_picture(self, now_ns: int) -> None:
        """It asked for a new picture (PLI or FIR)."""
        for downlink in self.videos:
            downlink.repair(now_ns)

    def _media_connected(self) -> None:
        assert self._answer is not None
        spare_bps = _spare_bps(self.endpoint.selected[0] if self.endpoint.selected else "")
        for outbound in self._answer.outbound:
            downlink = Downlink(
                self._transport.fanout,
                self._transport.pacer,
                self.session,
                outbound,
                self._clock.monotonic_ns,
                spare_bps,
                self._cname,
            )
            if outbound.kind == "audio" and self.audio is None:
                self.audio = downlink
            elif outbound.kind == "video":
                self.videos.append(downlink)
        self._on_ready(self)
        self.report(self._clock.wall_ms() * 1_000_000)

    def _media_closed(self) -> None:
        self.say_bye()
        for downlink in self._downlinks():
            downlink.close()
        self._on_gone(self)

    def _attach(self, downlink: Downlink, uplink: Uplink | None, hold_ns: int, instead: Instead) -> None:
        if uplink is None:
            downlink.detach()
            return
        mid, codecs = downlink.outbound.mid, downlink.outbound.codecs
        shown = uplink if downlink.can_show(uplink) else instead(uplink, codecs)
        if shown is not None:
            downlink.attach(shown, hold_ns)
            if self._lacking.pop(mid, None) is not None:
                self._events.notice("transcode_back")
            return
        downlink.detach()
        if self._lacking.get(mid) is not uplink:
            self._lacking[mid] = uplink
            self._events.unsupported(uplink.codec)

    def _downlinks(self) -> list[Downlink]:
        return ([self.audio] if self.audio else []) + self.videos

    def describe(self) -> Mapping[str, object]:
        """For /debug/rooms."""
        return {
            "peer": self.id,
            "connected": self.is_connected,
            "bandwidth_bps": self._transport.fanout.bandwidth_bps(self.session),
            "downlinks": [downlink.describe() for downlink in self._downlinks()],
        }


def _spare_bps(host: str) -> int:
    """How fast a viewer may catch up: a local address is taken for a fast link, others for unknown."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return SLOW_SPARE_BPS
    return FAST_SPARE_BPS if address.is_private or address.is_loopback else SLOW_SPARE_BPS
