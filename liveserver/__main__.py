"""`python -m liveserver` and the console script `liveserver`."""

from __future__ import annotations

import sys

from liveserver.cli import main

if __name__ == "__main__":
    sys.exit(main())
