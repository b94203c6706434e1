"""Lessons over REST: who may do what with them, and the shapes of the answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from liveserver.core.heads import Head, LogKey, Receipt, check, follow
from liveserver.core.merkle import verify_consistency, verify_inclusion
from liveserver.core.permissions import Role, allows
from liveserver.http.routes import Route
from tests.drivers.process import until
from tests.drivers.server import Reply, Server, request
from tests.http.test_requests import GUARDED, address, is_problem


class TestWhoMay:
    @pytest.mark.parametrize("row", GUARDED, ids=lambda row: f"{row.method} {row.path}")
    def test_a_role_without_the_permission_is_refused(self, server: Server, sign, row: Route) -> None:
        assert row.permission is not None
        for role in (role for role in Role if not allows(role, row.permission)):
            body = b"" if row.method != "GET" else None
            reply = request(row.method, server.base_url + address(row), token=sign(role), body=body)
            assert is_problem(reply, 403, "forbidden"), role

    def test_a_token_of_another_lesson_is_refused(self, server: Server, sign) -> None:
        lesson = server.demo.id
        for path in ("", "/recordings"):
            reply = server.api("GET", f"/lessons/{lesson}{path}", token=sign(Role.INSTRUCTOR, lesson="other"))
            assert is_problem(reply, 403, "forbidden")

    @pytest.mark.parametrize("path", ["/ledger/head", "/recordings"])
    def test_one_lessons_token_does_not_open_what_is_about_all(self, server: Server, sign, path: str) -> None:
        assert is_problem(
            server.api("GET", path, token=sign(Role.ADMIN, lesson=server.demo.id)), 403, "forbidden"
        )


class TestALesson:
    def test_is_made_waiting_with_links_and_a_token_for_each_role(self, server: Server) -> None:
        reply = server.api("POST", "/lessons", {"title": "消防安全 Fire safety"})
        made = reply.json
        assert (reply.status, set(made)) == (201, {"id", "pages", "tokens"})
        assert set(made["tokens"]) == {"instructor", "learner", "moderator", "inspector"}
        lesson = server.api("GET", f"/lessons/{made['id']}", token=made["tokens"]["learner"]).json
        assert (lesson["title"], lesson["state"], lesson["viewers"]) == ("消防安全 Fire safety", "waiting", 0)
        token = made["tokens"]["learner"]
        assert made["pages"]["learn"] == f"{server.base_url}/learn/{made['id']}#token={token}"
        assert (
            made["pages"]["learn_h5"] == f"{server.base_url}/learn/{made['id']}?transport=hls#token={token}"
        )

    def test_tokens_are_for_persons_of_their_own(self, server: Server) -> None:
        lesson = server.new_lesson()
        tokens = server.more_tokens(lesson, 120)
        assert len(set(tokens)) == 120
        assert server.api("GET", f"/lessons/{lesson.id}", token=tokens[-1]).status == 200
        assert server.api("GET", f"/lessons/{server.demo.id}", token=tokens[-1]).status == 403

    def test_tokens_of_a_lesson_nobody_made_are_not_issued(self, server: Server) -> None:
        reply = server.api("POST", "/lessons/nolesson/tokens", {"role": "learner", "name": "Li"})
        assert is_problem(reply, 404, "unknown_lesson")

    def test_ends_once_and_stays_ended(self, server: Server) -> None:
        lesson = server.new_lesson()
        ended = server.api("POST", f"/lessons/{lesson.id}/end", token=lesson.tokens["instructor"]).json
        assert ended["state"] == "ended"
        assert ended["ended_at"].endswith("Z")
        assert server.lesson(lesson)["state"] == "ended"


class TestTheList:
    def test_pages_lead_through_all_lessons_newest_first(self, server: Server) -> None:
        made = [server.new_lesson(f"Page {number}").id for number in range(3)]
        found, after = [], ""
        while True:
            page = server.api("GET", f"/lessons?limit=2{after}").json
            found += [lesson["id"] for lesson in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert len(set(found)) == len(found)
        assert [lesson for lesson in found if lesson in made] == made[::-1]

    def test_of_one_state_holds_no_other(self, server: Server) -> None:
        lesson = server.new_lesson()
        server.api("POST", f"/lessons/{lesson.id}/end")
        ended = server.api("GET", "/lessons?state=ended&limit=200").json["items"]
        assert lesson.id in [found["id"] for found in ended]
        assert {found["state"] for found in ended} == {"ended"}

    def test_shows_a_token_of_one_lesson_that_lesson(self, server: Server, sign) -> None:
        token = sign(Role.MODERATOR, lesson=server.demo.id)
        items = server.api("GET", "/lessons", token=token).json["items"]
        assert [lesson["id"] for lesson in items] == [server.demo.id]
        assert server.api("GET", "/lessons?state=ended", token=token).json["items"] == []


class TestACut:
    @pytest.mark.parametrize("control", [False, True], ids=["public port", "control port"])
    def test_and_its_restore_answer_alike_on_both_ports(self, server: Server, control: bool) -> None:
        lesson = server.new_lesson()
        order = {"level": "lesson", "reason": "证件 exposed"}
        cut = server.api("POST", f"/lessons/{lesson.id}/cut", order, role="moderator", control=control).json
        assert (cut["level"], cut["reason"], cut["epoch"]) == ("lesson", "证件 exposed", 1)
        assert cut["dark_ms"] >= 0
        shown = server.wait_lesson(lesson, state="cut")
        assert (shown["cut"]["level"], shown["cut"]["reason"]) == ("lesson", "证件 exposed")
        back = {"reason": "checked"}
        restored = server.api(
            "POST", f"/lessons/{lesson.id}/restore", back, role="moderator", control=control
        )
        assert (restored.status, restored.json["state"], restored.json["epoch"]) == (200, "restored", 2)
        assert server.wait_lesson(lesson, state="waiting")["cut"] is None

    def test_is_listed_with_its_own_times_for_those_who_judge_it(self, server: Server) -> None:
        lesson = server.new_lesson()
        for level in ("chat", "lesson"):
            order = {"level": level, "reason": "x"}
            assert server.api("POST", f"/lessons/{lesson.id}/cut", order, role="moderator").status == 200
        path = f"/lessons/{lesson.id}/cuts"

        def measured() -> list[dict[str, Any]] | None:
            items = server.api("GET", path, role="moderator").json["items"]
            return items if len(items) == 2 and all(item["measured"] for item in items) else None

        newest, oldest = until(measured, "both measured")
        assert [newest["level"], oldest["level"]] == ["lesson", "chat"]
        assert newest["measured"]["viewers"] == 0 and newest["measured"]["dark_ms"] >= 0
        assert server.lesson(lesson)["cut"]["measured"] == newest["measured"]
        page = server.api("GET", f"{path}?limit=1", role="inspector").json
        rest = server.api("GET", f"{path}?limit=1&after={page['next']}", role="admin").json
        assert page["items"] + rest["items"] == [newest, oldest]
        for role in ("instructor", "learner"):
            assert is_problem(server.api("GET", path, token=lesson.tokens[role]), 403, "forbidden")

    @pytest.mark.parametrize("control", [False, True], ids=["public port", "control port"])
    def test_by_somebody_without_the_right_is_refused(self, server: Server, control: bool) -> None:
        path, order = f"/lessons/{server.demo.id}/cut", {"level": "lesson", "reason": "x"}
        for role in ("learner", "instructor", "inspector"):
            reply = server.api("POST", path, order, role=role, control=control)
            assert is_problem(reply, 403, "forbidden")

    @pytest.mark.parametrize("control", [False, True], ids=["public port", "control port"])
    @pytest.mark.parametrize(
        "order",
        [
            {"level": "person", "reason": "x"},
            {"level": "lesson", "reason": "x", "person": "p"},
            {"level": "all", "reason": "x"},
            {"level": "lesson"},
            {"level": "lesson", "reason": "x" * 201},
        ],
    )
    def test_that_makes_no_sense_is_400(self, server: Server, order, control: bool) -> None:
        reply = server.api("POST", f"/lessons/{server.demo.id}/cut", order, control=control)
        assert is_problem(reply, 400, "bad_request")

    def test_on_the_control_port_works_while_the_main_loop_is_blocked(self, server: Server) -> None:
        """DESIGN section 3: the guard's thread needs nothing of the main loop."""
        lesson = server.new_lesson()
        with server_blocked(server):
            order = {"level": "lesson", "reason": "blocked"}
            reply = server.api("POST", f"/lessons/{lesson.id}/cut", order, control=True, timeout_s=2.5)
            assert reply.status == 200
        assert server.wait_lesson(lesson, state="cut")


class TestTheLedger:
    def test_proves_each_of_its_entries(self, server: Server) -> None:
        lesson = server.new_lesson()
        head = server.api("GET", "/ledger/head", role="inspector").json
        entries = server.api("GET", f"/ledger/entries?lesson={lesson.id}", role="inspector").json["items"]
        assert entries
        for entry in entries:
            path = f"/ledger/proof?index={entry['index']}&size={head['size']}"
            proof = server.api("GET", path, role="inspector").json
            nodes = [bytes.fromhex(node) for node in proof["path"]]
            leaf, root = bytes.fromhex(entry["leaf"]), bytes.fromhex(head["root"])
            assert proof["leaf"] == entry["leaf"]
            assert verify_inclusion(entry["index"], head["size"], leaf, nodes, root)

    def test_is_signed_and_its_receipts_and_proofs_fit_the_signed_head(self, server: Server) -> None:
        def get(path: str) -> Any:
            return server.api("GET", f"/ledger/{path}", role="inspector").json

        server.new_lesson()
        head = Head.read(until(lambda: get("head")["signed"], "a signed head"))
        keys = follow(head.log, [LogKey.read(key) for key in get("keys")["items"]])
        receipt = Receipt.read(get("receipt?index=0"))
        for document in (head, receipt):
            check(document, keys, head.log)
        proof = get(f"proof?leaf={receipt.leaf}&size={head.size}")
        assert (proof["index"], proof["size"]) == (0, head.size)
        path = [bytes.fromhex(node) for node in proof["path"]]
        leaf, root = bytes.fromhex(proof["leaf"]), bytes.fromhex(head.root)
        assert verify_inclusion(0, head.size, leaf, path, root)
        grown = get(f"proof?first=1&second={head.size}")
        path = [bytes.fromhex(node) for node in grown["path"]]
        assert verify_consistency(1, head.size, leaf, root, path)
        assert get("heads?limit=1")["items"][0]["size"] <= head.size
        assert get("witnesses")["items"] == []

    @pytest.mark.parametrize(
        "query", ["", "index=0&leaf=00", "first=1&index=0", "leaf=" + "g" * 64, "second=1"]
    )
    def test_is_asked_for_one_proof_at_a_time(self, server: Server, query: str) -> None:
        assert is_problem(server.api("GET", f"/ledger/proof?{query}"), 400, "bad_request")

    def test_is_paged_by_index(self, server: Server) -> None:
        server.new_lesson()
        first = server.api("GET", "/ledger/entries?limit=1").json
        assert [entry["index"] for entry in first["items"]] == [0]
        second = server.api("GET", f"/ledger/entries?limit=1&after={first['next']}").json
        assert [entry["index"] for entry in second["items"]] == [1]

    @pytest.mark.parametrize("query", ["index=0&size=1000000", "index=5&size=5"])
    def test_has_no_proof_for_what_is_not_in_it(self, server: Server, query: str) -> None:
        assert is_problem(server.api("GET", f"/ledger/proof?{query}"), 404, "not_found")


@contextlib.contextmanager
def server_blocked(server: Server, seconds: int = 3) -> Iterator[None]:
    """The main loop blocked by the test hook, for `seconds` from before the context is entered."""
    url = f"{server.base_url}/debug/block?seconds={seconds}"
    asking = threading.Thread(target=request, args=("POST", url), kwargs={"body": b""})
    asking.start()
    wait_blocked(server)
    try:
        yield
    finally:
        asking.join()


def wait_blocked(server: Server) -> None:
    """Return when the public port no longer answers."""
    for _ in range(200):
        try:
            request("GET", f"{server.base_url}/healthz", timeout_s=0.2)
        except OSError:
            return
    raise AssertionError("the main loop was never blocked")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose every restore needs two persons."""
    setting = {"LIVESERVER_CONTROL_TWO_PERSON_RESTORE": "true"}
    server = Server(tmp_path_factory.mktemp("strict"), **setting).start()
    yield server
    server.stop()


class TestTwoPersons:
    @pytest.mark.parametrize("control", [False, True], ids=["public port", "control port"])
    def test_lift_a_cut_together(self, strict: Server, control: bool) -> None:
        lesson = strict.new_lesson()
        strict.api("POST", f"/lessons/{lesson.id}/cut", {"level": "lesson", "reason": "x"})

        def restore(role: str) -> Reply:
            path, body = f"/lessons/{lesson.id}/restore", {"reason": "checked"}
            return strict.api("POST", path, body, role=role, control=control)

        waiting = restore("moderator")
        assert (waiting.status, waiting.json["state"]) == (202, "waiting_for_second")
        assert is_problem(restore("moderator"), 409, "second_person_needed")
        asked = strict.lesson(lesson)["cut"]["restore"]
        assert (asked["by"], asked["expires_at"]) == (waiting.json["by"], waiting.json["expires_at"])
        assert restore("admin").json["state"] == "restored"
        assert strict.wait_lesson(lesson, state="waiting")["cut"] is None
