"""An entry's bytes: RFC 8785 where it applies, refused by name where it does not."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.core.ledger import JSON, WHOLE_MAX, canonical_json, commitment, entry_leaf

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-WHOLE_MAX, WHOLE_MAX) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


class TestCanonicalJson:
    def test_orders_keys_by_their_utf16_code_units(self) -> None:
        """The example of RFC 8785 section 3.2.3."""
        keys = {
            "\u20ac": "Euro Sign",
            "\r": "Carriage Return",
            "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\U0001f600": "Emoji: Grinning Face",
            "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis",
        }
        ordered = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
        assert list(json.loads(canonical_json(keys))) == ordered

    def test_escapes_what_must_be_and_nothing_else(self) -> None:
        """RFC 8785 section 3.2.2.2."""
        assert canonical_json('€$\x0f\nA\'B"\\\\"/') == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'

    def test_has_no_white_space_and_orders_inner_objects(self) -> None:
        assert canonical_json({"b": [1, {"d": None, "c": True}], "a": (2,)}) == (
            '{"a":[2],"b":[1,{"c":true,"d":null}]}'
        )

    @settings(deadline=None)
    @given(values)
    def test_reads_back_as_it_was_and_writes_the_same_again(self, value: Any) -> None:
        text = canonical_json(value)
        assert json.loads(text) == value
        assert canonical_json(json.loads(text)) == text

    @pytest.mark.parametrize("value", [1.5, 2**53, {1: 2}, {"x": b""}, {1, 2}], ids=repr)
    def test_refuses_what_has_no_one_form(self, value: Any) -> None:
        with pytest.raises(ValueError):
            canonical_json(value)

    def test_refuses_deep_nesting(self) -> None:
        value: Any = 1
        for _ in range(20):
            value = [value]
        with pytest.raises(ValueError, match="nested"):
            canonical_json(value)

    @pytest.mark.parametrize("text", ["\ud83d", "a\0b"], ids=ascii)
    def test_refuses_by_name_what_a_peer_may_write_and_no_database_holds(self, text: str) -> None:
        for value in (text, {text: 1}):
            with pytest.raises(PeerError, match="bad_message"):
                canonical_json(value)


class TestALeaf:
    def test_is_over_the_canonical_json_of_the_whole_entry(self) -> None:
        data: dict[str, JSON] = {"person": "王", "n": 1}
        whole: dict[str, JSON] = {
            "type": "join",
            "lesson": "l1",
            "index": 7,
            "at_ms": 5,
            "recorded_at_ms": 6,
            "data": data,
        }
        expected = hashlib.sha256(b"\0" + canonical_json(whole).encode()).digest()
        assert entry_leaf(7, "join", "l1", 5, 6, canonical_json(data)) == expected

    def test_of_an_entry_without_lesson(self) -> None:
        whole: dict[str, JSON] = {
            "type": "t",
            "lesson": None,
            "index": 0,
            "at_ms": 0,
            "recorded_at_ms": 0,
            "data": {},
        }
        expected = hashlib.sha256(b"\0" + canonical_json(whole).encode()).digest()
        assert entry_leaf(0, "t", None, 0, 0, "{}") == expected


class TestACommitment:
    def test_depends_on_the_text_and_the_salt(self) -> None:
        made = commitment(b"salt" * 4, "你好")
        assert made == commitment(b"salt" * 4, "你好")
        assert len({made, commitment(b"pepper" * 4, "你好"), commitment(b"salt" * 4, "您好")}) == 3
