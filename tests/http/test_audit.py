"""What administrators do is on record before it is done, and nobody can stop that (REL-E8)."""

from __future__ import annotations

import json
from typing import Any

from liveserver.core import heads
from liveserver.core.permissions import Role
from tests.drivers.server import Server, request
from tests.http.conftest import Sign, signer
from tests.http.test_requests import is_problem

API = "/api/v1"


def ask(server: Server, method: str, path: str, token: str, body: Any = None) -> Any:
    content = None if method == "GET" else b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if body is not None else {}
    return request(method, server.base_url + API + path, token=token, body=content, headers=headers)


def newest(server: Server, auditor: str) -> Any:
    return ask(server, "GET", "/audit/acts?limit=10", auditor).json["items"]


class TestAnAct:
    def test_has_who_when_what_before_and_after_and_a_receipt(self, server: Server, sign: Sign) -> None:
        auditor, security = sign(Role.AUDIT, person="aud"), sign(Role.SECURITY, person="sec")
        for severity in ("light", "strict"):
            policy = ask(server, "GET", f"/policies/{severity}", security).json
            document = {"rules": policy["rules"]}
            done = ask(server, "PUT", "/policies/house-rules", security, document)
            assert done.status == 200, done.json
        act = newest(server, auditor)[-1]
        assert (act["by"], act["role"], act["outcome"]) == ("sec", "security", "200")
        assert act["act"].startswith("PUT /api/v1/policies/{policy")
        assert act["on"] == {"policy": "house-rules"}
        (change,) = act["changes"]
        assert change["type"] == "policy"
        assert change["before"] is not None
        assert change["before"] != change["after"]
        receipt = heads.Receipt.read(json.loads(done.headers["Ledger-Receipt"]))
        assert receipt.index == act["index"]
        keys = ask(server, "GET", "/ledger/keys", auditor).json["items"]
        heads.check(receipt, heads.follow(receipt.log, map(heads.LogKey.read, keys)), receipt.log)

    def test_that_fails_is_there_with_its_code(self, server: Server, sign: Sign) -> None:
        reply = ask(server, "PUT", "/policies/house-rules", sign(Role.SECURITY, person="sec"), {"no": 1})
        assert is_problem(reply, 400, "bad_request")
        act = newest(server, sign(Role.AUDIT))[-1]
        assert (act["by"], act["outcome"], act["changes"]) == ("sec", "bad_request", [])

    def test_of_a_learner_is_none(self, server: Server, sign: Sign) -> None:
        before = newest(server, sign(Role.AUDIT))
        ask(server, "PUT", "/me/consents/face", sign(Role.LEARNER), {})
        assert newest(server, sign(Role.AUDIT)) == before


class TestWhoeverWouldStopIt:
    def test_is_refused_and_on_record(self, server: Server, sign: Sign) -> None:
        for role in (Role.SYSTEM, Role.SECURITY, Role.ADMIN, Role.AUDIT):
            reply = ask(server, "DELETE", "/audit", sign(role, person=f"the-{role}"))
            assert is_problem(reply, 403, "forbidden")
            act = newest(server, sign(Role.AUDIT))[-1]
            assert (act["by"], act["role"], act["outcome"]) == (f"the-{role}", str(role), "forbidden")
            assert act["act"] == "DELETE /api/v1/audit"

    def test_may_not_read_it_either(self, server: Server, sign: Sign) -> None:
        for role in (Role.SYSTEM, Role.SECURITY, Role.MODERATOR, Role.INSTRUCTOR, Role.LEARNER):
            assert is_problem(ask(server, "GET", "/audit/acts", sign(role)), 403, "forbidden")


class TestTheReport:
    def test_is_not_there_before_the_first_audit(self, own_server: Server) -> None:
        # A server audits itself ten minutes after its start, so the shared one may have a report by now.
        auditor = signer(own_server)(Role.AUDIT)
        assert is_problem(ask(own_server, "GET", "/audit/report", auditor), 404, "not_found")
