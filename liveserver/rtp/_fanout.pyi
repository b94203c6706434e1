"""What the extension offers; `Fanout` has the calls of the reference, and tests hold it to them."""

from liveserver.rtp.fanout import Fanout as _Reference

LIBRARY: str  # the path OpenSSL was found at
VERSION: str

class Fanout(_Reference):
    @property
    def segments(self) -> bool: ...

def derive(key: bytes, salt: bytes, label: int, size: int) -> bytes: ...
def protect(
    profile: int,
    key: bytes,
    salt: bytes,
    authentication_key: bytes,
    ssrc: int,
    index: int,
    header: bytes,
    payload: bytes,
    rtcp: bool = False,
) -> bytes: ...
