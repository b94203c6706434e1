"""FACTS: strictly read, refused by place, answered as the contract says; `liveserver hours`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver import cli
from liveserver.core.errors import PeerError
from liveserver.core.facts import answer, policy_json, policy_of, read
from liveserver.core.hours import Policy, credit
from liveserver.core.times import china_time, day_number, day_text, parse_rfc3339

CORPUS = Path(__file__).parents[2] / "../shared/data/fuzz/json"

LESSON: dict[str, Any] = {
    "policy": {},
    "planned_s": 2700,
    "teaching": [["2026-03-02T09:00:00+08:00", "2026-03-02T09:45:00+08:00"]],
    "presence": [["2026-03-02T01:00:00Z", "2026-03-02T01:40:00Z"]],
    "hidden": [],
    "checks": [],
    "playback": [],
    "other": [],
}


def refusal(**fields: Any) -> str:
    with pytest.raises(PeerError) as refused:
        read(json.dumps(LESSON | fields))
    assert refused.value.code == "bad_facts"
    return refused.value.detail


class TestReading:
    def test_times_are_moments_whatever_their_offset(self) -> None:
        assert credit(read(json.dumps(LESSON))).credited_s == 2400

    def test_what_is_missing_has_its_default(self) -> None:
        facts = read(json.dumps({"teaching": LESSON["teaching"]}))
        assert facts.policy == Policy()
        assert facts.planned_ms is None
        assert facts.lecturer is None

    def test_null_is_missing(self) -> None:
        assert read(json.dumps(LESSON | {"lecturer": None, "planned_s": None})).lecturer is None

    def test_seconds_may_have_fractions(self) -> None:
        run = {"media": "m", "duration_s": 10.5, "from_s": 0.0004, "to_s": 1.0019, "rate": 1.25,
               "at": "2026-03-02T09:00:00Z"}  # fmt: skip
        (entry,) = read(json.dumps({"playback": [run]})).playback
        assert (entry.duration_ms, entry.from_ms, entry.to_ms) == (10_500, 0, 1001)
        assert float(entry.rate) == 1.25

    @pytest.mark.parametrize(
        ("fields", "place"),
        [
            ({"presense": []}, '$: unknown key "presense"'),
            ({"teaching": {}}, "$.teaching: a list is expected"),
            ({"presence": [["2026-03-02T09:00:00Z"]]}, "$.presence[0]: a pair of times is expected"),
            ({"presence": [LESSON["presence"][0], ["x", "y"]]}, "$.presence[1][0]: not a time"),
            (
                {"hidden": [["2026-03-02T09:10:00Z", "2026-03-02T09:00:00Z"]]},
                "$.hidden[0]: ends before it begins",
            ),
            ({"checks": [{"at": "2026-03-02T09:00:00Z"}]}, "$.checks[0]: result is missing"),
            (
                {"checks": [{"at": "2026-03-02T09:00:00Z", "result": "missed"}]},
                "$.checks[0].result: one of passed, failed, timeout, excused is expected",
            ),
            ({"policy": {"check_mode": "jtt-like"}}, "$.policy.check_mode: one of"),
            ({"policy": {"max_rate": 0}}, "$.policy.max_rate: a rate from"),
            ({"policy": {"max_rate": True}}, "$.policy.max_rate: a number is expected"),
            ({"policy": {"daily_cap_s": 1.5}}, "$.policy.daily_cap_s: a whole number"),
            ({"policy": {"cap_to_plan": 1}}, "$.policy.cap_to_plan: true or false is expected"),
            ({"planned_s": -1}, "$.planned_s: a number of seconds from 0 on"),
            ({"planned_s": 1e12}, "$.planned_s: a number up to"),
            ({"other": [3]}, "$.other[0]: an object is expected"),
        ],
    )
    def test_what_is_wrong_is_named_by_its_place(self, fields: dict[str, Any], place: str) -> None:
        assert refusal(**fields).startswith(place)

    @pytest.mark.parametrize(
        "text",
        [
            '{"teaching": [], "teaching": []}',
            '{"planned_s": NaN, "teaching": []}',
            '{"planned_s": 1e99999999999999999999, "teaching": []}',
            '{"planned_s": 1e999999999, "teaching": []}',
            '{"planned_s": ' + "9" * 5000 + ', "teaching": []}',
            "[" * 100_000,
            "{}",
            "",
            b"\xff\xfe",
        ],
    )
    def test_what_no_reader_keeps_exactly_is_refused(self, text: str | bytes) -> None:
        with pytest.raises(PeerError):
            read(text)

    @pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpora ../shared/data/fuzz beside the checkout")
    def test_the_corpus_parses_or_is_refused(self) -> None:
        for path in sorted(CORPUS.iterdir()):
            raw = path.read_bytes()
            for text in (raw, b'{"teaching": [], "policy": ' + raw + b"}", b'{"playback": [' + raw + b"]}"):
                try:
                    credit(read(text))
                except PeerError as refused:
                    assert refused.code == "bad_facts"

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text("a2-:TZ", max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["at", "from", "to", "rate", "media", "max_rate"]), inner)
        ),
        max_leaves=8,
    )

    @given(st.dictionaries(st.sampled_from(list(LESSON)), json_values))
    def test_any_json_parses_or_is_refused(self, value: dict[str, Any]) -> None:
        try:
            credit(read(json.dumps(value)))
        except PeerError as refused:
            assert refused.code == "bad_facts"


class TestPolicies:
    def test_come_back_from_their_json(self) -> None:
        policy = policy_of({"max_rate": 1.25, "check_mode": "quota", "daily_cap_s": 0})
        assert policy_of(json.loads(json.dumps(policy_json(policy)))) == policy

    def test_defaults(self) -> None:
        assert policy_json(Policy()) == {
            "check_mode": "since_last_pass",
            "foreground_required_live": True,
            "cap_to_plan": True,
            "max_rate": "1",
            "daily_cap_s": 21600,
            "lecturer_gap_s": 60,
            "check_slot_min": 15,
        }


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "ms"),
        [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-03-02T09:00:00+08:00", 1_772_413_200_000),
            ("2026-03-02t01:00:00.1239z", 1_772_413_200_123),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ],
    )
    def test_read(self, text: str, ms: int) -> None:
        assert parse_rfc3339(text) == ms

    @pytest.mark.parametrize(
        "text",
        [
            "2026-03-02",
            "2026-03-02T09:00Z",
            "2026-03-02T09:00:00",
            "2026-02-30T09:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-03-02T24:00:00Z",
            "2026-03-02 09:00:00Z",
            "9999-12-31T00:00:00Z",
            "２026-03-02T09:00:00Z",
            "2026-03-02T09:00:00+24:00",
        ],
    )
    def test_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"time|day"):
            parse_rfc3339(text)

    @given(st.integers(0, 253_370_764_799_999))
    def test_come_back_in_chinese_time(self, ms: int) -> None:
        assert parse_rfc3339(china_time(ms)) == ms

    @given(st.integers(0, 2_000_000))
    def test_days_come_back(self, day: int) -> None:
        assert day_number(day_text(day)) == day


class TestTheCommand:
    def run(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
        code = cli.main(["hours", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    def test_prints_the_contract(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "facts.json"
        file.write_text(json.dumps(LESSON))
        code, out, _ = self.run(capsys, str(file))
        assert code == 0
        assert json.loads(out) == {
            "credited_s": 2400,
            "lesson_hours_full": 0,
            "lesson_hours": "0.88",
            "status": ["left_early"],
            "void": [
                {
                    "from": "2026-03-02T09:40:00+08:00",
                    "to": "2026-03-02T09:45:00+08:00",
                    "reason": "absent",
                    "clause": "REQ-R7: 001 六(三) L21",
                }
            ],
            "days": {"2026-03-02": 2400},
        }

    def test_reads_standard_input(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(LESSON).encode())))
        code, out, _ = self.run(capsys, "-")
        assert (code, json.loads(out)["credited_s"]) == (0, 2400)

    def test_same_facts_same_bytes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "facts.json"
        file.write_text(json.dumps(LESSON))
        assert self.run(capsys, str(file)) == self.run(capsys, str(file))

    def test_facts_that_are_none_end_with_one_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "facts.json"
        file.write_text(json.dumps(LESSON | {"checks": [{"at": "soon", "result": "passed"}]}))
        code, out, err = self.run(capsys, str(file))
        assert (code, out) == (1, "")
        assert "$.checks[0].at: not a time" in err
        assert len(err.splitlines()) == 1

    def test_no_such_file_is_misuse(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, _, err = self.run(capsys, str(tmp_path / "none.json"))
        assert code == 2
        assert "no such file" in err

    def test_without_a_file_is_misuse(self) -> None:
        with pytest.raises(SystemExit) as ended:
            cli.main(["hours"])
        assert ended.value.code == 2


def test_an_answer_is_plain_json() -> None:
    hours = credit(read(json.dumps(LESSON)))
    assert json.loads(json.dumps(answer(hours))) == answer(hours)
