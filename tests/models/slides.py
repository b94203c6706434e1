"""Slides drawn by Chromium, each with the lines that stand on it; and how much of them was read.

`OPENBLAS_NUM_THREADS=1 python -m tests.models.slides` measures the reader on all of them.
"""

from __future__ import annotations

import html
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from models.jpeg import decode, encode
from models.resize import resize
from models.text import TextLine, TextReader

SIZE = (1280, 720)
LINES = (
    "机器学习基础：监督学习与无监督学习",
    "Machine learning in practice, chapter 3",
    "加我微信领取资料 wx8829103",
    "电工作业安全操作规程第二章第五节",
    "线上娱乐城注册即送88元彩金",
    "数据结构与算法分析（第4版）",
    "The quick brown fox jumps over 13 lazy dogs",
    "梯度下降 gradient descent 的学习率 0.001",
    "注意事项：请勿擅自离开工位",
    "联系电话：138-0013-8000",
    "企业职工岗前培训课程大纲",
    "无抵押贷款当天放款 低息 快速",
    "Q1 营业收入同比增长 12.5%",
    "HTTP/1.1 200 OK Content-Type: text/html",
    "叉车司机理论考试模拟题（一）",
    "请选择正确答案：A. 对  B. 错",
    "代开发票 加QQ 2746613390",
    "第三方支付与反洗钱合规要求",
    "人工智能训练师（三级）职业标准",
    "茶叶审评的五项因子：外形、汤色、香气、滋味、叶底",
)
FONTS = ("Noto Sans CJK SC", "Noto Serif CJK SC")


@dataclass(frozen=True)
class Style:
    """How a slide looks: sizes in pixels at 1280 by 720, CSS colours."""

    sizes: tuple[int, ...] = (16, 20, 24, 28, 36, 44)
    ink: str = "#181818"
    paper: str = "#ffffff"


@dataclass(frozen=True)
class Slide:
    rgb: np.ndarray
    lines: tuple[str, ...]


PLAIN, DARK, FAINT = Style(), Style(ink="#f0f078", paper="#0a143c"), Style(ink="#a0a0a0", paper="#c8c8c8")
SMALL = Style(sizes=(16,))


def slides(styles: Sequence[Style]) -> list[Slide]:
    """A slide of each style, all drawn at once on one long page."""
    pages = [_page(style, seed) for seed, style in enumerate(styles)]
    body = "".join(page for page, _ in pages)
    with tempfile.TemporaryDirectory() as folder:
        document, picture = Path(folder, "slides.html"), Path(folder, "slides.png")
        document.write_text(f"<!doctype html><meta charset=utf-8><body style='margin:0'>{body}")
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), "chromium")
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--window-size={SIZE[0]},{SIZE[1] * len(styles)}", f"--screenshot={picture}"]
        command += [f"--user-data-dir={folder}/profile", document.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        with av.open(str(picture)) as container:
            drawn = next(container.decode(video=0)).to_ndarray(format="rgb24")
    parts = [drawn[SIZE[1] * at : SIZE[1] * (at + 1)] for at in range(len(styles))]
    return [Slide(part, lines) for part, (_, lines) in zip(parts, pages, strict=True)]


def _page(style: Style, seed: int) -> tuple[str, tuple[str, ...]]:
    draw = random.Random(seed)
    rows, used, top = "", [], 24
    for line in draw.sample(LINES, len(LINES)):
        size = draw.choice(style.sizes)
        if top + 1.5 * size > SIZE[1]:
            break
        place = f"position:absolute;top:{top}px;left:{draw.randint(16, 60)}px;white-space:pre"
        rows += f"<div style=\"{place};font:{size}px '{draw.choice(FONTS)}'\">{html.escape(line)}</div>"
        used.append(line)
        top += int(1.5 * size) + draw.randint(4, 16)
    page = f"position:relative;overflow:hidden;width:{SIZE[0]}px;height:{SIZE[1]}px"
    return f'<div style="{page};background:{style.paper};color:{style.ink}">{rows}</div>', tuple(used)


def wrong(expected: Sequence[str], read: Sequence[TextLine]) -> tuple[int, int]:
    """(characters that are wrong or missing, characters in all), spaces and the width of signs aside."""
    found = [_plain(line.text) for line in read]
    errors = letters = 0
    for line in map(_plain, expected):
        errors += min([len(line), *(_edits(line, text) for text in found)])
        letters += len(line)
    return errors, letters


def _plain(text: str) -> str:
    return "".join(text.translate(str.maketrans("：（），", ":(),")).split())


def _edits(one: str, other: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        above, row = row, [at]
        for column, also in enumerate(other, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != also)))
    return row[-1]


def video(rgb: np.ndarray) -> np.ndarray:
    """As a lesson at 640 by 360 shows it, compressed hard."""
    return decode(encode(resize(rgb, 640, 360).transpose(1, 2, 0).round().astype(np.uint8), scale=10))


def measure() -> None:
    """How long and how well, per style, on six slides each."""
    reader = TextReader.load()
    as_it_is: Callable[[np.ndarray], np.ndarray] = lambda rgb: rgb  # noqa: E731
    for name, style, shown in (
        ("16 to 44 px", PLAIN, as_it_is),
        ("16 px", SMALL, as_it_is),
        ("light on dark", DARK, as_it_is),
        ("faint (contrast 1.6)", FAINT, as_it_is),
        ("640 by 360, JPEG", PLAIN, video),
    ):
        errors = letters = lines = 0
        spent = 0.0
        for slide in slides([style] * 6):
            picture = shown(slide.rgb)
            begun = time.process_time()
            read = reader.read(picture)
            spent += time.process_time() - begun
            bad, count = wrong(slide.lines, read)
            errors, letters, lines = errors + bad, letters + count, lines + len(read)
        sys.stdout.write(f"{name}: {errors} of {letters} characters wrong, ")
        sys.stdout.write(f"{spent / 6 * 1000:.0f} ms of CPU a slide of {lines / 6:.0f} lines\n")


if __name__ == "__main__":
    measure()
