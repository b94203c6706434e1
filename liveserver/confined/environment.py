"""What a confined child sees of the node's environment."""

from __future__ import annotations

import os

_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL")


def bare_environment() -> dict[str, str]:
    """Nothing, for secrets may be there, but what finds Python and its libraries."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}
