"""People and classes over REST: who may do what, what is refused, what stays in the ledger."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from liveserver.core.permissions import Role
from tests.drivers.server import Reply, Server, request
from tests.http.test_requests import is_problem

_numbers = itertools.count(1)


def add(server: Server, path: str, **values: Any) -> dict[str, Any]:
    reply = server.api("POST", f"/{path}", values)
    assert reply.status == 201, reply.json
    return reply.json


def project(server: Server, **values: Any) -> dict[str, Any]:
    number = next(_numbers)
    return add(server, "projects", **{"code": f"P{number}", "name": f"焊工 {number}", **values})


def training_class(server: Server, preset: str = "default", **values: Any) -> dict[str, Any]:
    of = project(server, preset=preset)["id"]
    number = next(_numbers)
    return add(
        server, "classes", **{"number": f"C{number}", "name": f"一班 {number}", "project": of, **values}
    )


def person(server: Server, name: str = "王伟", **values: Any) -> dict[str, Any]:
    return add(server, "persons", name=name, **values)


class TestAThing:
    def test_is_added_read_changed_and_found(self, server: Server) -> None:
        firm = add(server, "organisations", kind="enterprise", name="新光机械", uscc="91110000600037341l")
        assert firm["uscc"] == "91110000600037341L"
        path = f"/organisations/{firm['id']}"
        changed = server.api("PATCH", path, {"region_code": "110105", "contact_phone": "010-6500 0000"}).json
        assert (changed["region_code"], changed["name"]) == ("110105", "新光机械")
        assert server.api("GET", path).json["contact_phone"] == "01065000000"
        found = server.api("GET", "/organisations?q=%E6%96%B0%E5%85%89&kind=enterprise").json
        assert [one["id"] for one in found["items"]] == [firm["id"]]
        assert found["items"][0]["contact_phone"] == "010****0000"

    def test_is_archived_and_comes_back_and_is_never_gone(self, server: Server) -> None:
        one = person(server, "archie archived")
        assert server.api("POST", f"/persons/{one['id']}/archive").json["status"] == "archived"
        assert server.api("GET", "/persons?q=archie&status=active").json["items"] == []
        assert len(server.api("GET", "/persons?q=archie&status=archived").json["items"]) == 1
        assert server.api("POST", f"/persons/{one['id']}/restore").json["status"] == "active"

    @pytest.mark.parametrize(
        ("path", "values", "status", "code"),
        [
            ("organisations", {"kind": "provider", "name": "x", "uscc": "91110000600037341M"}, 422,
             "bad_uscc"),
            ("organisations", {"kind": "club", "name": "x"}, 400, "bad_request"),
            ("organisations", {"kind": "provider", "name": "x", "valid_from": "2026-02-30"}, 422, "bad_day"),
            ("organisations", {"kind": "provider", "name": "x", "valid_from": "2026-02-03",
                               "valid_to": "2026-01-01"}, 422, "bad_day"),
            ("persons", {"name": "Li", "phone": "12a45"}, 422, "bad_phone"),
            ("persons", {"name": "Li", "enterprise": "nobody"}, 422, "unknown_organisation"),
            ("persons", {"name": "Li", "status": "active"}, 400, "bad_request"),
            ("courses", {"code": "c", "name": "x", "project": "nobody"}, 422, "unknown_project"),
            ("classes", {"number": "n", "name": "x"}, 400, "bad_request"),
        ],
    )  # fmt: skip
    def test_that_is_wrong_is_refused_by_name(
        self, server: Server, path: str, values: dict[str, Any], status: int, code: str
    ) -> None:
        assert is_problem(server.api("POST", f"/{path}", values), status, code)

    def test_that_is_a_person_is_erased_for_ever_once_archived(self, server: Server) -> None:
        one = person(server, "erased person", phone="13912340000")
        path, why = f"/persons/{one['id']}", {"reason": "asked for it"}
        server.api("PUT", f"{path}/identity", {"number": "11010519880712002X"})
        assert is_problem(server.api("POST", f"{path}/erasure", why), 409, "not_archived")
        server.api("POST", f"{path}/archive")
        assert server.api("POST", f"{path}/erasure", why).status == 204
        gone = server.api("GET", path).json
        assert (gone["name"], gone["phone"], gone["status"]) == ("", "", "archived")
        assert is_problem(server.api("GET", f"{path}/identity"), 404, "not_found")

    def test_of_a_number_that_is_there_is_refused(self, server: Server) -> None:
        kept = project(server)
        again = server.api("POST", "/projects", {"code": kept["code"], "name": "other"})
        assert is_problem(again, 409, "already_there")

    def test_a_courses_name_stays(self, server: Server) -> None:
        course = add(server, "courses", code="stay", name="消防安全 stays")
        assert is_problem(server.api("PATCH", f"/courses/{course['id']}", {"name": "x"}), 400, "bad_request")

    def test_nobody_made_is_404(self, server: Server) -> None:
        for method, path in (("GET", "/persons/x"), ("POST", "/persons/x/archive"), ("GET", "/classes/x")):
            assert is_problem(server.api(method, path), 404, "not_found")

    def test_stays_in_the_ledger_without_a_word_about_persons(self, server: Server) -> None:
        size = server.api("GET", "/ledger/head").json["size"]
        one = person(server, "张居正", phone="13912345678")
        server.api("PATCH", f"/persons/{one['id']}", {"name": "张居正二"})
        entries = server.api("GET", f"/ledger/entries?after={size - 1}").json["items"]
        mine = [entry for entry in entries if entry["data"].get("id") == one["id"]]
        assert [(entry["type"], entry["data"]["act"]) for entry in mine] == [
            ("person", "added"),
            ("person", "changed"),
        ]
        assert set(mine[1]["data"]["before"]) == {"name"}
        text = json.dumps(mine, ensure_ascii=False)
        assert "张居正" not in text
        assert "1391" not in text


class TestWhatInspectorsSee:
    def test_is_masked_and_cannot_be_changed(self, server: Server, sign) -> None:
        one = person(server, "李娜", phone="13912345678")
        token = sign(Role.INSPECTOR)
        assert server.api("GET", f"/persons/{one['id']}", token=token).json["phone"] == "139****5678"
        assert is_problem(server.api("PATCH", f"/persons/{one['id']}", {}, token=token), 403, "forbidden")


class TestAListAsCsv:
    def test_opens_in_a_spreadsheet_masked_and_runs_nothing(self, server: Server) -> None:
        person(server, "=HYPERLINK(1)", phone="13912345678")
        person(server, "欧阳锋 csv")
        reply = server.api("GET", "/persons.csv?q=csv")
        assert reply.headers["Content-Type"].startswith("text/csv")
        lines = reply.body.decode("utf-8-sig").split("\r\n")
        assert lines[0] == "人员编号,姓名,手机号,企业,状态"
        assert lines[1].split(",")[1] == "欧*****v"
        firm = add(server, "organisations", kind="provider", name="=1+1 csv")
        text = server.api("GET", "/organisations.csv?q=%3D1").body.decode()
        assert f"{firm['id']},provider,'=1+1 csv," in text


class TestAClass:
    def test_has_a_roster_that_people_join_and_leave(self, server: Server) -> None:
        of, one = training_class(server), person(server, "roster one", phone="13911112222")
        path = f"/classes/{of['id']}/roster"
        joined = server.api("POST", path, {"person": one["id"], "student_no": "07"}).json
        assert (joined["class"], joined["name"], joined["status"]) == (of["id"], "roster one", "enrolled")
        assert joined["phone"] == "139****2222"
        assert server.api("GET", f"/classes/{of['id']}").json["learners"] == 1
        left = server.api("PATCH", f"{path}/{one['id']}", {"status": "left"}).json
        assert left["left_at"].endswith("Z")
        assert server.api("GET", f"{path}?status=enrolled").json["items"] == []
        back = server.api("PATCH", f"{path}/{one['id']}", {"status": "enrolled"}).json
        assert (back["left_at"], back["student_no"]) == (None, "07")
        assert "07,r********e,139****2222" in server.api("GET", f"{path}.csv").body.decode()

    def test_takes_nobody_it_does_not_know(self, server: Server) -> None:
        of, one = training_class(server), person(server)
        path = f"/classes/{of['id']}/roster"
        assert is_problem(server.api("POST", path, {"person": "ghost"}), 422, "unknown_person")
        wrong = {"person": one["id"], "group": "ghost"}
        assert is_problem(server.api("POST", path, wrong), 422, "unknown_group")
        nowhere = server.api("POST", "/classes/ghost/roster", {"person": one["id"]})
        assert is_problem(nowhere, 422, "unknown_class")
        server.api("POST", f"/classes/{of['id']}/archive")
        assert is_problem(server.api("POST", path, {"person": one["id"]}), 409, "archived")

    def test_has_groups(self, server: Server) -> None:
        of, one = training_class(server), person(server)
        group = server.api("POST", f"/classes/{of['id']}/groups", {"name": "甲组"}).json
        again = server.api("POST", f"/classes/{of['id']}/groups", {"name": "甲组"})
        assert is_problem(again, 409, "already_there")
        row = server.api(
            "POST", f"/classes/{of['id']}/roster", {"person": one["id"], "group": group["id"]}
        ).json
        assert row["group"] == group["id"]
        path = f"/classes/{of['id']}/groups/{group['id']}"
        assert server.api("PATCH", path, {"status": "archived"}).json["status"] == "archived"

    def test_of_a_programme_says_what_its_start_lacks(self, server: Server) -> None:
        of = training_class(server, "beijing-qihang-2023")
        path = f"/classes/{of['id']}"
        gates = {gate["code"]: gate["clause"] for gate in server.api("GET", path).json["gates"]}
        assert set(gates) == {"class_not_approved", "instructors_missing"}
        assert gates["instructors_missing"].startswith("REQ-E9")
        for number in range(2):
            teacher = person(server, f"teacher {number}")
            body = {"person": teacher["id"], "certificate_no": f"Z{number}", "full_time": True}
            assert server.api("POST", f"{path}/instructors", body).status == 201
        too_early = server.api("POST", f"{path}/approval", {"approval": "approved"})
        assert is_problem(too_early, 409, "wrong_step")
        for step in ("submitted", "approved"):
            assert server.api("POST", f"{path}/approval", {"approval": step, "note": "区人社"}).status == 200
        assert server.api("GET", path).json["gates"] == []
        teachers = server.api("GET", f"{path}/instructors").json["items"]
        server.api("PATCH", f"{path}/instructors/{teachers[0]['person']}", {"status": "released"})
        assert [gate["code"] for gate in server.api("GET", path).json["gates"]] == ["instructors_missing"]


class TestAPlaceAtPublicCost:
    def test_is_not_given_twice_in_a_project_nor_twice_a_year(self, server: Server) -> None:
        first = training_class(server, "beijing-qihang-2023", starts_on="2026-03-02")
        values = {"number": f"C{next(_numbers)}", "name": "again", "project": first["project"]}
        again = add(server, "classes", **values)
        other = training_class(server, "beijing-qihang-2023", starts_on="2026-09-01")
        one = person(server, "once only", phone="13977770001")
        body = {"person": one["id"], "subsidy_type": "A"}
        assert server.api("POST", f"/classes/{first['id']}/roster", body).status == 201
        assert is_problem(server.api("POST", f"/classes/{again['id']}/roster", body), 409, "project_repeated")
        assert is_problem(server.api("POST", f"/classes/{other['id']}/roster", body), 409, "subsidy_repeated")
        text = "姓名,手机号,补贴类型\nonce only,13977770001,A\n"
        seen = upload(server, other["id"], text, dry_run=True).json
        assert [error["code"] for error in seen["items"][0]["errors"]] == ["subsidy_repeated"]
        free = {"person": one["id"]}
        assert server.api("POST", f"/classes/{other['id']}/roster", free).status == 201
        later = server.api("PATCH", f"/classes/{other['id']}/roster/{one['id']}", {"subsidy_type": "A"})
        assert is_problem(later, 409, "subsidy_repeated")


class TestALessonOfAClass:
    def lesson(self, server: Server, of: dict[str, Any], **values: Any) -> dict[str, Any]:
        return add(server, "lessons", **{"title": "第一课", "class": of["id"], **values})

    def test_belongs_to_its_class_course_and_project(self, server: Server) -> None:
        of = training_class(server, "fujian")
        course = add(
            server, "courses", code=f"K{next(_numbers)}", name=f"电工 {next(_numbers)}", project=of["project"]
        )
        start = "2026-12-01T09:00:00+08:00"
        made = self.lesson(server, of, course=course["id"], planned_start=start, planned_minutes=45)
        assert set(made["tokens"]) == {"instructor", "moderator", "inspector"}
        lesson = server.api("GET", f"/lessons/{made['id']}").json
        shown = {key: lesson[key] for key in ("class", "course", "course_id", "project", "preset")}
        assert shown == {
            "class": of["id"], "course": course["name"], "course_id": course["id"],
            "project": of["project"], "preset": "fujian",
        }  # fmt: skip
        assert (lesson["planned_start"], lesson["planned_s"]) == ("2026-12-01T01:00:00.000Z", 2700)
        later = {"planned_start": "2026-12-02T09:00:00+08:00", "planned_minutes": 90}
        assert server.api("PUT", f"/lessons/{made['id']}/plan", later).json["planned_s"] == 5400
        table = server.api("GET", f"/classes/{of['id']}/timetable").json["items"]
        assert [one["id"] for one in table] == [made["id"]]
        calendar = server.api("GET", f"/classes/{of['id']}/timetable.ics")
        assert calendar.headers["Content-Type"].startswith("text/calendar")
        assert b"DTSTART:20261202T010000Z" in calendar.body

    @pytest.mark.parametrize(
        ("values", "status", "code"),
        [
            ({"class": "ghost"}, 422, "unknown_class"),
            ({"project": "ghost"}, 422, "unknown_project"),
            ({"planned_start": "tomorrow"}, 400, "bad_request"),
        ],
    )
    def test_of_what_is_not_there_is_refused(
        self, server: Server, values: dict[str, Any], status: int, code: str
    ) -> None:
        assert is_problem(server.api("POST", "/lessons", {"title": "x", **values}), status, code)

    def test_of_another_project_than_its_course_is_refused(self, server: Server) -> None:
        of, other = training_class(server), project(server)["id"]
        body = {"title": "x", "class": of["id"], "project": other}
        assert is_problem(server.api("POST", "/lessons", body), 422, "wrong_course")

    def test_gives_tokens_to_its_roster_alone(self, server: Server) -> None:
        of = training_class(server)
        people = [person(server, f"token {n}") for n in range(3)]
        for one in people[:2]:
            server.api("POST", f"/classes/{of['id']}/roster", {"person": one["id"]})
        path = f"/lessons/{self.lesson(server, of)['id']}/tokens"
        by_name = server.api("POST", path, {"role": "learner", "name": "Li"})
        assert is_problem(by_name, 422, "person_needed")
        stranger = server.api("POST", path, {"role": "learner", "person": people[2]["id"]})
        assert is_problem(stranger, 403, "not_enrolled")
        given = server.api("POST", path, {"role": "learner", "roster": True}).json
        assert [one["name"] for one in given["people"]] == ["token 0", "token 1"]
        assert given["tokens"] == [one["token"] for one in given["people"]]
        own = server.api("GET", "/me/lessons", token=given["tokens"][0]).json["items"]
        assert [(one["title"], one["class"], one["role"]) for one in own] == [
            ("第一课", of["name"], "learner")
        ]

    def test_is_one_of_my_lessons_with_my_own_page(self, server: Server, sign) -> None:
        of = training_class(server)
        server.api("PATCH", f"/projects/{of['project']}", {"zone": True})
        one = person(server, "own lessons")
        server.api("POST", f"/classes/{of['id']}/roster", {"person": one["id"]})
        start = "2026-12-01T09:00:00+08:00"
        made = self.lesson(server, of, planned_start=start, planned_minutes=45)
        token = sign(Role.LEARNER, person=one["id"])
        (own,) = server.api("GET", "/me/lessons", token=token).json["items"]
        assert (own["id"], own["zone"], own["state"]) == (made["id"], True, "waiting")
        learn = f"{server.base_url}/learn/{made['id']}"
        assert own["pages"] == {"learn": learn, "learn_h5": f"{learn}?transport=hls"}
        assert b"BEGIN:VEVENT" in server.api("GET", "/me/timetable.ics", token=token).body
        server.api("POST", f"/lessons/{made['id']}/end")
        (own,) = server.api("GET", "/me/lessons", token=token).json["items"]
        assert own["pages"] == {}
        assert b"STATUS:CANCELLED" in server.api("GET", "/me/timetable.ics", token=token).body
        assert is_problem(server.api("PUT", f"/lessons/{made['id']}/plan", {}), 409, "lesson_begun")


def upload(server: Server, of: str, text: str, *, dry_run: bool, kind: str = "text/csv") -> Reply:
    url = f"{server.base_url}/api/v1/classes/{of}/roster/import?dry_run={str(dry_run).lower()}"
    return request("POST", url, token=server.token("admin"), body=text.encode(), content_type=kind)


class TestARosterFromAFile:
    TEXT = (
        "姓名,手机号,学号,企业,群组\n王一,13900010001,1,不在,\n"
        "=1+1,13900010002,2,,\n李二,13900010003,3,,甲组\n"
    )

    def test_is_looked_at_first_and_writes_nothing_then(self, server: Server) -> None:
        of = training_class(server)
        server.api("POST", f"/classes/{of['id']}/groups", {"name": "甲组"})
        seen = upload(server, of["id"], self.TEXT, dry_run=True).json
        assert (seen["good"], seen["bad"], seen["written"]) == (1, 2, False)
        states = [(item["row"], item["state"], [e["code"] for e in item["errors"]]) for item in seen["items"]]
        assert states == [
            (2, "bad", ["unknown_enterprise"]),
            (3, "bad", ["formula"]),
            (4, "new", []),
        ]
        assert seen["items"][2]["phone"] == "139****0003"
        assert server.api("GET", f"/classes/{of['id']}/roster").json["items"] == []

    def test_then_writes_every_good_row_and_is_one_fact(self, server: Server) -> None:
        of = training_class(server)
        server.api("POST", f"/classes/{of['id']}/groups", {"name": "甲组"})
        add(server, "organisations", kind="enterprise", name="不在")
        size = server.api("GET", "/ledger/head").json["size"]
        done = upload(server, of["id"], self.TEXT.replace("=1+1", "赵三"), dry_run=False).json
        assert (done["good"], done["bad"], done["written"]) == (3, 0, True)
        roster = server.api("GET", f"/classes/{of['id']}/roster").json["items"]
        assert {row["name"]: row["student_no"] for row in roster} == {"王一": "1", "赵三": "2", "李二": "3"}
        entries = server.api("GET", f"/ledger/entries?after={size - 1}").json["items"]
        (fact,) = (entry for entry in entries if entry["data"].get("class") == of["id"])
        assert (fact["type"], fact["data"]["act"], len(fact["data"]["people"])) == (
            "enrolment",
            "imported",
            3,
        )
        assert fact["data"]["file_sha256"] == done["sha256"]
        assert "王一" not in json.dumps(fact, ensure_ascii=False)

    def test_taken_again_makes_nobody_twice(self, server: Server) -> None:
        of = training_class(server)
        text = "姓名,手机号,学号\n孙四,13900020001,1\n周五,,2\n"
        upload(server, of["id"], text, dry_run=False)
        again = upload(server, of["id"], text, dry_run=False).json
        assert [item["state"] for item in again["items"]] == ["enrolled", "enrolled"]
        assert server.api("GET", f"/classes/{of['id']}").json["learners"] == 2
        assert len(server.api("GET", "/persons?q=13900020001").json["items"]) == 1
        other = training_class(server)
        seen = upload(server, other["id"], text, dry_run=True).json
        assert [item["state"] for item in seen["items"]] == ["known", "new"]
        wrong = upload(server, other["id"], "姓名,手机号\n吴六,13900020001\n", dry_run=True).json
        assert wrong["items"][0]["errors"][0]["code"] == "phone_of_another"

    def test_knows_people_by_their_identity_numbers_which_it_seals(self, server: Server) -> None:
        of, number = training_class(server)["id"], "110105198807120011"
        text = f"姓名,身份证号\n郑七,{number}\n吴八,110105198807120021\n"
        done = upload(server, of, text, dry_run=False).json
        assert [(item["state"], item["identity"]) for item in done["items"]] == [
            ("new", "110***********0011"),
            ("bad", ""),
        ]
        assert done["items"][1]["errors"][0]["code"] == "bad_identity_number"
        (row,) = server.api("GET", f"/classes/{of}/roster").json["items"]
        other = training_class(server)["id"]
        seen = upload(server, other, text, dry_run=False).json
        assert seen["items"][0]["state"] == "known"
        (again,) = server.api("GET", f"/classes/{other}/roster").json["items"]
        assert again["person"] == row["person"]
        wrong = upload(server, other, f"姓名,身份证号\n郑九,{number}\n", dry_run=True).json
        assert wrong["items"][0]["errors"][0]["code"] == "number_of_another"
        assert number not in json.dumps(server.entries(), ensure_ascii=False)

    def test_that_is_no_table_is_refused(self, server: Server) -> None:
        of = training_class(server)["id"]
        assert is_problem(upload(server, of, "x", dry_run=True, kind="application/json"), 415, "bad_request")
        assert is_problem(upload(server, of, "王伟,138\n李,139", dry_run=True), 422, "no_header")
        xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        assert is_problem(upload(server, of, "no zip", dry_run=True, kind=xlsx), 422, "bad_xlsx")
        assert is_problem(upload(server, of, "x" * (2 << 20) + "xx", dry_run=True), 413, "too_large")

    def test_of_two_thousand_learners_is_taken_at_once(self, server: Server) -> None:
        of = training_class(server)["id"]
        rows = "".join(f"学员{n},{15_000_000_000 + n},{n}\n" for n in range(2_000))
        done = upload(server, of, "姓名,手机号,学号\n" + rows, dry_run=False).json
        assert (done["good"], server.api("GET", f"/classes/{of}").json["learners"]) == (2_000, 2_000)
