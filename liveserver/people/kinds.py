"""The kinds of things that are kept of people and classes, as data: what each refers to, how it is checked.

`columns` are those of its list as CSV, in the words of Chinese forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from liveserver import shapes
from liveserver.core.masking import masked_name, masked_number
from liveserver.core.messages import Json
from liveserver.core.people import day_of, name_of, phone_of, uscc_of
from liveserver.store.catalogue import Catalogue
from liveserver.store.model.people import Course, Organisation, Person, Project, TrainingClass
from liveserver.store.people import People

Columns = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """`references`: fields with the kind they name; `period`: the first and the last day."""

    name: str
    model: type[Any]
    catalogue: Callable[[People], Catalogue[Any]]
    columns: Columns
    checks: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    period: tuple[str, str] | None = None


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "organisation",
            Organisation,
            lambda people: people.organisations,
            (("id", "编号"), ("kind", "类别"), ("name", "名称"), ("uscc", "统一社会信用代码"),
             ("region_code", "区划"), ("address", "地址"), ("industry_direction", "产业方向"),
             ("scale", "企业规模"), ("valid_from", "认定有效期起"), ("valid_to", "认定有效期止"),
             ("status", "状态")),
            {"name": name_of, "uscc": uscc_of, "contact_phone": phone_of, "valid_from": day_of,
             "valid_to": day_of},
            period=("valid_from", "valid_to"),
        ),
        Kind(
            "project",
            Project,
            lambda people: people.projects,
            (("id", "编号"), ("code", "项目代码"), ("name", "项目名称"), ("catalogue_code", "目录编号"),
             ("provider", "培训机构"), ("preset", "政策"), ("zone", "高精尖专区"),
             ("industry_direction", "产业方向"), ("occupation_code", "职业（工种）代码"), ("level", "等级"),
             ("required_lesson_hours", "学时要求"), ("class_size", "班级人数上限"), ("status", "状态")),
            references={"provider": "organisation"},
        ),
        Kind(
            "course",
            Course,
            lambda people: people.courses,
            (("id", "编号"), ("code", "课程代码"), ("name", "课程名称"), ("project", "项目"),
             ("mode", "授课方式"), ("planned_lesson_hours", "计划学时"), ("status", "状态")),
            references={"project": "project"},
        ),
        Kind(
            "class",
            TrainingClass,
            lambda people: people.classes,
            (("id", "编号"), ("number", "班级编号"), ("name", "班级名称"), ("project", "项目"),
             ("enterprise", "培训企业"), ("term", "期次"), ("starts_on", "开班日期"), ("ends_on", "结业日期"),
             ("plan_no", "培训方案号"), ("capacity", "人数上限"), ("approval", "审核"), ("status", "状态")),
            {"starts_on": day_of, "ends_on": day_of},
            {"project": "project", "enterprise": "organisation", "head_teacher": "person"},
            ("starts_on", "ends_on"),
        ),
        Kind(
            "person",
            Person,
            lambda people: people.persons,
            (("id", "人员编号"), ("name", "姓名"), ("phone", "手机号"), ("enterprise", "企业"),
             ("status", "状态")),
            {"name": name_of, "phone": phone_of},
            {"enterprise": "organisation"},
        ),
    )
}  # fmt: skip


def shown(value: Any, *, masked: bool = False) -> Json:
    """Something of any kind as REST shows it. `masked`: telephone numbers, and names of persons too."""
    found: Json = {}
    for name, content in asdict(value).items():
        if isinstance(content, bytes):  # salts, and what is sealed
            continue
        if name == "training_class":
            found["class"] = content
        elif name.endswith("_at_ms"):
            found[name.removesuffix("_ms")] = shapes.time(content)
        elif name == "programmes":
            found[name] = [one for one in content.split(",") if one]
        elif masked and name in ("phone", "contact_phone"):
            found[name] = masked_number(content)
        elif masked and name in ("legal_person", "contact_name"):
            found[name] = masked_name(content)
        else:
            found[name] = content
    return found
