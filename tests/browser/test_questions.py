"""A bank of questions as the administrator fills it and the teacher asks from it."""

from __future__ import annotations

import pytest

from tests.browser.classroom import Classroom, by_testid
from tests.browser.conftest import languages
from tests.browser.test_pages import look_at_both_sizes

TAB = by_testid("tab-questions")
MANY, LINES, SAVE, ADD = (by_testid(name) for name in ("bank-many", "bank-lines", "bank-save", "bank-add"))
OWN, BANK, SEND = by_testid("ask-quiz"), by_testid("bank"), by_testid("quiz-send")
PASTED = (
    "氩弧焊用什么气体？ Which gas does TIG welding use?\t氩气 Argon\t氧气 Oxygen\tA\n"
    "哪些是气体？ Which are gases?\t氩\t铁\t氧\tAC\n"
    "6 x 7 = ?\t42\n"
)
PASTE = """([selector, text]) => { const area = document.querySelector(selector); area.value = text;
  area.dispatchEvent(new Event('input')); }"""
CHOOSE = """(value) => { const select = document.querySelector('dialog select'); select.value = value;
  select.dispatchEvent(new Event('change')); }"""


@pytest.mark.parametrize("lang", languages("en"))
def test_pasted_by_an_administrator_and_asked_by_a_teacher(classroom: Classroom, lang: str):
    admin = classroom.open("admin", lang=lang)
    admin.click(TAB)
    admin.wait_sees(MANY)
    admin.click(MANY)
    admin.wait_sees(LINES)
    admin.evaluate(PASTE, [LINES, PASTED + "no answer\tx\n"])
    admin.click(SAVE)
    admin.until(lambda: "4" in admin.text("dialog .problem"), "the line that is wrong by its number")
    admin.evaluate(PASTE, [LINES, PASTED])
    look_at_both_sizes(admin, f"questions-paste-{lang}")
    admin.click(SAVE)
    admin.until(lambda: "氩弧焊" in admin.text(".questions table"), "the questions in the list")
    look_at_both_sizes(admin, f"questions-{lang}")

    teacher = classroom.teach(lang=lang)
    teacher.click(OWN)
    teacher.wait_sees(SEND)
    teacher.evaluate(CHOOSE, "bank")
    teacher.wait_sees(f"{BANK} label")
    teacher.fill("dialog input[type=search]", "氩弧焊")
    teacher.until(lambda: "铁" not in teacher.text(BANK), "what was searched for alone")
    teacher.click(f"{BANK} label >> nth=0")
    look_at_both_sizes(teacher, f"quiz-bank-{lang}")
