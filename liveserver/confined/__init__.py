"""What the node's confined children share: the sandbox, the framing of their socket, their decoders.

A child decodes what strangers sent. It has one end of a socket pair and nothing else; the node's end of it is
`liveserver.sfu.child`. Nothing here knows the rest of the server.
"""
