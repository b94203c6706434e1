"""A process that turns one lesson's pictures from H.264 into VP8 or the other way round, live.

It knows nothing of the server but the wire in `wire.py`; the node's end is `liveserver.sfu.transcoder`.
"""
