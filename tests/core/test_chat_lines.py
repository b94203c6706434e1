"""A line of the chat: its commitment, its author, its place in the history."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.events.telling import Append, Broadcast
from liveserver.core.permissions import Role
from tests.core.lesson import NOW, joined, lesson, member, of, said


class TestChat:
    def test_the_ledger_holds_a_commitment_and_not_the_words(self):
        state = joined(lesson(), member("wang"))
        fact = of(Append, state.apply(said("c-wang", "my secret"), NOW))[0]
        assert "my secret" not in str(fact.data)
        assert len(fact.data["commitment"]) == 64
        assert fact.chat.text == "my secret"

    def test_the_author_recognises_the_line_by_its_ref(self):
        state = joined(lesson(), member("wang"))
        line = of(Broadcast, state.apply(said("c-wang", ref="r1"), NOW))[0].message
        assert line["ref"] == "r1"
        assert "ref" not in state.chat.history[-1]

    def test_history_keeps_the_newest_fifty(self):
        state = joined(lesson(), member("wang"))
        for number in range(60):
            state.apply(said("c-wang", f"line {number}"), NOW)
        assert [state.chat.history[0]["text"], state.chat.history[-1]["text"]] == ["line 10", "line 59"]

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.INSPECTOR])
    def test_who_may_not_chat_is_refused(self, role: Role):
        state = joined(lesson(), member("someone", role))
        with pytest.raises(PeerError, match="forbidden"):
            state.apply(said("c-someone"), NOW)
