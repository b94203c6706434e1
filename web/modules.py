"""Which ES modules a page loads, read from the modules themselves."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r"^(?:import|export)\b[^'\"]*?from '([^']+)'|^import '([^']+)'", re.MULTILINE)


@cache
def imports(module: str) -> tuple[str, ...]:
    """What a module imports, as paths below `static/`, in their order. OSError where there is none."""
    text = (STATIC / module).read_text(encoding="utf-8")
    here = posixpath.dirname(module)
    names = (first or second for first, second in _IMPORT.findall(text))
    return tuple(posixpath.normpath(posixpath.join(here, name)) for name in names)


@cache
def loaded(entry: str) -> tuple[str, ...]:
    """All that is loaded before `entry` runs, itself first, nearest first."""
    found = {entry: None}
    waiting = [entry]
    for module in waiting:  # grows as it goes
        new = [name for name in imports(module) if name not in found]
        found |= dict.fromkeys(new)
        waiting += dict.fromkeys(new)
    return tuple(found)
