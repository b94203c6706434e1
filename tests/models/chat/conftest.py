"""One screen for all tests of texts; loading its tables once is enough."""

from __future__ import annotations

import pytest

from models.chat.screen import ChatScreen


@pytest.fixture(scope="session")
def chat() -> ChatScreen:
    return ChatScreen.load()
