"""A report as one HTML page that asks for nothing: styles and drawings are in it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from streams.report.content import Change, Content, Driver

LANGUAGES: Mapping[str, str] = {"en": "ltr", "ar": "rtl"}
"""Language: the direction in which it is written."""
_PROFILES = ("negative", "non_committal", "advocate")
_WIDTH = 640

STYLE = """
:root{color-scheme:light}body{font:15px/1.55 system-ui,"Noto Sans","Noto Sans Arabic","DejaVu Sans",sans-serif;
color:#16211f;
max-width:52rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:1.8rem 0 .5rem;
border-bottom:2px solid #0b5d57;padding-bottom:.2rem}.soft{color:#55625f}.tiles{display:flex;gap:1rem;flex-wrap:wrap}
.tile{border:1px solid #d9ddd8;border-radius:8px;padding:.6rem .9rem;flex:1;min-width:11rem}
.figure{font-size:1.7rem;font-weight:700}
.good{color:#146c43}.bad{color:#a3123a}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:start;padding:.35rem .5rem;border-bottom:1px solid #d9ddd8;vertical-align:top}
th{color:#55625f;font-size:.85rem}
code{font-size:.85em;overflow-wrap:anywhere}.whole{white-space:nowrap}svg{display:block;max-width:100%;height:auto}tr,.tile,svg{break-inside:avoid}
@page{size:A4;margin:16mm}@media print{body{margin:0;max-width:none}}
"""


class _Words:
    """Words of one language: those of the report, and those of the desk for what both name."""

    def __init__(self, language: str) -> None:
        self._said = _texts("streams.report", f"{language}.json") | _texts(
            "streams.serve.desk.page", f"{language}.json"
        )

    def say(self, key: str, **values: object) -> str:
        """The text of a key."""
        return self._said[key].format(**values) if values else self._said[key]

    def word(self, list_: str, name: str) -> str:
        """The word for a name of a list; the name itself, readable, where there is none."""
        bare = name.partition(".")[2] or name
        plain = bare.replace("_", " ").capitalize()
        return self._said.get(f"{list_}.{name}", self._said.get(f"{list_}.{bare}", plain))


@cache
def _texts(package: str, name: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads(files(package).joinpath(name).read_text("utf-8"))
    return texts


def page(told: Content, language: str, made_at: datetime) -> str:
    """The page. language: one of LANGUAGES. made_at: the clock."""
    words = _Words(language)
    last = told.period.until - timedelta(days=1)
    title = words.say("report.title", unit=told.unit or words.say("report.all_units"))
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{_ltr(f"{told.period.since} – {last}")} · {escape(words.say("report.compared"))} '
        f"{_ltr(f'{told.before.since} – {told.before.until - timedelta(days=1)}')}</p>",
        f"<p>{escape(summary(told, words))}</p>",
        _section(words, "report.scores", _tiles(told.scores, words)),
        _section(words, "report.why", _drivers(told, words, LANGUAGES[language] == "rtl")),
        _section(words, "report.profiles", _profiles(told.profiles, words)),
        _section(words, "report.calls", _calls(told.calls, words)),
        _section(words, "report.actions", _actions(told, words)),
        _section(words, "report.halal", _halal(told.halal, words, LANGUAGES[language] == "rtl")) if told.halal else "",
        f'<p class="soft">{escape(words.say("report.made"))} {_ltr(f"{made_at.astimezone(UTC):%Y-%m-%d %H:%M UTC}")}. '
        f"{escape(words.say('report.margins'))}</p>",
    ]
    return (
        f'<!doctype html>\n<html lang="{language}" dir="{LANGUAGES[language]}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"</head><body>{''.join(parts)}</body></html>\n"
    )


def summary(told: Content, words: _Words) -> str:
    """What changed, in a sentence or two: only what is larger than its margin is called a change."""
    real = [one for one in told.scores if one.is_real]
    said = [
        words.say("report.rose" if (one.difference or 0) > 0 else "report.fell", what=words.say(one.name),
                  by=_number(abs(one.difference or 0)))
        for one in real
    ] or [words.say("report.no_change")]  # fmt: skip
    if told.mood is not None and told.drivers and told.drivers[0].effect < 0:
        said.append(words.say("report.worst", aspect=words.word("aspect", told.drivers[0].aspect)))
    return " ".join([words.say("report.volume", n=f"{told.interactions:,}"), *said])


def _section(words: _Words, key: str, content: str) -> str:
    return f"<h2>{escape(words.say(key))}</h2>{content}"


def _ltr(text: str) -> str:
    return f'<bdi dir="ltr">{escape(text)}</bdi>'


def _whole(text: str) -> str:
    return f'<bdi dir="ltr" class="whole">{escape(text)}</bdi>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _tiles(scores: Iterable[Change], words: _Words) -> str:
    tiles = []
    for one in scores:
        margin = "" if one.margin is None else f" ± {_number(one.margin)}"
        figure = _ltr(f"{_number(one.now)}{margin}") if one.now is not None else "–"
        if one.difference is None:
            note = words.say("report.nothing_before")
        else:
            tone = ("good" if one.difference > 0 else "bad") if one.is_real else "soft"
            said = words.say("report.real" if one.is_real else "report.within")
            note = f'<span class="{tone}">{_ltr(f"{one.difference:+.2f}")} {escape(said)}</span>'
        tiles.append(
            f'<div class="tile"><div>{escape(words.say(one.name))}</div><div class="figure">{figure}</div>'
            f'<div>{note}</div><div class="soft">{escape(words.say("answers", n=f"{one.n:,}"))}</div></div>'
        )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _drivers(told: Content, words: _Words, rtl: bool) -> str:
    if told.mood is None:
        return f"<p>{escape(words.say('report.too_few'))}</p>"
    lead = escape(words.say("report.mood")) + " " + _ltr(_signed(told.mood)) + ". " + escape(words.say("report.sum"))
    return f"<p>{lead}</p>{_bars(told.drivers, words, rtl)}"


def _bars(drivers: Sequence[Driver], words: _Words, rtl: bool) -> str:
    """Effects to both sides of a middle, in the direction of the language."""
    largest = max((abs(one.effect) for one in drivers), default=0.0) or 1.0
    middle, half, step = _WIDTH / 2, _WIDTH / 2 - 60, 34
    marks = []
    for row, one in enumerate(drivers):
        long = abs(one.effect) / largest * half
        to_right = (one.effect > 0) != rtl
        left = middle if to_right else middle - long
        label = f"{words.word('aspect', one.aspect)} · {words.say('n', n=f'{one.mentions:,}')}"
        at = left + long + 4 if to_right else left - 4
        anchor = "start" if to_right != rtl else "end"
        marks.append(
            f'<text x="{middle}" y="{row * step + 12}" font-size="12" text-anchor="middle">{escape(label)}</text>'
            f'<rect x="{left:.1f}" y="{row * step + 16}" width="{long:.1f}" height="10" '
            f'fill="{"#3a9c7a" if one.effect > 0 else "#cc4a68"}"/>'
            f'<text x="{at:.1f}" y="{row * step + 25}" font-size="11" text-anchor="{anchor}" '
            f'direction="{"rtl" if rtl else "ltr"}">&#8206;{_signed(one.effect)}</text>'
        )
    height = len(drivers) * step + 4
    name = escape(words.say("report.why"))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" aria-label="{name}">'
        f'<line x1="{middle}" x2="{middle}" y1="0" y2="{height}" stroke="#55625f"/>{"".join(marks)}</svg>'
    )


def _table(words: _Words, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """heads: keys of texts. rows: cells, as HTML."""
    head = "".join(f"<th>{escape(words.say(one))}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _profiles(rows: Sequence[Mapping[str, Any]], words: _Words) -> str:
    if not rows:
        return f"<p>{escape(words.say('report.none'))}</p>"
    began = [name for name in ("new", *_PROFILES) if any(row["from_profile"] == name for row in rows)]
    count = {(row["from_profile"], row["to_profile"]): row["customers"] for row in rows}
    lines = [
        [escape(words.say(f"profile.{name}")), *(f"{count.get((name, to), 0):,}" for to in _PROFILES)] for name in began
    ]
    return _table(words, ("report.became", *(f"profile.{to}" for to in _PROFILES)), lines)


def _calls(rows: Sequence[Mapping[str, Any]], words: _Words) -> str:
    if not rows:
        return f"<p>{escape(words.say('report.none'))}</p>"
    lines = [
        [
            f'<bdi dir="ltr"><code>{escape(row["customer_id"])}</code></bdi>',
            escape(words.say(f"status.{row['status']}")),
            escape(words.word("touchpoint", row["lowest_touchpoint"])) if row["lowest_touchpoint"] else "–",
            "–" if row["sentiment"] is None else _ltr(f"{row['sentiment']:+.2f}"),
            str(row["cases_open"]),
        ]
        for row in rows
    ]
    heads = ("view.customer", "column.state", "report.lowest", "report.felt", "report.open_cases")
    return _table(words, heads, lines)


def _actions(told: Content, words: _Words) -> str:
    parts = []
    if told.cases is not None:
        case = told.cases
        cells = [str(case["cases"]), str(case["open"]), _number(case["response_hours"]), _number(case["resolve_hours"]),
                 _number(case["first_contact"]), _number(case["told"])]  # fmt: skip
        heads = ("report.cases", "report.open", "report.response", "report.resolution", "report.first", "report.told")
        parts.append(_table(words, heads, [cells]))
    compared = [row for row in told.recovery if row["compared"] >= FEWEST_COMPARED]
    if compared:
        lines = [
            [escape(words.word("touchpoint", row["touchpoint"])), str(row["compared"]), _ltr(f"{row['before']:+.2f}"),
             _ltr(f"{row['after']:+.2f}"), _ltr(f"{row['change']:+.2f}")]
            for row in compared
        ]  # fmt: skip
        felt = ("report.cause", "report.compared_cases", "report.felt_before", "report.felt_after", "report.effect")
        parts.append(_table(words, felt, lines))
    return "".join(parts) or f"<p>{escape(words.say('report.none'))}</p>"


def _halal(rows: Sequence[Mapping[str, Any]], words: _Words, rtl: bool) -> str:
    """Each need with its share, the interval drawn from 0 to 100 %, and what it rests on."""
    lines = [
        [
            f'{_said(words, "need", row)} <span class="soft">{_said(words, "importance", row)}</span>',
            "–" if row["share"] is None else _whole(f"{row['share']:.0%} ({row['low']:.0%} – {row['high']:.0%})"),
            "" if row["share"] is None else _interval(row["low"], row["share"], row["high"], rtl),
            f"{row['experiences']:,}",
            f"{row['against']:,}",
            "–" if row["last_at"] is None else _whole(f"{row['last_at']:%Y-%m-%d}"),
        ]
        for row in rows
    ]
    heads = ("report.need", "report.share", "report.interval", "report.experiences", "report.against", "report.last")
    return f"<p>{escape(words.say('report.halal_lead'))}</p>{_table(words, heads, lines)}"


def _said(words: _Words, column: str, row: Mapping[str, Any]) -> str:
    return escape(words.say(f"{column}.{row[column]}"))


def _interval(low: float, share: float, high: float, rtl: bool) -> str:
    """Shares of 1, drawn 120 wide in the direction of the language."""
    low, share, high = (round(120 * (1 - one if rtl else one), 1) for one in (low, share, high))
    return (
        '<svg viewBox="-4 0 128 12" width="128" height="12" aria-hidden="true">'
        '<line x1="0" x2="120" y1="6" y2="6" stroke="#d9ddd8"/>'
        f'<line x1="{min(low, high)}" x2="{max(low, high)}" y1="6" y2="6" stroke="#3a9c7a" stroke-width="5"/>'
        f'<circle cx="{share}" cy="6" r="4" fill="#0b5d57"/></svg>'
    )


FEWEST_COMPARED = 5
"""Cases below which nothing is said of what their resolution did."""
