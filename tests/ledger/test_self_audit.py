"""The server audits itself: what does not fit is a fact, an alarm and a line of the log."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from liveserver.clock import Clock
from liveserver.ledger import signing
from liveserver.ledger.notary import Notary
from liveserver.ledger.self_audit import SelfAudit
from liveserver.store import Store, open_store
from tests.contract.test_ledger import fill


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'liveserver.db'}")
    await Notary(opened, Clock(), await signing.load_signer(tmp_path / "keys", opened, 1), 60).stop()
    await fill(opened, 300)
    await Notary(opened, Clock(), await signing.load_signer(tmp_path / "keys", opened, 1), 60).stop()
    yield opened
    await opened.close()


def audit_of(store: Store, folder: Path, damaged: int = 0) -> SelfAudit:
    async def storage() -> dict[str, Any]:
        return {"objects": 3, "damaged_objects": damaged, "overdue_readings": 0}

    return SelfAudit(store, Clock(), storage, 3600, {"LIVESERVER_DATA_DIR": str(folder)})


class TestTheAudit:
    async def test_finds_nothing_and_that_is_a_fact(self, store: Store, tmp_path: Path) -> None:
        audit = audit_of(store, tmp_path)
        report = await audit.audit()
        assert report["ok"] is True
        assert (report["size"], report["heads"], report["findings"], report["weaknesses"]) == (300, 1, [], [])
        last = await store.trail.last("self_audit")
        assert last is not None
        assert last.data == report
        assert audit.numbers()["findings"] == 0

    async def test_names_the_entry_that_was_altered_and_the_trigger_that_is_gone(
        self, store: Store, tmp_path: Path
    ) -> None:
        sql = sqlite3.connect(tmp_path / "liveserver.db", isolation_level=None)
        sql.execute("DROP TRIGGER ledger_no_update")
        sql.execute("UPDATE ledger SET type = 'leave' WHERE entry_index = 41")
        sql.close()
        audit = audit_of(store, tmp_path)
        report = await audit.audit()
        assert report["ok"] is False
        assert report["findings"] == [{"problem": "altered", "index": 41, "count": 1}]
        assert report["weaknesses"] == ["the trigger ledger_no_update is missing"]
        assert audit.numbers()["findings"] == 1

    async def test_counts_damaged_recordings(self, store: Store, tmp_path: Path) -> None:
        audit = audit_of(store, tmp_path, damaged=2)
        report = await audit.audit()
        assert (report["ok"], report["damaged_objects"], audit.numbers()["findings"]) == (False, 2, 2)

    async def test_that_cannot_be_made_says_so(self, store: Store, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="no database"):
            await audit_of(store, tmp_path / "elsewhere").audit()
