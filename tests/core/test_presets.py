"""Programmes' policies as data, and when a project's hours are complete."""

from __future__ import annotations

import json

import pytest

from liveserver.core.completion import Conditions, planned_share_fits, standing
from liveserver.core.earning import Reason
from liveserver.core.errors import PeerError
from liveserver.core.ledger import canonical_json
from liveserver.core.presets import PRESETS, Frozen, Name, frozen, preset

H = 2700


class TestPresets:
    def test_the_three_programmes_are_there(self) -> None:
        assert {"beijing-gjj-2020", "beijing-qihang-2023", "fujian"} <= set(PRESETS)

    @pytest.mark.parametrize("name", Name)
    def test_every_setting_a_document_fixes_names_its_clause(self, name: Name) -> None:
        for clause in [*PRESETS[name].clauses.values(), *PRESETS[name].reasons.values()]:
            assert clause.startswith("REQ-")
            assert " L" in clause

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(PeerError, match="beijing-gjj-2020"):
            preset("shanghai")


class TestFrozen:
    @pytest.mark.parametrize("name", Name)
    def test_comes_back_from_the_ledger_whole(self, name: Name) -> None:
        kept = frozen(name, 2_700_000)
        assert Frozen.from_json(json.loads(canonical_json(kept.as_json()))) == kept

    def test_names_a_clause_for_every_reason(self) -> None:
        assert set(frozen("fujian").clauses) == set(Reason)
        assert frozen("fujian").clauses[Reason.CHECK_FAILED] == "REQ-A7: 003 三(一) L26"

    def test_does_not_know_the_preset_any_more(self) -> None:
        data = frozen("fujian").as_json() | {"preset": "a preset of another year"}
        assert Frozen.from_json(data).policy == PRESETS[Name.FUJIAN].policy


class TestCompletion:
    """DOMAIN section 10: project completion, required 56."""

    CONDITIONS = PRESETS[Name.BEIJING_QIHANG_2023].conditions

    def test_live_recorded_and_a_work_add_up(self) -> None:
        done = standing(self.CONDITIONS, live_s=28 * H, recorded_s=26 * H, outcomes=1)
        assert done.counted_s == 58 * H
        assert done.is_complete

    def test_recorded_hours_beyond_half_do_not_count(self) -> None:
        short = standing(self.CONDITIONS, live_s=20 * H, recorded_s=34 * H, outcomes=1)
        assert short.counted_s == 52 * H
        assert short.beyond_share_s == 6 * H
        assert not short.is_complete

    def test_a_second_short_is_short(self) -> None:
        assert not standing(self.CONDITIONS, live_s=56 * H - 1).is_complete
        assert standing(self.CONDITIONS, live_s=30 * H, offline_s=26 * H).is_complete

    def test_forty_hours_are_108_000_seconds(self) -> None:
        assert standing(PRESETS[Name.BEIJING_GJJ_2020].conditions).required_s == 108_000

    def test_a_plan_keeps_the_share(self) -> None:
        assert planned_share_fits(self.CONDITIONS, recorded_s=28 * H, total_s=56 * H)
        assert not planned_share_fits(self.CONDITIONS, recorded_s=28 * H + 1, total_s=56 * H)

    def test_where_no_rule_is_there_is_none(self) -> None:
        assert standing(Conditions(), recorded_s=H).counted_s == H
