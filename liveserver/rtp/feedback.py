"""What a viewer says about its tracks, folded into the fan-out: reports, requests, estimates."""

from __future__ import annotations

from liveserver.rtp import rtcp
from liveserver.rtp.fanout import Fanout

MAX_BITRATE_BPS = 1 << 40  # the format can say much more than any path carries


def fold(fanout: Fanout, session: int, data: bytes, now_ns: int) -> bool:
    """Take in a compound packet in the clear; whether the viewer has lost a picture (PLI, FIR).

    A NACK is answered at once from the track's history; reports go into the row's counters, REMB into the
    session. PeerError `rtcp_malformed` when any part is; nothing of it is taken then.
    """
    wants_picture = False
    for packet in rtcp.parse(data):
        match packet:
            case rtcp.Nack():
                fanout.retransmit(session, packet.media_ssrc, packet.sequences, now_ns)
            case rtcp.PictureLoss() | rtcp.FullIntraRequest():
                wants_picture = True
            case rtcp.ReceiverReport() | rtcp.SenderReport():
                for block in packet.reports:
                    fanout.reported(
                        session,
                        block.ssrc,
                        block.fraction_lost,
                        block.lost,
                        block.highest_sequence,
                        block.jitter,
                        now_ns,
                    )
            case rtcp.Remb():
                fanout.estimated(session, min(packet.bitrate_bps, MAX_BITRATE_BPS))
    return wants_picture
