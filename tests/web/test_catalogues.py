"""All texts live in one catalogue per language, and both say the same things."""

from __future__ import annotations

import re

import web
from tests.web.sources import CATALOGUES, MODULES, catalogue, catalogues, code, entries, graph

_KEY = re.compile(r"'([a-z]+(?:\.[a-z0-9_]+)+)'")
_ASKED = re.compile(r"\bt\('([^']+)'")
_PLACE = re.compile(r"\{(\w+)\}")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def _named() -> set[str]:
    """Every literal in the code that looks like a key: in `t(…)` or in a table of keys."""
    return {key for text in code().values() for key in _KEY.findall(text)}


class TestKeys:
    def test_both_languages_have_the_same(self):
        assert set(catalogue("zh")) == set(catalogue("en"))

    def test_every_key_asked_for_exists(self):
        asked = {key for text in code().values() for key in _ASKED.findall(text)}
        assert asked
        assert asked <= set(catalogue("zh"))

    def test_every_key_in_a_table_exists(self):
        assert _named() <= set(catalogue("zh"))

    def test_none_is_unused(self):
        assert set(catalogue("zh")) <= _named()

    def test_they_are_in_order(self):
        for language in CATALOGUES:
            for texts in catalogues(language).values():
                assert list(texts) == sorted(texts)

    def test_each_catalogue_has_its_twin(self):
        zh, en = catalogues("zh"), catalogues("en")
        assert {name.replace("zh.js", "en.js"): set(texts) for name, texts in zh.items()} == {
            name: set(texts) for name, texts in en.items()
        }

    def test_a_page_has_all_that_its_modules_ask_for(self):
        for page in web.PAGES:
            loaded = graph(*entries(page), later=True)
            texts = {key for name, found in catalogues("zh").items() if name in loaded for key in found}
            asked = {key for name in loaded & set(code()) for key in _KEY.findall(MODULES[name])}
            assert asked <= texts, page


class TestTexts:
    def test_the_places_to_fill_are_the_same_in_both(self):
        zh, en = catalogue("zh"), catalogue("en")
        differing = [key for key in zh if set(_PLACE.findall(zh[key])) != set(_PLACE.findall(en[key]))]
        assert differing == []

    def test_none_is_empty_or_padded(self):
        for language in CATALOGUES:
            assert [
                key for key, text in catalogue(language).items() if text != text.strip() or not text
            ] == []

    def test_the_english_ones_are_english(self):
        # The name of the product, of the zone and of the other language are what they are in both.
        chinese = {key for key, text in catalogue("en").items() if _HAN.search(text)}
        assert chinese <= {"brand.name", "portal.zone", "lang.name"}

    def test_no_text_is_written_into_the_code(self):
        written = {name for name, text in code().items() if _HAN.search(text)}
        assert written == set()

    def test_the_zone_is_named_in_both(self):
        for language in CATALOGUES:
            assert catalogue(language)["portal.zone"] == "高精尖产业技能提升培训"
