"""What the recorder's processes deny themselves at their start (Linux)."""

from __future__ import annotations

import ctypes
import os
import resource
import signal

OPEN_FILES = 4096  # 256 recordings with a manifest and up to six media files each, and room to seal
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def confine(*, nice: int = 0) -> None:
    """Private files, no core dumps (they would hold media), no new privileges, SIGTERM when the parent dies.

    The parent's death signal is per thread that started the process: the supervisor must start it from a
    thread that lives as long as itself.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    parent = os.getppid()
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died in between: the signal will not come
        signal.raise_signal(signal.SIGTERM)
    if nice:
        os.nice(nice)
