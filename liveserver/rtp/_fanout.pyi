"""What the extension offers; its classes have the calls of the reference, and tests hold them to it."""

from liveserver.rtp.fanout import Fanout as _Fanout
from liveserver.rtp.receiver import Receiver as _Receiver

LIBRARY: str  # the path OpenSSL was found at
VERSION: str

class Fanout(_Fanout):
    @property
    def segments(self) -> bool: ...

class Receiver(_Receiver): ...

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
