"""Everything once before the process is confined: libraries load parts of themselves when first used."""

from __future__ import annotations

from fractions import Fraction

import av

from liveserver.confined.decoding import TIME_BASE, video_decoder
from liveserver.core.screening import Action, Category, Kind, Mode, Rule
from liveserver.rtp.packetize import CODECS
from liveserver.screen.judge import Judge
from liveserver.screen.track import Track
from liveserver.screen.wire import Frame, Open

_SIZE = (320, 192)


def warm_up(judge: Judge, width: int) -> None:
    """Look at some pictures as if a lesson had sent them. Raises `ModelError` for one that does not run."""
    rules = (
        Rule(Kind.FRAME, Category.PORN, 0.0, Action.WARN),
        Rule(Kind.TEXT, Category.PORN, 0.0, Action.BLANK),
    )
    for codec in CODECS:
        track = Track(judge, width, Open(0, "camera", Mode.SCREENED, rules))
        for number, data in enumerate(_frames(codec), start=1):
            list(track.push(Frame(0, number, number * 3_600, number * 40, number == 1, codec, data)))
        while track.is_reading:
            list(track.read_on(0))
        try:
            video_decoder(codec).decode(av.Packet(b"\xff" * 8))
        except av.FFmpegError:
            continue


def _frames(codec: str) -> list[bytes]:
    """A few frames of an empty picture."""
    encoder = av.CodecContext.create({"h264": "libx264", "vp8": "libvpx"}[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = _SIZE
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", TIME_BASE, Fraction(25)
    encoder.thread_count = 1
    if codec == "h264":
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    else:
        encoder.options = {"deadline": "realtime", "lag-in-frames": "0"}
    made = []
    for number in range(3):
        image = av.VideoFrame(*_SIZE, "yuv420p")
        image.pts, image.time_base = number * 3_600, TIME_BASE
        made += [bytes(packet) for packet in encoder.encode(image)]
    return made
