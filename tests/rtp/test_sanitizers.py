"""The native media plane under AddressSanitizer and UBSan, on the corpora and what else its twins are told.

It is compiled anew in a copy of the tree, and its own tests run there in another process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
TESTS = (
    "test_receiver_twins.py",
    "test_fanout_twins.py",
    "test_fanout.py",
    "test_fanout_counters.py",
    "test_fanout_padding.py",
    "test_fanout_repair.py",
    "test_fanout_replay.py",
    "test_fanout_streams.py",
)
IGNORED = shutil.ignore_patterns("*.so", "_fanout.c", "_swarm.c", "__pycache__", "node_modules")
pytest.importorskip("Cython", reason="Cython is not installed")


def runtime(name: str) -> str:
    """Where the compiler keeps a sanitizer's library, or "" when it has none."""
    if shutil.which("gcc") is None:
        return ""
    found = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip() if Path(found.stdout.strip()).is_absolute() else ""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is needed, with the extension built for the sanitizers."""
    if not runtime("libasan.so") or not runtime("libubsan.so"):
        pytest.skip("no gcc with AddressSanitizer and UBSan here")
    folder = tmp_path_factory.mktemp("sanitized") / "main"
    for name in ("liveserver", "loadtest", "tests/rtp"):
        shutil.copytree(ROOT / name, folder / name, ignore=IGNORED)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "tests/__init__.py"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    environment = {**os.environ, "CFLAGS": FLAGS, "LDFLAGS": FLAGS}
    built = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace", "--parallel", "2"],
        check=False, cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-2000:]
    corpora = ROOT.parent / "shared"
    if corpora.is_dir():
        (folder.parent / "shared").symlink_to(corpora)
    return folder


def test_the_corpora_and_the_twins_tests_find_nothing(tree: Path):
    environment = {
        **os.environ,
        "LD_PRELOAD": f"{runtime('libasan.so')} {runtime('libubsan.so')}",
        # Python itself leaves memory to the system when it ends.
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "LIVESERVER_TEST_FANOUT": "",
    }
    given = [f"tests/rtp/{name}" for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *given]
    done = subprocess.run(command, check=False, cwd=tree, env=environment, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-6000:]
    assert "AddressSanitizer" not in told and "runtime error" not in told, told[-6000:]
    assert " passed" in told and "sanitized" in native_of(tree, environment)


def native_of(tree: Path, environment: dict[str, str]) -> str:
    """Which extension those tests ran on."""
    told = subprocess.run(
        [sys.executable, "-c", "import liveserver.rtp._fanout as it; print(it.__file__)"],
        cwd=tree, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return told.stdout
