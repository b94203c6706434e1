"""A process that looks at single pictures: files of an operator, photos of learners. It decodes them, so it
is confined; it knows nothing of the server but the wire in `wire.py`. Its other end is
`liveserver.screening.looker`.
"""
