"""The report as one HTML file without anything from elsewhere: graphs are SVG."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from loadtest.rehearsal.levels import Figure, Verdict, all_held
from loadtest.rehearsal.plan import Plan, Stage

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 960, 170, 56, 22
_COLOURS = ("#1f6feb", "#d1570a", "#1a7f37", "#8250df")
_STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem;color:#1c2128}
h1{font-size:1.5rem;margin:0}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:.3rem .6rem;border-bottom:1px solid #d8dee4;text-align:right}
td:first-child,th:first-child,.words{text-align:left}
.held{color:#1a7f37}
.missed{color:#b42318;font-weight:600}
.verdict{font-size:1.1rem;margin:.5rem 0 1rem}
ul{padding-left:1.2rem;overflow-wrap:anywhere}
svg{width:100%;height:auto;display:block;margin:.25rem 0 1rem}
svg text{font:11px system-ui;fill:#57606a}
.key{font-size:.85rem;color:#57606a}
.key b{display:inline-block;width:.8rem;height:.2rem;vertical-align:middle;margin:0 .3rem 0 1rem}
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """One second of the run. `cores`: CPU seconds a second, by process."""

    at_s: float
    learners: int
    messages_a_second: float
    failures_a_second: float
    cores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """All there is to say."""

    plan: Plan
    host: str
    began: str
    figures: Sequence[Figure]
    verdicts: Sequence[Verdict]
    moments: Sequence[Moment]
    errors: Sequence[tuple[str, int]] = ()
    notes: Sequence[str] = ()


def page(run: Run) -> str:
    """The whole document."""
    held = all_held(run.verdicts)
    missed = sum(not verdict.held for verdict in run.verdicts)
    verdict = "All service levels held" if held else f"{missed} of {len(run.verdicts)} service levels missed"
    return "\n".join([
        "<!doctype html><html lang=en><meta charset=utf-8><title>Rehearsal of a class</title>",
        '<meta name=viewport content="width=device-width">',
        f"<style>{_STYLE}</style>",
        "<h1>Rehearsal of a class</h1>",
        f"<p class='verdict {'held' if held else 'missed'}'>{verdict}</p>",
        f"<p>{html.escape(run.began)}, {html.escape(run.host)}: {run.plan.attending:,} learners on sockets, "
        f"{run.plan.hls_players:,} of them playing LL-HLS, {run.plan.webrtc_viewers:,} more on WebRTC.</p>",
        _list("What this run is less than a whole class", run.plan.scaled()),
        _list("Mind", run.notes),
        "<h2>Service levels</h2>", _levels(run.verdicts),
        "<h2>Course of the run</h2>", _graphs(run),
        "<h2>Latencies, milliseconds</h2>", _latencies(run.figures),
        _list("Errors", [f"{count:,} × {text}" for text, count in run.errors]),
        "</html>",
    ])  # fmt: skip


def _list(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    return f"<h2>{title}</h2><ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>"


def _levels(verdicts: Sequence[Verdict]) -> str:
    rows = ["<tr><th>what<th>measured<th>at most<th><th class=words>because"]
    for verdict in verdicts:
        level = verdict.level
        measured = "nothing" if verdict.measured is None else _number(verdict.measured, level.of)
        rows.append(
            f"<tr><td>{html.escape(level.figure)}, {level.of.replace('_', ' ')}<td>{measured}"
            f"<td>{_number(level.bound, level.of)}"
            f"<td class={'held' if verdict.held else 'missed'}>{'held' if verdict.held else 'missed'}"
            f"<td class=words>{html.escape(level.source)}"
        )
    return f"<table>{''.join(rows)}</table>"


def _number(value: float, of: str) -> str:
    if of == "failed_share":
        return f"{value:.2%}"
    return f"{value:,.0f}" if of == "failures" else f"{value:,.0f} ms"


def _latencies(figures: Sequence[Figure]) -> str:
    rows = ["<tr><th>stage: what<th>count<th>failed<th>p50<th>p95<th>p99<th>longest"]
    rows += [
        f"<tr><td>{html.escape(one.name)}<td>{one.count:,}<td class={'missed' if one.failures else 'held'}>"
        f"{one.failures:,}<td>{one.p50:,.0f}<td>{one.p95:,.0f}<td>{one.p99:,.0f}<td>{one.longest:,.0f}"
        for one in figures
    ]
    return f"<table>{''.join(rows)}</table>"


def _graphs(run: Run) -> str:
    moments, stages = run.moments, run.plan.stages
    processes = list(dict.fromkeys(name for moment in moments for name in moment.cores))
    cores: dict[str, Callable[[Moment], float]] = {
        name: lambda moment, name=name: moment.cores.get(name, 0.0) for name in processes[: len(_COLOURS)]
    }
    return "".join([
        _graph("Learners", moments, stages, {"on sockets": lambda moment: moment.learners}),
        _graph("Messages and requests a second", moments, stages, {
            "all": lambda moment: moment.messages_a_second,
            "failed": lambda moment: moment.failures_a_second}),
        _graph("Cores used", moments, stages, cores) if cores else "",
    ])  # fmt: skip


def _graph(
    title: str,
    moments: Sequence[Moment],
    stages: Sequence[Stage],
    lines: Mapping[str, Callable[[Moment], float]],
) -> str:
    """One graph over the time of the run, its stages as bands."""
    end_s = max([stages[-1].ends_s, *(moment.at_s for moment in moments)])
    most = max([1e-9, *(value(moment) for value in lines.values() for moment in moments)])
    top = _round_up(most)

    def x(at_s: float) -> float:
        return _LEFT + (_WIDTH - _LEFT) * at_s / end_s

    def y(value: float) -> float:
        return (_HEIGHT - _BOTTOM) * (1 - value / top) + 6

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 8}" role=img aria-label="{html.escape(title)}">']
    for number, stage in enumerate(stages):
        fill = "#f6f8fa" if number % 2 else "#eaeef2"
        width = x(stage.ends_s) - x(stage.begins_s)
        parts.append(f'<rect x="{x(stage.begins_s):.1f}" y=6 width="{width:.1f}" '
                     f'height="{_HEIGHT - _BOTTOM}" fill="{fill}"/>'
                     f'<text x="{x(stage.begins_s) + 4:.1f}" y="{_HEIGHT}">{stage.name}</text>')  # fmt: skip
    parts += [
        f'<text x="{_LEFT - 6}" y="{y(top * share) + 4:.1f}" text-anchor=end>{top * share:,g}</text>'
        for share in (0, 0.5, 1)
    ]
    key = []
    for colour, (name, value) in zip(_COLOURS, lines.items(), strict=False):
        points = " ".join(f"{x(moment.at_s):.1f},{y(value(moment)):.1f}" for moment in moments)
        parts.append(f'<polyline points="{points}" fill=none stroke="{colour}" stroke-width=1.6 />')
        key.append(f'<b style="background:{colour}"></b>{html.escape(name)}')
    return f"<div class=key>{html.escape(title)}{''.join(key)}</div>{''.join(parts)}</svg>"


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50, …"""
    step = 1e-3
    while True:
        for factor in (1, 2, 5):
            if value <= step * factor:
                return step * factor
        step *= 10
