"""`liveserver ledger`: what was altered, in words; the next key."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from liveserver import cli
from liveserver.clock import Clock
from liveserver.ledger import signing
from liveserver.ledger.notary import Notary
from liveserver.store import open_store
from tests.contract.test_ledger import fill


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a ledger of five entries and a signed head."""
    monkeypatch.setenv("LIVESERVER_DATA_DIR", str(tmp_path))

    async def make() -> None:
        store = await open_store(f"sqlite:///{tmp_path / 'liveserver.db'}")
        await fill(store, 5)
        await Notary(store, Clock(), await signing.load_signer(tmp_path / "keys", store, 1), 60).seal()
        await store.close()

    asyncio.run(make())
    return tmp_path


class TestVerify:
    def test_says_that_nothing_was_altered(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["ledger", "verify"]) == 0
        said = capsys.readouterr().out
        assert said.startswith("5 entries, 1 signed heads; no witness was asked.")
        assert said.endswith("Nothing was altered.\n")

    def test_names_the_entry_that_was(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        sql = sqlite3.connect(folder / "liveserver.db", isolation_level=None)
        sql.execute("DROP TRIGGER ledger_no_update")
        sql.execute("UPDATE ledger SET at_ms = at_ms - 1 WHERE entry_index = 3")
        sql.close()
        assert cli.main(["ledger", "verify"]) == 1
        said = capsys.readouterr().out
        assert "Entry 3: what it says is not what was written. It was changed in the database." in said
        assert "Warning: the trigger ledger_no_update is missing." in said
        assert cli.main(["ledger", "verify", "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["findings"][0]["index"] == 3

    def test_of_another_log_and_of_none(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["ledger", "verify", "--log", "00" * 32]) == 1
        assert "not 0000" in capsys.readouterr().out
        (folder / "liveserver.db").unlink()
        assert cli.main(["ledger", "verify"]) == 2
        assert "there is no database" in capsys.readouterr().err


class TestRotate:
    def test_makes_the_next_key(self, folder: Path) -> None:
        assert cli.main(["ledger", "rotate"]) == 0
        assert len((folder / "keys" / "ledger.next.key").read_bytes()) == 32


class TestPrepare:
    def test_is_for_postgresql(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["ledger", "prepare", "--role", "classroom"]) == 1
        assert "a SQLite file belongs to who can write it" in capsys.readouterr().err
