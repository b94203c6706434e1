"""What a server on the same machine costs: CPU time and memory of a process and all its children."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """By the name of the process: CPU time in seconds so far, resident memory in octets."""

    cpu_s: Mapping[str, float]
    resident: Mapping[str, int]


def usage(pid: int) -> Usage:
    """Of `pid` and its descendants; a process that has ended counts nothing."""
    cpu_s: dict[str, float] = defaultdict(float)
    resident: Counter[str] = Counter()
    for process in _tree(pid):
        folder = Path("/proc", str(process))
        try:
            name = _name((folder / "cmdline").read_bytes().decode(errors="replace").split("\0"))
            # After the name in parentheses: fields 14 and 15 of proc(5) are the 12th and 13th.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            pages = int((folder / "statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        cpu_s[name] += (int(fields[11]) + int(fields[12])) / _TICKS
        resident[name] += pages * _PAGE
    return Usage(dict(cpu_s), dict(resident))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        threads = list(Path("/proc", str(pid), "task").iterdir())
        children = [child for thread in threads for child in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from _tree(int(child))


def _name(words: list[str]) -> str:
    """The module that Python runs, else the program."""
    if "-m" in words:
        return words[words.index("-m") + 1]
    return Path(words[0]).name or "?"
