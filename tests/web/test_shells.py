"""The shells: nothing inline, and everything that a page will need is asked for at once."""

from __future__ import annotations

import gzip
import re

import pytest

import web
from tests.web.sources import STATIC, entries, graph, linked

FIRST_PAINT_BYTES = 200_000
PAGES = list(web.PAGES)


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return request.param


class TestAShell:
    def test_an_unknown_one_is_refused(self):
        with pytest.raises(KeyError):
            web.shell("../static/logo")

    def test_it_has_no_inline_script_style_or_handler(self, page: str):
        text = web.shell(page)
        assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
        assert re.findall(r"<style|\sstyle=|\son\w+=", text) == []

    def test_it_says_something_before_and_without_scripts(self, page: str):
        text = web.shell(page)
        assert '<html lang="zh-CN">' in text
        assert re.search(r'<div id="app">.*正在打开.*Opening', text)
        assert "<noscript>" in text
        assert 'name="viewport"' in text

    def test_all_that_it_links_exists(self, page: str):
        for address in linked(page, r'(?:href|src)="/static/([^"]+)"'):
            assert (STATIC / address).is_file(), address

    def test_it_preloads_exactly_its_modules(self, page: str):
        preloaded = linked(page, r'rel="modulepreload" href="/static/([^"]+)"')
        assert len(preloaded) == len(set(preloaded))
        assert set(preloaded) | set(entries(page)) == graph(*entries(page))

    def test_the_first_paint_is_light(self, page: str):
        files = [*graph(*entries(page)), *linked(page, r'rel="stylesheet" href="/static/([^"]+)"')]
        weight = len(web.shell(page).encode()) + sum((STATIC / name).stat().st_size for name in files)
        # Even without the compression that the server adds.
        assert weight < FIRST_PAINT_BYTES

    def test_what_comes_after_it_is_light_too(self, page: str):
        later = graph(*entries(page), later=True) - graph(*entries(page))
        assert sum((STATIC / name).stat().st_size for name in later) < FIRST_PAINT_BYTES

    def test_compressed_it_is_a_fraction_of_that(self, page: str):
        packed = sum(len(gzip.compress((STATIC / name).read_bytes())) for name in graph(*entries(page)))
        assert packed < FIRST_PAINT_BYTES / 3


class TestTheControlPort:
    def test_its_address_is_filled_in(self):
        shell = web.shell("moderate", "https://school.example:9443")
        assert '<meta name="control-url" content="https://school.example:9443">' in shell

    def test_it_cannot_break_out_of_its_place(self):
        assert '"><script>' not in web.shell("moderate", 'x"><script>')

    def test_no_page_is_left_with_the_empty_place(self, page: str):
        assert "{{" not in web.shell(page)

    def test_only_the_moderators_page_knows_it(self):
        assert [name for name in PAGES if "control-url" in web.shell(name, "https://x")] == ["moderate"]


class TestTheLearnersPage:
    def test_what_asks_for_the_class_loads_first_and_alone(self):
        first, second = entries("learn")
        assert (first, second) == ("pages/learn/join.js", "pages/learn.js")
        early = graph(first)
        assert len(early) <= 12
        assert not any(name.startswith(("components/", "i18n/")) for name in early)
        assert web.shell("learn").index(first) < web.shell("learn").index("stylesheet")
