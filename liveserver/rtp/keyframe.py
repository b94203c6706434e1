"""Where a picture can be started: the packet a keyframe begins with."""

from __future__ import annotations

from liveserver.core.errors import PeerError
from liveserver.rtp import h264, vp8


def starts_keyframe(codec: str, payload: bytes) -> bool:
    """Whether a keyframe begins in this payload; `codec` "h264" or "vp8", for others always False.

    H.264: an IDR slice or a sequence parameter set, alone, in a STAP-A or at the start of an FU-A. VP8: the
    first packet of a frame whose inverse keyframe bit is 0. A malformed payload starts nothing.
    """
    if codec == "h264":
        return any(kind in (h264.IDR, h264.SPS) for kind in h264.beginning_types(payload))
    if codec == "vp8":
        try:
            return vp8.describe(payload).keyframe
        except PeerError:
            return False
    return False


def is_whole_start(codec: str, payload: bytes) -> bool:
    """Whether nothing that the keyframe needs can lie in the packet before this one.

    An IDR slice alone may have lost the parameter sets before it; a sequence parameter set comes first.
    """
    if codec == "h264":
        return h264.SPS in h264.beginning_types(payload)
    return starts_keyframe(codec, payload)
