"""The modules: no markup from data, nothing from elsewhere, the hooks that tests rely on, arrows down."""

from __future__ import annotations

import hashlib
import re

import web
from tests.web.sources import MODULES, STATIC, code, entries, graph, imports, imports_later

HOOKS = {
    "teach": {"stage", "go-live", "share-screen", "end-lesson", "chat-input", "chat-send", "chat-log",
              "cut-notice", "viewer-count", "roster"},
    "learn": {"stage", "transport", "chat-input", "chat-send", "chat-log", "cut-notice", "viewer-count"},
    "moderate": {"stage", "cut-lesson", "cut-confirm", "cut-notice", "restore-lesson", "chat-log", "roster",
                 "viewer-count"},
}  # fmt: skip
_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML"
    r"|srcdoc|\beval\(|new Function\("
)
_TESTID = re.compile(r"testid: '([^']+)'")


class TestSafety:
    def test_data_never_becomes_markup(self):
        assert {name: _MARKUP.findall(text) for name, text in MODULES.items() if _MARKUP.search(text)} == {}

    def test_no_inline_style_is_set_as_an_attribute(self):
        # The policy forbids style attributes; single properties through `node.style` are allowed.
        offending = [
            name for name, text in MODULES.items() if re.search(r"setAttribute\('style'|\bstyle: ", text)
        ]
        assert offending == []

    def test_nothing_comes_from_elsewhere(self):
        """No address of another origin in any file; XML namespaces are names, not addresses."""
        ours = (path for path in STATIC.rglob("*") if "vendor" not in path.parts)
        for path in [*ours, web.root() / "shell.html"]:
            if path.is_file():
                text = path.read_text().replace("http://www.w3.org/2000/svg", "")
                assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", text) == [], path.name

    def test_no_font_or_image_is_loaded_by_a_style(self):
        for path in (STATIC / "css").glob("*.css"):
            assert re.findall(r"url\(|@import|@font-face", path.read_text()) == [], path.name

    def test_the_token_is_kept_for_the_tab_only(self):
        assert [
            name for name, text in MODULES.items() if re.search(r"localStorage|document\.cookie", text)
        ] == []


class TestArrows:
    def test_every_import_is_there(self):
        targets = {(name, to) for name in MODULES for to in (*imports(name), *imports_later(name))}
        missing = {(name, to) for name, to in targets if to not in MODULES}
        assert missing == set()

    def test_every_module_is_used_by_a_page(self):
        used = {module for page in web.PAGES for module in graph(*entries(page), later=True)}
        assert used == set(MODULES)

    def test_the_library_knows_neither_components_nor_pages(self):
        upward = {(name, target) for name in MODULES if name.startswith("lib/") for target in imports(name)
                  if target.startswith(("components/", "pages/"))}  # fmt: skip
        assert upward == set()

    def test_components_know_no_page(self):
        components = [name for name in MODULES if name.startswith("components/")]
        assert [name for name in components if any(to.startswith("pages/") for to in imports(name))] == []

    def test_pages_do_not_know_each_other(self):
        for name in code():
            if name.startswith("pages/"):
                own = name.removeprefix("pages/").split("/")[0].removesuffix(".js")
                others = [
                    to
                    for to in imports(name)
                    if to.startswith("pages/") and not to.startswith(f"pages/{own}/")
                ]
                assert others == [], name


class TestHooks:
    def test_each_page_has_its_own(self):
        for page, expected in HOOKS.items():
            loaded = graph(*entries(page), later=True)
            found = {hook for module in loaded for hook in _TESTID.findall(MODULES[module])}
            assert expected <= found, page


class TestSize:
    def test_no_file_is_longer_than_the_seam(self):
        assert {name: text.count("\n") for name, text in code().items() if text.count("\n") > 250} == {}


class TestWhatOthersWrote:
    """Kept as published, licence beside it; loaded only where it is needed (docs/DEPENDENCIES.md)."""

    def test_each_has_its_licence(self):
        folders = [path for path in (STATIC / "vendor").iterdir() if path.is_dir()]
        assert folders
        assert all((folder / "LICENSE").is_file() for folder in folders)

    def test_every_file_asked_for_is_there_and_the_other_way_round(self):
        asked = {
            found for text in MODULES.values() for found in re.findall(r"'/static/(vendor/[^']+)'", text)
        }
        there = {
            path.relative_to(STATIC).as_posix()
            for path in (STATIC / "vendor").rglob("*")
            if path.is_file() and path.name != "LICENSE"
        }
        assert asked == there

    def test_it_is_what_was_published(self):
        known = {"hls.light.min.mjs": "3d82a88cf9ae0d9aaab3cbe9ff6ecbb64bb89c54a399c34ae9bf8b559baeb20f"}
        for name, sha256 in known.items():
            (path,) = (STATIC / "vendor").rglob(name)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
