"""The recorder: a process of its own that turns a class's encoded frames into sealed MP4 files.

It imports nothing of the server. The server speaks to it through `recorder.client.RecorderClient`,
over the unix socket whose wire format is in `recorder.feed`.
"""
