"""Which media plane serves: the native one where it was built and finds OpenSSL, else the reference.

`python -m liveserver.rtp.native` says which, and why.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from liveserver.rtp import fanout, receiver
from liveserver.rtp.flags import Flags

_FORCED = "LIVESERVER_TEST_FANOUT"  # "python": the reference, as if the extension had not been built

IMPLEMENTATION = "python"
REASON = f"{_FORCED} asks for it"  # why it is this one, in words
_Fanout: type[fanout.Fanout] = fanout.Fanout
_Receiver: type[receiver.Receiver] = receiver.Receiver

if os.environ.get(_FORCED) == "python":
    pass
elif find_spec("liveserver.rtp._fanout") is None:
    REASON = "the native one was not built: that takes a compiler, Cython and Python's headers"
else:
    try:
        from liveserver.rtp import _fanout
    except ImportError as error:
        REASON = str(error)
    else:
        if all(hasattr(_fanout.Fanout, name) for name in vars(fanout.Fanout) if not name.startswith("_")):
            IMPLEMENTATION, REASON = "native", _fanout.VERSION
            _Fanout, _Receiver = _fanout.Fanout, _fanout.Receiver
        else:
            REASON = "the native one was built before this version: make install builds it anew"


def make_fanout(fd: int, flags: Flags) -> fanout.Fanout:
    """A fan-out that sends on a duplicate of `fd`; both twins have the reference's calls."""
    return _Fanout(fd, flags)


def make_receiver(fd: int, sender: fanout.Fanout) -> receiver.Receiver:
    """A receiver on a duplicate of `fd` that answers through `sender`, which `make_fanout` made."""
    return _Receiver(fd, sender)


if __name__ == "__main__":
    sys.stdout.write(f"fan-out: {IMPLEMENTATION} ({REASON})\n")
