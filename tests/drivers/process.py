"""Child processes that never outlive the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: int | None = None,
) -> subprocess.Popen[str]:
    """Start `argv` as a group of its own that is told to end when the thread that started it does.

    Standard error, and standard output unless it is taken otherwise, go to `log` (appended).
    """
    # util-linux's setpriv asks the kernel for the signal, so that a test run that is killed leaves nothing.
    leash = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
    with log.open("ab") as output:
        return subprocess.Popen(
            [*leash, *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=output if stdout is None else stdout,
            stderr=output,
            env=dict(os.environ if env is None else env),
            cwd=cwd,
            process_group=0,  # in a session of its own being nice would say nothing (sched(7), autogroup)
            text=True,
        )


def end(process: subprocess.Popen[str], *, timeout_s: float = 15, first: int = signal.SIGTERM) -> int:
    """Signal the process, wait, and end what is left of its group; the exit code (negative: killed by)."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    kill_group(process)
    if process.stdout:
        process.stdout.close()
    return process.returncode


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL to everything in the process's group, the way a machine loses power."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(5)


def group_is_gone(process: subprocess.Popen[str]) -> bool:
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


def until(look: Callable[[], T], what: str, *, timeout_s: float = 10, every_s: float = 0.05) -> T:
    """The first true value `look` gives; AssertionError naming `what` after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s} s (last: {value!r})")
        time.sleep(every_s)
