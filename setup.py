"""The optional parts of the build: the native media plane and `loadtest.swarm`'s half.

Without Cython, a compiler or Python's headers the server is installed all the same and runs on
`liveserver/rtp/fanout.py`, slower. `python -m liveserver.rtp.native` says which one serves, and why.
"""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
RTP = Path("liveserver", "rtp")
LOADTEST = Path("loadtest")
FANOUT_PARTS = (
    "control", "core", "crypto", "feedback", "history", "map", "peers", "receive", "replay", "send", "stream",
    "streams", "stun", "tables", "wire",
)  # fmt: skip


class Optional(build_ext):
    """`Extension.optional` forgives a failed compiler, but not one that is missing."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except OSError as error:
            sys.stderr.write(f"No compiler ({error}); the Python fan-out will serve.\n")


def extensions() -> list[Extension]:
    if not sys.platform.startswith("linux"):
        sys.stderr.write("The native fan-out is for Linux; the Python one will serve.\n")
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        sys.stderr.write("Cython is not installed; the Python fan-out will serve.\n")
        return []
    fanout_parts = [str(RTP / f"_fanout_{part}.c") for part in FANOUT_PARTS]
    # The load test knows nothing of the server but its ciphers, compiled in once more.
    swarm_parts = [str(LOADTEST / f"_swarm_{part}.c") for part in ("core", "loop", "receive", "rtcp")]
    swarm_parts.append(str(RTP / "_fanout_crypto.c"))
    native = [
        _extension("liveserver.rtp._fanout", RTP / "_fanout.pyx", fanout_parts),
        _extension("loadtest._swarm", LOADTEST / "_swarm.pyx", swarm_parts),
    ]
    built: list[Extension] = cythonize(native, language_level=3, quiet=True)
    for extension in built:
        extension.optional = True  # cythonize makes its own object and does not pass this on
    return built


def _extension(name: str, source: Path, parts: list[str]) -> Extension:
    folders = sorted({RTP, source.parent})
    headers = [
        str(path.relative_to(ROOT))
        for folder in folders
        for pattern in ("_*.h", "_*.pxi")
        for path in sorted((ROOT / folder).glob(pattern))
    ]
    return Extension(
        name,
        [str(source), *parts],
        depends=headers,
        include_dirs=[str(folder) for folder in folders],
        define_macros=[("_GNU_SOURCE", None)],
        extra_compile_args=["-std=gnu11", "-O2", "-fvisibility=hidden"],
        libraries=["dl"],
    )


setup(ext_modules=extensions(), cmdclass={"build_ext": Optional})
