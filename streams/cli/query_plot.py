"""`rihla query NAME --plot`: the answer as a picture, in the terminal or as a PNG or SVG."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streams.errors import RihlaError
from streams.whole_file import replacing

if TYPE_CHECKING:
    from rich.text import Text

    from sinks.clickhouse.plots import Plot

TERMINAL: Final = "-"
ENDINGS: Final = (".png", ".svg")
_MOST: Final = {"bars": 40, "line": 400, "funnel": 40}
"""Marks that can be told apart."""
_WIDTH: Final = 560
"""Pixels of the room for bars."""
_TIME = re.compile(r"\d{4}-\d\d(-\d\d)?")
_INTERVAL: Final = "interval: the margin that the query states (rihla query NAME --list)"


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing drawn. value: None where the answer has none. low, high: ends of its interval, None without one."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn. notes: sentences below it."""

    title: str
    plot: Plot
    marks: tuple[Mark, ...]
    notes: tuple[str, ...] = ()


def target(value: str) -> Path | None:
    """The file that --plot names; None for the terminal. Raises click.UsageError for another ending."""
    if value == TERMINAL:
        return None
    path = Path(value)
    if path.suffix.lower() not in ENDINGS:
        raise click.UsageError(
            f"--plot {value}: a picture's file ends in {' or '.join(ENDINGS)}; for the terminal put --plot last"
        )
    return path


def suited(name: str, by: str | None) -> Plot:
    """The picture that suits a query. Raises click.UsageError, with what does, where none does."""
    from sinks.clickhouse.plots import PLOTS, plot_of

    if (found := plot_of(name, by)) is None:
        raise click.UsageError(
            f"no picture suits {name}: its rows are a list to read. There is one of {', '.join(PLOTS)}"
        )
    return found


def said(name: str) -> str:
    """What --plot draws of a query, a sentence."""
    from sinks.clickhouse.plots import PLOTS

    found = PLOTS.get(name)
    return (
        f"Picture (--plot): {found.kind} of {found.value}." if found else "Picture: none suits it, its rows are a list."
    )


def fitting(plot: Plot, columns: Sequence[str], by: str) -> Plot:
    """The same picture of an answer with these columns: grouped by several things, or compared with another span.

    Raises RihlaError where columns are missing.
    """
    if "segment" not in columns and "segment" in plot.labels:
        grouped = tuple(part for part in by.split(",") if part in columns)
        plot = replace(plot, labels=tuple(one for one in plot.labels if one != "segment") + grouped)
    if "difference" in columns:
        plot = replace(plot, value="difference", axis=f"difference of {plot.axis}", sample="n")
        plot = replace(plot, margin="", low="difference_low", high="difference_high")
    if (missing := sorted(plot.columns() - set(columns))) or not plot.labels:
        raise RihlaError(f"this answer cannot be drawn: it has no column {', '.join(missing) or 'to label by'}")
    return plot


def picture(title: str, plot: Plot, rows: Iterable[Mapping[str, Any]], asked: str = "") -> Picture:
    """The picture of an answer's rows. asked: the parameters that were given. Raises RihlaError for an empty one."""
    marks: list[Mark] = []
    for one in (_mark(plot, row) for row in rows):
        if (
            plot.adds
            and (at := next((at for at, mark in enumerate(marks) if mark.label == one.label), None)) is not None
        ):
            marks[at] = replace(one, value=(marks[at].value or 0) + (one.value or 0))
        else:
            marks.append(one)
    if plot.kind == "line":  # what has no time has no place on the line
        marks = sorted((mark for mark in marks if mark.label), key=lambda mark: mark.label)
    if not marks:
        raise RihlaError("no rows: there is nothing to draw")
    shown = marks
    notes = [asked] if asked else []
    if len(shown) > (most := _MOST[plot.kind]):
        shown = shown[-most:] if plot.kind == "line" else shown[:most]
        notes.append(f"the {'last' if plot.kind == 'line' else 'first'} {most} of {len(marks)} are drawn")
    if any(mark.low is not None for mark in shown):
        notes.append(_INTERVAL)
    return Picture(title, plot, tuple(shown), tuple(notes))


def _mark(plot: Plot, row: Mapping[str, Any]) -> Mark:
    label = " / ".join(str(row[name]) for name in plot.labels if row[name] not in (None, "", "all")) or (
        "all" if any(row[name] == "all" for name in plot.labels) else ""
    )
    value = _number(row[plot.value])
    low, high = (_number(row[name]) if name else None for name in (plot.low, plot.high))
    if plot.margin and value is not None and (margin := _number(row[plot.margin])) is not None:
        low, high = value - margin, value + margin
    return Mark(
        label, value, low, high, int(row[plot.sample]) if plot.sample and row[plot.sample] is not None else None
    )


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def lines(shown: Picture, width: int) -> list[Text]:
    """The picture as lines of text, one for each mark, times downwards. width: columns of the terminal."""
    from rich.cells import cell_len
    from rich.text import Text

    marks = shown.marks
    samples = [f"n {mark.sample:,}" if mark.sample is not None else "" for mark in marks]
    figures = _figures(shown)
    labels = [_cut(mark.label or "(not known)", max(12, width // 3)) for mark in marks]
    widths = [max(map(cell_len, column)) for column in (labels, figures, samples)]
    room = max(10, width - sum(widths) - 4)
    ends = [end for mark in marks for end in (mark.value, mark.low, mark.high) if end is not None]
    scale = (min(0.0, *ends, 0.0), max(0.0, *ends, 0.0))
    found = [Text(shown.title, "bold"), Text(shown.plot.axis, "dim")]
    for mark, label, figure, sample in zip(marks, labels, figures, samples, strict=True):
        line = Text(label + " " * (widths[0] - cell_len(label) + 1))
        line.append(strip(mark, scale, room, shown.plot.kind == "line"), "cyan")
        line.append(f" {figure:>{widths[1]}}  ")
        line.append(f"{sample:>{widths[2]}}", "dim")
        found.append(line)
    return [*found, *(Text(note, "dim") for note in shown.notes)]


def strip(mark: Mark, scale: tuple[float, float], width: int, dots: bool = False) -> str:
    """A mark on a scale from end to end, `width` characters: a bar from zero, or a dot; whiskers over it."""
    span = (scale[1] - scale[0]) or 1.0

    def at(value: float) -> int:
        return min(width - 1, max(0, round((value - scale[0]) / span * (width - 1))))

    drawn = [" "] * width
    zero = at(0.0)
    if mark.value is not None:
        value = at(mark.value)
        if not dots:
            for cell in range(min(zero, value), max(zero, value) + 1):
                drawn[cell] = "█"
        if mark.low is not None and mark.high is not None:
            low, high = at(mark.low), at(mark.high)
            for cell in range(low, high + 1):
                drawn[cell] = "▒" if drawn[cell] == "█" else "─"
            if low < high:
                drawn[low], drawn[high] = "├", "┤"
        if dots:
            drawn[value] = "●"
    if drawn[zero] == " ":
        drawn[zero] = "│"
    return "".join(drawn)


def _figures(shown: Picture) -> list[str]:
    """What is written beside each mark; of a funnel, its share of the first stage, too."""
    first = shown.marks[0].value if shown.plot.kind == "funnel" else None
    return [
        _figure(mark) + (f" ({100 * mark.value / first:.0f} %)" if first and mark.value is not None else "")
        for mark in shown.marks
    ]


def _figure(mark: Mark) -> str:
    if mark.value is None:
        return "unknown"
    value = f"{mark.value:,.6g}"
    if mark.low is None or mark.high is None:
        return value
    up, down = mark.high - mark.value, mark.value - mark.low
    even = abs(up - down) <= 1e-9 * max(1.0, abs(mark.value))
    return f"{value} ± {up:.3g}" if even else f"{value} ({mark.low:.3g} to {mark.high:.3g})"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def draw(shown: Picture, path: Path | None) -> None:
    """Draw in the terminal, or to a file, whole or not at all. Raises RihlaError where Altair is missing, OSError."""
    if path is None:
        from rich.console import Console

        console = Console(highlight=False)
        for line in lines(shown, console.width):
            console.print(line, soft_wrap=True)
        return
    with replacing(path) as part:
        chart(shown).save(str(part), format=path.suffix.lower()[1:], scale_factor=2)
    click.echo(f"{path}: {path.stat().st_size:,} bytes", err=True)


def chart(shown: Picture) -> Any:
    """The picture as a chart of Altair. Raises RihlaError where it is missing."""
    if not all(map(find_spec, ("altair", "vl_convert"))):  # the second draws what the first describes
        raise RihlaError("pictures as files need the extra plot", "pip install 'rihla[plot]'")
    import altair as alt

    rows = [
        {
            "label": mark.label or "(not known)",
            "value": mark.value,
            "low": mark.low,
            "high": mark.high,
            "figure": figure + ("" if mark.sample is None else f"  (n {mark.sample:,})"),
        }
        for mark, figure in zip(shown.marks, _figures(shown), strict=True)
    ]
    title = alt.TitleParams(shown.title, subtitle=list(shown.notes), anchor="start", subtitleColor="#555")
    base = alt.Chart(_inline(alt, rows), title=title)
    if shown.plot.kind == "line":
        return _line(alt, base, shown.plot.axis, [mark.label for mark in shown.marks])
    order = alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False))
    axis = alt.X("value:Q", title=shown.plot.axis)
    bars = base.mark_bar(color="#4c78a8", opacity=0.85).encode(y=order, x=axis)
    rules = base.mark_rule(color="#222", size=1.5).encode(y=order, x="low:Q", x2="high:Q")
    ticks = [base.mark_tick(color="#222", size=8).encode(y=order, x=f"{end}:Q") for end in ("low", "high")]
    text = base.mark_text(align="left", dx=6, color="#333").encode(y=order, x=alt.value(_WIDTH), text="figure:N")
    return (bars + rules + ticks[0] + ticks[1] + text).properties(width=_WIDTH, height={"step": 24})


def _line(alt: Any, base: Any, axis: str, labels: Sequence[str]) -> Any:
    times = all(_TIME.fullmatch(label) for label in labels)
    x = alt.X("label:T" if times else "label:N", title=None, sort=None)
    y = alt.Y("value:Q", title=axis)
    band = base.mark_area(color="#4c78a8", opacity=0.2).encode(x=x, y=alt.Y("low:Q", title=axis), y2="high:Q")
    line = base.mark_line(color="#4c78a8", point=True).encode(x=x, y=y)
    zero = alt.Chart(_inline(alt, [{}])).mark_rule(color="#999").encode(y=alt.datum(0))
    return (zero + band + line).properties(width=640, height=300)


def _inline(alt: Any, rows: Sequence[Mapping[str, Any]]) -> Any:
    return alt.Data(values=rows)
