"""The optional part of the build: the native fan-out. Everything else is in pyproject.toml.

Without Cython, a compiler or Python's headers the server is installed all the same and runs on
`liveserver/rtp/fanout.py`, slower. `python -m liveserver.rtp.native` says which one serves, and why.
"""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
RTP = Path("liveserver", "rtp")
NATIVE_PARTS = (
    "core", "crypto", "feedback", "history", "map", "peers", "receive", "replay", "send", "stream", "stun",
    "tables", "wire",
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
    parts = [str(RTP / f"_fanout_{part}.c") for part in NATIVE_PARTS]
    headers = sorted(str(path.relative_to(ROOT)) for path in (ROOT / RTP).glob("_fanout_*.h"))
    native = Extension(
        "liveserver.rtp._fanout",
        [str(RTP / "_fanout.pyx"), *parts],
        depends=[*headers, str(RTP / "_receiver.pxi")],
        include_dirs=[str(RTP)],
        define_macros=[("_GNU_SOURCE", None)],
        extra_compile_args=["-std=gnu11", "-O2", "-fvisibility=hidden"],
        libraries=["dl"],
    )
    built: list[Extension] = cythonize([native], language_level=3, quiet=True)
    for extension in built:
        extension.optional = True  # cythonize makes its own object and does not pass this on
    return built


setup(ext_modules=extensions(), cmdclass={"build_ext": Optional})
