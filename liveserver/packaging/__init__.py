"""The packaging process: frames of lessons in, parts for LL-HLS out. Confined: it decodes strangers' sound.

`python -m liveserver.packaging`, started by the node (`liveserver.hls.packager`).
"""
