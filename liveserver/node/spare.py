"""`python -m liveserver.node.spare`: a node that has read its program and waits for a line to begin.

Reading it is nine tenths of a start, so the supervisor keeps one of these for when a node dies. Without
a line, when its supervisor is gone, it ends.
"""

import gc
import sys

gc.disable()  # as for any node

from liveserver.node.composition import main  # noqa: E402 - the rest comes after

sys.exit(main() if sys.stdin.readline() else 0)
