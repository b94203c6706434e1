"""What the programmes fix that a lesson may be taught under, as data with the clauses it comes from.

A preset is only where a lesson's policy comes from. At its start the policy is frozen by value into the
lesson's ledger (`frozen`), so a later change here, or in the law, rewrites no history. What a document
leaves open (no seed says how often to check, REQUIREMENTS 14(k)) has the default of DESIGN section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from liveserver.core import facts
from liveserver.core.completion import Conditions
from liveserver.core.earning import CLAUSES, Reason
from liveserver.core.errors import PeerError
from liveserver.core.hours import LESSON_S, Policy


class Name(StrEnum):
    DEFAULT = "default"
    BEIJING_GJJ_2020 = "beijing-gjj-2020"
    BEIJING_QIHANG_2023 = "beijing-qihang-2023"
    FUJIAN = "fujian"


@dataclass(frozen=True, slots=True)
class Preset:
    """`clauses`: for each setting that a document fixes, the requirement and the line."""

    name: Name
    title: str
    policy: Policy
    conditions: Conditions
    clauses: Mapping[str, str]
    reasons: Mapping[Reason, str] = field(default_factory=dict)
    """Where a reason for void time rests on another clause than `earning.CLAUSES` names."""


_GJJ = Preset(
    Name.BEIJING_GJJ_2020,
    "北京市高精尖产业技能提升培训 (2020)",
    Policy(),
    Conditions(required_hours=40),
    MappingProxyType(
        {
            "required_hours": "REQ-E1: 000 一(二)1(2) L19",
            "lesson_s": "REQ-E1: 000 一(二)1(2) L19",
            "checks": "REQ-L13: 000 二 学员认证 L54",
            "attendance": "REQ-I14: 001 六(三) L21",
        }
    ),
)
_QIHANG = Preset(
    Name.BEIJING_QIHANG_2023,
    "北京市创业培训 (京人社能发〔2023〕25号)",
    Policy(),
    Conditions(
        required_hours=56,
        recorded_percent=50,
        outcome_hours=4,
        class_size=40,
        instructors=2,
        approval=True,
        once=True,
    ),
    MappingProxyType(
        {
            "required_hours": "REQ-E4: 004 附件1 三(三) L199",
            "recorded_percent": "REQ-E4: 004 附件1 三(三) L199",
            "outcome_hours": "REQ-E10: 004 L219",
            "class_size": "REQ-E7: 004 L195",
            "instructors": "REQ-E9: 004 L209",
            "approval": "REQ-E8: 004 L31-33, L195",
            "once": "REQ-E12: 004 三 L55",
            "lesson_s": "REQ-P23: 004 附件5 二(二) L500",
            "checks": "REQ-L17: 004 附件4 第五条(二)6 L445",
        }
    ),
    {
        Reason.CHECK_FAILED: "REQ-L17: 004 附件4 第五条(二)6 L445",
        Reason.ABSENT: "REQ-L16: 004 附件4 第五条(二)5 L444",
    },
)
_FUJIAN = Preset(
    Name.FUJIAN,
    "福建省职业培训网络平台",
    Policy(),
    Conditions(),
    MappingProxyType(
        {
            "foreground_required_live": "REQ-A5: 003 三(四) L33",
            "daily_cap_s": "REQ-A6: 003 三(四) L33",
            "checks": "REQ-A7: 003 三(一) L26",
            "attendance": "REQ-R1: 003 三(五) L35",
        }
    ),
    {
        Reason.CHECK_FAILED: "REQ-A7: 003 三(一) L26",
        Reason.ABSENT: "REQ-R1: 003 三(五) L35",
        Reason.OVER_PLAN: "REQ-A6: 003 三(四) L33",
        Reason.LECTURER_ABSENT: "REQ-A6: 003 三(四) L33",
    },
)
PRESETS: Mapping[Name, Preset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(Name.DEFAULT, "", Policy(), Conditions(), {}),
            _GJJ,
            _QIHANG,
            _FUJIAN,
        )
    }
)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A policy as a lesson keeps it: whole, whatever becomes of the preset it came from."""

    preset: str
    policy: Policy
    planned_ms: int | None
    clauses: Mapping[Reason, str]

    def as_json(self) -> dict[str, Any]:
        """The `hours_policy` fact of the ledger: whole numbers and texts."""
        return {
            "preset": self.preset,
            "policy": facts.policy_json(self.policy),
            "planned_ms": self.planned_ms,
            "lesson_s": LESSON_S,
            "clauses": {str(reason): clause for reason, clause in self.clauses.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Frozen:
        """Raises PeerError `bad_facts`."""
        clauses = {Reason(name): str(clause) for name, clause in data["clauses"].items()}
        return cls(str(data["preset"]), facts.policy_of(data["policy"]), data["planned_ms"], clauses)


def preset(name: str) -> Preset:
    """Raises PeerError `bad_request` for one that is none."""
    if name not in {str(known) for known in Name}:
        raise PeerError("bad_request", f"one of the policies {', '.join(Name)} is expected")
    return PRESETS[Name(name)]


def frozen(name: str, planned_ms: int | None = None) -> Frozen:
    """What a lesson under the preset keeps from its start on."""
    chosen = preset(name)
    return Frozen(chosen.name, chosen.policy, planned_ms, {**CLAUSES, **chosen.reasons})
