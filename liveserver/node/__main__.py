"""`python -m liveserver.node`: a node, started by the supervisor.

Its modules make half a million objects that stay. Python would look through them for garbage again and again
while they are made, a sixth of the start; `Garbage.start` has it look again.
"""

import gc
import sys

gc.disable()

from liveserver.node.composition import main  # noqa: E402 - the rest comes after

sys.exit(main())
