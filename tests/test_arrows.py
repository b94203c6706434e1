"""Imports point one way: http → rooms → sfu → rtp, and liveserver → recorder (docs/ARCHITECTURE.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = ("liveserver", "recorder", "models", "web", "loadtest", "tests")

# A cut waits for none of these.
_ABOVE_CUTS = ["liveserver.http", "liveserver.rooms", "liveserver.sfu", "liveserver.store"]

# What a package may never import, whoever writes it. A name covers everything below it.
FORBIDDEN = {
    "liveserver.core": ["liveserver"],
    "liveserver.rtp": ["liveserver"],
    "liveserver.store": ["liveserver"],
    "liveserver.bus": ["liveserver"],
    "liveserver.sfu": ["liveserver.http", "liveserver.rooms", "liveserver.store", "liveserver.bus"],
    "liveserver.rooms": ["liveserver.http"],
    "liveserver.rooms.ways": ["liveserver.http", "liveserver.rooms.rooms", "liveserver.store"],
    "liveserver.checks": ["liveserver.http"],
    "liveserver.hours": ["liveserver.http"],
    "liveserver.ledger": ["liveserver.http"],
    "liveserver.log_in": ["liveserver.http"],
    "liveserver.people": ["liveserver.http"],
    "liveserver.screening": ["liveserver.http"],
    "liveserver.config": ["liveserver.http", "liveserver.rooms", "liveserver.sfu", "liveserver.store"],
    "liveserver.cut.guard": _ABOVE_CUTS,
    "liveserver.cut.switch": _ABOVE_CUTS,
    "liveserver.cut.lights": _ABOVE_CUTS,
    "liveserver.cut.book": _ABOVE_CUTS,
    "liveserver.confined": ["liveserver"],
    "liveserver.transcode": ["liveserver"],
    "liveserver.packaging": ["liveserver"],
    "liveserver.hls": ["liveserver.http", "liveserver.rooms", "liveserver.store", "liveserver.bus"],
    "liveserver.screen": ["liveserver"],
    "liveserver.stills": ["liveserver"],
    "recorder": ["liveserver", "models", "web", "loadtest", "tests"],
    "models": ["liveserver", "recorder", "web", "loadtest", "tests"],
    "web": list(PROJECT),
    "loadtest": list(PROJECT),
    "liveserver": ["loadtest", "tests"],
}
# The exceptions: below its own package, what else of the project a package may use.
ALLOWED = {
    "liveserver.rtp": ["liveserver.core.errors"],
    "liveserver.store": ["liveserver.core", "liveserver.clock"],
    "liveserver.bus": ["liveserver.core"],
    "liveserver.transcode": ["liveserver.confined", "liveserver.rtp.packetize"],
    "liveserver.stills": ["liveserver.confined"],
    "liveserver.packaging": ["liveserver.confined"],
    "liveserver.screen": ["liveserver.confined", "liveserver.core.screening", "liveserver.rtp.packetize"],
}
# The composition root puts everything together, so nothing else may import it.
ROOT_MODULES = ["liveserver.__main__", "liveserver.cli", "liveserver.node", "liveserver.supervisor"]
COMPOSERS = [*ROOT_MODULES, "liveserver.demo"]

STDLIB_ONLY = ["liveserver.core", "liveserver.rtp"]
STDLIB_EXCEPTIONS = {"liveserver.rtp.srtp": ["cryptography"], "liveserver.rtp.fanout": ["cryptography"]}
ONLY_IN = {"aiortc": "liveserver.sfu.webrtc", "aioice": "liveserver.sfu.webrtc"}


def below(name: str, packages: list[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """Every dotted name `source` imports, at any depth of the code; `from a import b` counts as `a.b`."""
    package = module if is_package else module.rpartition(".")[0]
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            names |= {f"{origin}.{alias.name}" for alias in node.names}
    return names


def wrong_arrows(module: str, imported: set[str]) -> Iterator[str]:
    """The rules `module` breaks by what it imports, in words."""
    own = [package for package in FORBIDDEN if below(module, [package])]
    for name in sorted(imported):
        top = name.partition(".")[0]
        for package in own:
            free = [package, *ALLOWED.get(package, [])]
            if below(name, FORBIDDEN[package]) and not below(name, free):
                yield f"{module} imports {name}: {package} must not know it"
        if below(name, ROOT_MODULES) and not below(module, COMPOSERS):
            yield f"{module} imports {name}: only the composition root may"
        if top in ONLY_IN and top != module and module.startswith("liveserver") and module != ONLY_IN[top]:
            yield f"{module} imports {name}: only {ONLY_IN[top]} may"
        known = ("liveserver", *sys.stdlib_module_names, *STDLIB_EXCEPTIONS.get(module, []))
        if below(module, STDLIB_ONLY) and top not in known:
            yield f"{module} imports {name}: the standard library only"


def modules() -> list[Path]:
    return sorted(
        path
        for package in ("liveserver", "recorder", "models", "web", "loadtest")
        for path in (ROOT / package).rglob("*.py")
    )


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_every_import_of_the_module_points_down(path):
    module = module_name(path)
    imported = imports(path.read_text(), module, is_package=path.name == "__init__.py")
    assert list(wrong_arrows(module, imported)) == []


class TestTheWalkItself:
    """The check above is worth something only if it sees each kind of wrong arrow."""

    @pytest.mark.parametrize(
        ("module", "line"),
        [
            ("liveserver.sfu.front", "from liveserver.http import whip"),
            ("liveserver.sfu.front", "from ..rooms import Rooms"),
            ("liveserver.sfu.front", "import aiortc"),
            ("liveserver.transcode.video", "from liveserver.rtp import header"),
            ("liveserver.rooms", "def f():\n    from liveserver import http"),
            ("liveserver.rtp.header", "from liveserver.sfu import front"),
            ("liveserver.rtp.header", "import cryptography"),
            ("liveserver.core.room", "import structlog"),
            ("liveserver.store.sqlite", "from liveserver.rooms import Rooms"),
            ("liveserver.http.api", "from liveserver.node import Node"),
            ("recorder.feed", "from liveserver.core.errors import PeerError"),
            ("loadtest.viewer", "import recorder.feed"),
            ("liveserver.demo", "from loadtest import publisher"),
        ],
    )
    def test_a_wrong_arrow_is_seen(self, module, line):
        assert list(wrong_arrows(module, imports(line, module)))

    @pytest.mark.parametrize(
        ("module", "line"),
        [
            ("liveserver.http.api", "from liveserver.rooms import Rooms"),
            ("liveserver.rooms", "from .sfu import front"),
            ("liveserver.sfu.webrtc", "import aiortc"),
            ("liveserver.rtp.srtp", "from cryptography.hazmat.primitives import ciphers"),
            ("liveserver.rtp.header", "from liveserver.core.errors import PeerError"),
            ("liveserver.sfu.tap", "from recorder.client import RecorderClient"),
            ("liveserver.cli", "from liveserver.node import Node"),
        ],
    )
    def test_a_right_arrow_is_left_alone(self, module, line):
        assert list(wrong_arrows(module, imports(line, module))) == []
