"""What nodes believe of what they are told: only what was signed with their key, once, and not long ago."""

from __future__ import annotations

import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.bus.envelope import FRESH_MS, MAX_BYTES, Doorkeeper, Envelope, EnvelopeError, seal, unseal

KEY, NOW = bytes(range(32)), 1_795_000_000_000
SAID = Envelope("north", 1, NOW, "kill.state", {"lesson": "a", "why": "赌博"})


class TestSealed:
    def test_it_says_what_was_said(self):
        assert unseal(seal(SAID, KEY), KEY) == SAID

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text.replace("kill.state", "kill.stats"),
            lambda text: text[:5] + ("0" if text[5] != "0" else "1") + text[6:],
            lambda text: text.replace("v1.", "v2."),
            lambda text: text[:-1],
            lambda text: text + " ",
            lambda text: text.partition("{")[2],
            lambda text: "v1." + "é" * 64 + text[67:],
            lambda text: "",
        ],
    )
    def test_whoever_lacks_the_key_can_change_nothing(self, change):
        with pytest.raises(EnvelopeError, match="forged"):
            unseal(change(seal(SAID, KEY)), KEY)

    def test_another_key_is_another_installation(self):
        with pytest.raises(EnvelopeError, match="forged"):
            unseal(seal(SAID, bytes(32)), KEY)

    @pytest.mark.parametrize(
        "body",
        [
            "7",
            "[]",
            "{}",
            "nonsense",
            "[" * 60_000,
            json.dumps({"node": 1, "seq": 1, "at_ms": 1, "topic": "t", "message": {}}),
            json.dumps({"node": "n", "seq": -1, "at_ms": 1, "topic": "t", "message": {}}),
            json.dumps({"node": "n", "seq": 1.5, "at_ms": 1, "topic": "t", "message": {}}),
            json.dumps({"node": "n", "seq": 1, "at_ms": 1, "topic": "t", "message": []}),
        ],
    )
    def test_what_a_broken_node_signs_is_refused(self, body):
        text = f"v1.{hmac.digest(KEY, body.encode(), 'sha256').hex()}.{body}"
        with pytest.raises(EnvelopeError, match="malformed"):
            unseal(text, KEY)

    def test_too_much_is_not_even_looked_at(self):
        with pytest.raises(EnvelopeError, match="large"):
            unseal(seal(replace(SAID, message={"x": "y" * MAX_BYTES}), KEY), KEY)

    @given(st.text(max_size=200))
    def test_anything_else_is_refused_by_one_word(self, text):
        with pytest.raises(EnvelopeError):
            unseal(text, KEY)


class TestTheDoor:
    def admits(self, door: Doorkeeper, *numbers: int, node: str = "north") -> list[bool]:
        answers = []
        for number in numbers:
            try:
                door.admit(replace(SAID, node=node, seq=number), NOW)
                answers.append(True)
            except EnvelopeError:
                answers.append(False)
        return answers

    def test_each_message_comes_in_once_in_whatever_order(self):
        door = Doorkeeper()
        assert self.admits(door, 3, 1, 3, 2, 1, 9, 4, 9) == [
            True,
            True,
            False,
            True,
            False,
            True,
            True,
            False,
        ]

    def test_each_sender_counts_for_itself(self):
        door = Doorkeeper()
        assert self.admits(door, 5) == self.admits(door, 5, node="south") == [True]

    def test_what_is_older_than_can_be_remembered_stays_outside(self):
        assert self.admits(Doorkeeper(), 5000, 5000 - 1023, 5000 - 1024) == [True, True, False]

    @pytest.mark.parametrize("off_ms", [FRESH_MS + 1, -FRESH_MS - 1])
    def test_what_is_old_or_from_the_future_as_well(self, off_ms):
        with pytest.raises(EnvelopeError, match="stale"):
            Doorkeeper().admit(SAID, NOW + off_ms)

    @given(st.lists(st.integers(1, 3000), max_size=200))
    def test_no_number_comes_in_twice(self, numbers):
        door = Doorkeeper()
        let_in = [n for n, was in zip(numbers, self.admits(door, *numbers), strict=True) if was]
        assert len(let_in) == len(set(let_in))
