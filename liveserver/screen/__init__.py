"""A process that looks at the pictures of several lessons: it decodes, scores, reads text, makes thumbnails.

It knows nothing of the server but the wire in `wire.py`; the node's end is `liveserver.sfu.screener`.
"""
