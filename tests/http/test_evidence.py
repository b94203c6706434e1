"""Evidence bundles over HTTP and `liveserver verify`: who gets which, and what the command says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from liveserver.cli import main
from liveserver.core.permissions import Role
from tests.drivers.process import until
from tests.drivers.server import Server


class TestABundle:
    @pytest.fixture
    def lesson(self, server: Server) -> str:
        return server.new_lesson("车床 Lathes").id

    def test_is_made_for_inspector_and_administrator_and_proves_itself(
        self, server: Server, lesson: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for role in ("inspector", "admin"):
            reply = server.api("GET", f"/lessons/{lesson}/evidence", role=role)
            assert (reply.status, reply.headers["Content-Type"]) == (200, "application/zip")
            (tmp_path / "bundle.zip").write_bytes(reply.body)
            assert main(["verify", str(tmp_path / "bundle.zip"), "--json"]) == 0
            report = json.loads(capsys.readouterr().out)
            assert (report["fits"], report["lesson"], report["title"]) == (True, lesson, "车床 Lathes")
        facts = server.api("GET", f"/ledger/entries?lesson={lesson}").json["items"]
        exported = [fact["data"] for fact in facts if fact["type"] == "evidence_exported"]
        assert [fact["bytes"] > 100_000 for fact in exported] == [True, True]
        size = report["head"]["size"]
        again = server.api("GET", f"/lessons/{lesson}/evidence?size={size}", role="inspector")
        assert again.body == reply.body

    def test_is_refused_to_everybody_else(self, server: Server, lesson: str, sign) -> None:
        for role in (Role.LEARNER, Role.INSTRUCTOR, Role.MODERATOR):
            assert server.api("GET", f"/lessons/{lesson}/evidence", token=sign(role)).status == 403

    def test_of_one_s_own_needs_that_one_was_there(self, server: Server, lesson: str, sign) -> None:
        reply = server.api("GET", f"/me/evidence/{lesson}", token=sign(Role.LEARNER, lesson))
        assert (reply.status, reply.json["code"]) == (404, "unknown_person")
        assert server.api("GET", f"/me/evidence/{lesson}", token=sign(Role.LEARNER, "another")).status == 403

    def test_of_a_head_that_nobody_signed_is_404(self, server: Server, lesson: str) -> None:
        assert server.api("GET", f"/lessons/{lesson}/evidence?size=9999999").status == 404


class TestVerify:
    def test_ends_with_1_for_what_does_not_fit_and_2_for_no_file(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04")
        assert main(["verify", str(tmp_path / "bad.zip")]) == 1
        assert "does NOT prove what it says" in capsys.readouterr().out
        assert main(["verify", str(tmp_path / "none.zip")]) == 2


class TestAnInspector:
    def test_leaves_a_fact_for_each_look(self, server: Server) -> None:
        lesson = server.new_lesson().id
        for path in ("attendance", "challenges", "evidence"):
            assert server.api("GET", f"/lessons/{lesson}/{path}", role="inspector").status == 200
            assert server.api("GET", f"/lessons/{lesson}/{path}", role="admin").status == 200

        def looked(kind: str) -> list[str]:
            facts = server.api("GET", f"/ledger/entries?lesson={lesson}").json["items"]
            return [fact["data"]["what"] for fact in facts if fact["type"] == kind]

        for kind in ("inspected", "viewed"):  # of a bundle when its last byte was sent
            until(lambda kind=kind: looked(kind) == ["attendance", "checks", "evidence"], f"all {kind}")
        log = server.api("GET", "/inspections/views?limit=3", role="inspector").json["items"]
        assert [view["lesson"] for view in log] == [lesson] * 3

    def test_draws_a_sample_that_nobody_else_may_draw(self, server: Server) -> None:
        order = {"since": "2026-01-01", "until": "2027-01-01"}
        made = server.api("POST", "/inspections/samples", order, role="inspector")
        assert made.status == 201
        assert made.json["percent"] == 10
        assert server.api("POST", "/inspections/samples", order, role="admin").status == 403
        for wrong in ({"percent": 9}, {"seed": "AB" * 32}, {"seed": "12"}):
            assert server.api("POST", "/inspections/samples", order | wrong, role="inspector").status == 400
