"""Draws a dashboard as a page of HTML and SVG: with the places, titles, units, legends and thresholds that Grafana has,
and not to the pixel. It is to be read, not to be mistaken for Grafana."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from tests.dashboards.reading import Panel

COLUMN, ROW, GAP = 60, 30, 8
"""Pixels: of a column of 24, of a row, and between them."""
PALETTE = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#37872d", "#8ab8ff", "#fa6400", "#705da0")
NAMED = {"green": "#73bf69", "red": "#f2495c", "yellow": "#f2cc0c", "orange": "#ff9830", "blue": "#5794f2"}

Point = tuple[float, float]


@dataclass
class Series:
    """A line: its name, and (epoch s, value) of each point."""

    name: str
    points: list[Point]


@dataclass
class Shown:
    """What the queries of a panel found: series, or columns and rows; error: why there is neither."""

    series: list[Series] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    error: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether Grafana would write `No data`."""
        return not self.rows and not any(math.isfinite(value) for one in self.series for _, value in one.points)


def _scaled(value: float, base: float, names: Sequence[str], decimals: int | None) -> str:
    at = 0
    while abs(value) >= base and at < len(names) - 1:
        value, at = value / base, at + 1
    digits = (
        decimals if decimals is not None and at == 0 else 0 if value == round(value) else 2 if abs(value) < 10 else 1
    )
    return f"{value:.{digits}f}{names[at]}"


def _seconds(value: float, decimals: int | None) -> str:
    for size, name in ((86400.0, " d"), (3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs")):
        if abs(value) >= size:
            return _scaled(value / size, math.inf, [name], decimals)
    return "0 s"


RATES = {
    "ops": "ops/s",
    "eps": "evt/s",
    "recps": "rec/s",
    "reqps": "req/s",
    "rowsps": "rows/s",
    "mps": "msg/s",
    "cps": "c/s",
}
"""Grafana's ids of rates, and what it writes."""
UNITS: Mapping[str, Callable[[float, int | None], str]] = {
    "short": lambda value, decimals: _scaled(value, 1000, ("", " K", " Mil", " Bil"), decimals),
    "none": lambda value, decimals: f"{value:.{2 if decimals is None and value != round(value) else decimals or 0}f}",
    "s": _seconds,
    "bytes": lambda value, decimals: _scaled(value, 1024, (" B", " KiB", " MiB", " GiB"), decimals),
    "percentunit": lambda value, decimals: f"{100 * value:.{1 if decimals is None else decimals}f}%",
    "percent": lambda value, decimals: f"{value:.{1 if decimals is None else decimals}f}%",
    "bool_yes_no": lambda value, decimals: "Yes" if value else "No",
    "h": lambda value, decimals: _seconds(value * 3600, decimals),
    **{
        unit: lambda value, decimals, name=name: _scaled(value, 1000, [f"{k} {name}" for k in ("", "k", "M")], decimals)
        for unit, name in RATES.items()
    },
}


def formatted(value: Any, said: Mapping[str, Any]) -> str:
    """A value as a field's configuration has it shown. Raises KeyError for a unit that is none of UNITS."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return UNITS[said.get("unit", "short")](float(value), said.get("decimals"))


def threshold(value: float, said: Mapping[str, Any]) -> str:
    """The colour of a value."""
    steps = said.get("thresholds", {}).get("steps", [{"color": "green", "value": None}])
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return NAMED.get(reached[-1], reached[-1])


def page(dashboard: Mapping[str, Any], shown: Sequence[tuple[Panel, Shown]], begin: float, end: float) -> str:
    """The page. begin, end: the time shown, epoch s."""
    boxes = [_box(panel, found, begin, end) for panel, found in shown]
    height = max(panel.place[1] + panel.place[3] for panel, _ in shown) * (ROW + GAP)
    style = (
        "body{margin:0;background:#f4f5f5;font:13px Inter,Arial,sans-serif;color:#24292e}"
        ".panel{position:absolute;background:#fff;border:1px solid #dcdcde;border-radius:2px;overflow:hidden;"
        "box-sizing:border-box}.title{font-weight:500;padding:6px 8px;white-space:nowrap;overflow:hidden;"
        "text-overflow:ellipsis}.row{position:absolute;font-weight:500;font-size:15px;padding-top:4px}"
        ".none{color:#9fa7b3;text-align:center;padding-top:30px}.error{color:#c4162a}"
        ".big{font-size:40px;font-weight:500;text-align:center;line-height:1.1}"
        "table{border-collapse:collapse;width:100%;font-size:12px}td,th{padding:2px 8px;text-align:left;"
        "border-bottom:1px solid #eee;white-space:nowrap}td.n,th.n{text-align:right}th{font-weight:500;color:#1f60c4}"
        ".legend{overflow:hidden;font-size:11px}.legend td,.legend th{padding:1px 8px;border:0}"
        "h1{font-size:18px;font-weight:500;margin:8px}"
    )
    return (
        f'<!doctype html><meta charset="utf-8"><style>{style}</style><h1>{escape(dashboard["title"])}</h1>'
        f'<div style="position:relative;width:{24 * COLUMN + GAP}px;height:{height}px">{"".join(boxes)}</div>'
    )


def _box(panel: Panel, found: Shown, begin: float, end: float) -> str:
    x, y, w, h = panel.place
    width, height = w * COLUMN - GAP, h * ROW + (h - 1) * GAP
    style = f"left:{x * COLUMN + GAP}px;top:{y * (ROW + GAP)}px;width:{width}px;height:{height}px"
    if panel.type == "row":
        return f'<div class="row" style="{style}">▾ {escape(panel.title)}</div>'
    inner = height - 30
    if found.error:
        body = f'<div class="none error">{escape(found.error)}</div>'
    elif found.is_empty:
        body = '<div class="none">No data</div>'
    else:
        body = {"stat": _stat, "timeseries": _lines, "table": _table, "barchart": _bars}[panel.type](
            panel, found, width, inner, begin, end
        )
    about = panel.said.get("description", "")
    mark = ' <i style="color:#9fa7b3">i</i>' if about else ""
    return (
        f'<div class="panel" style="{style}" title="{escape(about)}">'
        f'<div class="title">{escape(panel.title)}{mark}</div>{body}</div>'
    )


def _stat(panel: Panel, found: Shown, width: int, height: int, begin: float, end: float) -> str:
    last = [[value for _, value in one.points if math.isfinite(value)][-1] for one in found.series] or [
        found.rows[0][0]
    ]
    said = panel.defaults("")
    return "".join(
        f'<div class="big" style="color:{threshold(value or 0, said)}">{escape(formatted(value, said))}</div>'
        for value in last
    )


def _table(panel: Panel, found: Shown, width: int, height: int, begin: float, end: float) -> str:
    fields = [panel.defaults(name) for name in found.columns]
    numbers = [any(isinstance(row[at], (int, float)) for row in found.rows) for at in range(len(fields))]
    head = "".join(
        f'<th class="{"n" if number else ""}">{escape(said.get("displayName", name))}</th>'
        for name, said, number in zip(found.columns, fields, numbers, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{"n" if number else ""}">{escape(formatted(value, said))}</td>'
            for value, said, number in zip(row, fields, numbers, strict=True)
        )
        + "</tr>"
        for row in found.rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _bars(panel: Panel, found: Shown, width: int, height: int, begin: float, end: float) -> str:
    most, each = max(float(row[1]) for row in found.rows) or 1, (width - 70) / len(found.rows)
    said, room = panel.defaults(found.columns[1]), height - 40
    parts = []
    for at, (name, value, *_) in enumerate(found.rows):
        tall = (room - 12) * float(value) / most
        x = 50 + at * each
        parts.append(
            f'<rect x="{x + 6:.1f}" y="{10 + room - tall:.1f}" width="{each - 12:.1f}" height="{tall:.1f}" '
            f'fill="{PALETTE[0]}"/>'
            + _text(x + each / 2, room + 26, str(name))
            + _text(x + each / 2, 6 + room - tall, formatted(value, said))
        )
    return f'<svg width="{width}" height="{height}">{"".join(parts)}</svg>'


def _text(x: float, y: float, said: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11">{escape(said)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    step = 10 ** math.floor(math.log10((high - low) / 2 or 1))
    step = next(step * k for k in (1, 2, 5, 10) if (high - low) / (step * k) <= 5)
    first = math.ceil(low / step)
    return [step * at for at in range(first, math.floor(high / step) + 1)]


def _lines(panel: Panel, found: Shown, width: int, height: int, begin: float, end: float) -> str:
    legend_rows = (
        min(len(found.series), 6) if panel.said.get("options", {}).get("legend", {}).get("showLegend", True) else 0
    )
    room = height - 18 * (legend_rows + 1) - 22
    axes: dict[str, list[Series]] = {}
    for one in found.series:
        axes.setdefault(str(panel.defaults(one.name).get("unit", "short")), []).append(one)
    parts, left, right = [], 62, 60 if len(axes) > 1 else 10
    plot = width - left - right
    for number, (_, some) in enumerate(axes.items()):
        said = panel.defaults(some[0].name)
        values = [value for one in some for _, value in one.points if math.isfinite(value)] or [0.0]
        least, most = said.get("min"), said.get("max")
        low, high = min(values) if least is None else least, max(values) if most is None else most
        high = high if high > low else low + 1
        for tick in _ticks(low, high):
            y = 6 + room * (1 - (tick - low) / (high - low))
            x, anchor = (left - 6, "end") if number == 0 else (width - right + 6, "start")
            parts.append(
                f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eceded"/>'
                + _text(x, y + 4, formatted(tick, said), anchor)
            )
        for one in some:
            colour = PALETTE[found.series.index(one) % len(PALETTE)]
            path, pen = [], "M"
            for at, value in one.points:
                if not math.isfinite(value):
                    pen = "M"
                    continue
                x = left + plot * (at - begin) / (end - begin)
                path.append(f"{pen}{x:.1f},{6 + room * (1 - (value - low) / (high - low)):.1f}")
                pen = "L"
            drawn = [value for _, value in one.points if math.isfinite(value)]
            if said.get("custom", {}).get("drawStyle") == "bars" or len(drawn) == 1:
                path = [step.replace("L", "M") + f"V{6 + room}" for step in path]
            parts.append(f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
    form = "%H:%M" if end - begin < 2 * 86400 else "%d %b"
    for at in range(4):
        when = begin + (end - begin) * (at + 0.5) / 4
        parts.append(
            f'<text x="{left + plot * (at + 0.5) / 4:.0f}" y="{room + 20}" text-anchor="middle" font-size="11">'
            f"{time.strftime(form, time.gmtime(when))}</text>"
        )
    svg = f'<svg width="{width}" height="{room + 24}">{"".join(parts)}</svg>'
    return svg + (_legend(panel, found.series, legend_rows) if legend_rows else "")


def _legend(panel: Panel, series: Sequence[Series], most: int) -> str:
    calcs = panel.said.get("options", {}).get("legend", {}).get("calcs", [])
    of: Mapping[str, Callable[[list[float]], float]] = {
        "mean": lambda values: sum(values) / len(values),
        "max": max,
        "lastNotNull": lambda values: values[-1],
    }
    lines = []
    for at, one in enumerate(series[:most]):
        values, said = [value for _, value in one.points if math.isfinite(value)], panel.defaults(one.name)
        cells = "".join(
            f'<td class="n">{escape(formatted(of[calc](values), said) if values else "-")}</td>' for calc in calcs
        )
        colour = PALETTE[at % len(PALETTE)]
        lines.append(f'<tr><td><b style="color:{colour}">━</b> {escape(one.name)}</td>{cells}</tr>')
    more = f" (+{len(series) - most} more)" if len(series) > most else ""
    head = "".join(f'<th class="n">{calc.capitalize()}</th>' for calc in calcs)
    return f'<table class="legend"><tr><th>Name{more}</th>{head}</tr>{"".join(lines)}</table>'
