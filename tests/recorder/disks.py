"""Disks that misbehave: small, read-only, slow. All need root, and say so otherwise."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BLKIO = Path("/sys/fs/cgroup/blkio")  # version 1
UNIFIED = Path("/sys/fs/cgroup")  # version 2


@contextmanager
def small(folder: Path, size: str = "50m") -> Iterator[Path]:
    """A file system of its own in memory."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder.mkdir()
    if _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder):
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        yield folder
    finally:
        _run("umount", "-l", folder)


def remount(folder: Path, how: str) -> None:
    """`ro` or `rw`. Read-only has to wait for what is being written this very moment."""
    deadline = time.monotonic() + 5
    while code := _run("mount", "-o", f"remount,{how}", folder):
        assert time.monotonic() < deadline, code
        time.sleep(0.01)


@contextmanager
def on_a_device(folder: Path) -> Iterator[Slow]:
    """An ext4 file system on a loop device, whose writes can be made slow."""
    if os.geteuid() != 0:
        pytest.skip("a loop device needs root")
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(200 * 1024**2)
    if _run("mkfs.ext4", "-q", "-F", image):
        pytest.skip("mkfs.ext4 is not installed")
    made = subprocess.run(
        ["losetup", "--direct-io=on", "-f", "--show", image], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no loop device can be had: {made.stderr.strip()}")
    device = made.stdout.strip()
    folder.mkdir()
    try:
        if error := _run("mount", "-o", "noatime", device, folder):
            pytest.skip(f"a loop device cannot be mounted: {error}")
        try:
            yield Slow(folder, device)
        finally:
            _run("umount", "-l", folder)
    finally:
        _run("losetup", "-d", device)
        image.unlink()


class Slow:
    """A disk; `slow` bounds what a process writes to it, by the kernel's own throttle."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self._number = Path(f"/sys/block/{Path(device).name}/dev").read_text().strip()

    @contextmanager
    def slow(self, pid: int, bytes_per_s: int) -> Iterator[None]:
        """For a while, `pid` and its threads get so much of it."""
        if BLKIO.is_dir():
            group, limit = BLKIO / f"slow-{pid}", ("blkio.throttle.write_bps_device", str(bytes_per_s))
            home = BLKIO
        else:
            group, limit = UNIFIED / f"slow-{pid}", ("io.max", f"wbps={bytes_per_s}")
            home = UNIFIED
            if "io" not in (UNIFIED / "cgroup.subtree_control").read_text().split():
                pytest.skip("no cgroup here can bound what is written to a device")
        try:
            group.mkdir()
        except OSError as error:
            pytest.skip(f"no cgroup can be made: {error}")
        try:
            (group / limit[0]).write_text(f"{self._number} {limit[1]}")
            (group / "cgroup.procs").write_text(str(pid))
            yield
        finally:
            (home / "cgroup.procs").write_text(str(pid))
            group.rmdir()


def _run(*command: str | Path) -> str:
    """What the command complains of, "" when it does not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or str(done.returncode)
