"""What pages of reports are made of: words, styles, tables and drawings. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

LANGUAGES: Mapping[str, str] = {"en": "ltr", "ar": "rtl"}
"""Language: the direction in which it is written."""

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
blockquote{margin:.3rem 0;padding:.3rem .7rem;background:#f3f5f2;border-radius:6px}
li{break-inside:avoid;margin-block-end:.6rem}
code{font-size:.85em;overflow-wrap:anywhere}.whole{white-space:nowrap}svg{display:block;max-width:100%;height:auto}
.over{paint-order:stroke;stroke:#fff;stroke-width:6px}tr,.tile,svg{break-inside:avoid}
@page{size:A4;margin:16mm}@media print{body{margin:0;max-width:none}}
"""


class Words:
    """Words of one language: those of the report, and those of the desk for what both name."""

    def __init__(self, language: str) -> None:
        self._said = texts("streams.report", f"{language}.json") | texts("streams.serve.desk.page", f"{language}.json")

    def say(self, key: str, **values: object) -> str:
        """The text of a key."""
        return self._said[key].format(**values) if values else self._said[key]

    def word(self, list_: str, name: str) -> str:
        """The word for a name of a list; the name itself, readable, where there is none."""
        bare = name.partition(".")[2] or name
        plain = bare.replace("_", " ").capitalize()
        return self._said.get(f"{list_}.{name}", self._said.get(f"{list_}.{bare}", plain))


@cache
def texts(package: str, name: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads(files(package).joinpath(name).read_text("utf-8"))
    return texts


def section(words: Words, key: str, content: str) -> str:
    """A heading and what is under it. key: of the heading. content: HTML."""
    return f"<h2>{escape(words.say(key))}</h2>{content}"


def ltr(text: str) -> str:
    """A figure or a code, always from left to right, as HTML."""
    return f'<bdi dir="ltr">{escape(text)}</bdi>'


def whole(text: str) -> str:
    """The same on one line."""
    return f'<bdi dir="ltr" class="whole">{escape(text)}</bdi>'


def table(words: Words, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """heads: keys of texts. rows: cells, as HTML."""
    head = "".join(f"<th>{escape(words.say(one))}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def named(words: Words, column: str, row: Mapping[str, Any]) -> str:
    """The word for what a row has in a column, as HTML."""
    return escape(words.say(f"{column}.{row[column]}"))


def interval(low: float, share: float, high: float, rtl: bool) -> str:
    """Shares of 1, drawn 120 wide in the direction of the language."""
    low, share, high = (round(120 * (1 - one if rtl else one), 1) for one in (low, share, high))
    return (
        '<svg viewBox="-4 0 128 12" width="128" height="12" aria-hidden="true">'
        '<line x1="0" x2="120" y1="6" y2="6" stroke="#d9ddd8"/>'
        f'<line x1="{min(low, high)}" x2="{max(low, high)}" y1="6" y2="6" stroke="#3a9c7a" stroke-width="5"/>'
        f'<circle cx="{share}" cy="6" r="4" fill="#0b5d57"/></svg>'
    )


def needs(rows: Sequence[Mapping[str, Any]], words: Words, rtl: bool) -> str:
    """Each need with its share, the interval drawn from 0 to 100 %, and what it rests on."""
    lines = [
        [
            f'{named(words, "need", row)} <span class="soft">{named(words, "importance", row)}</span>',
            "–" if row["share"] is None else whole(f"{row['share']:.0%} ({row['low']:.0%} – {row['high']:.0%})"),
            "" if row["share"] is None else interval(row["low"], row["share"], row["high"], rtl),
            f"{row['experiences']:,}",
            f"{row['against']:,}",
            "–" if row["last_at"] is None else whole(f"{row['last_at']:%Y-%m-%d}"),
        ]
        for row in rows
    ]
    heads = ("report.need", "report.share", "report.interval", "report.experiences", "report.against", "report.last")
    return f"<p>{escape(words.say('report.halal_lead'))}</p>{table(words, heads, lines)}"


def document(title: str, language: str, parts: Iterable[str]) -> str:
    """A whole page. language: one of LANGUAGES. parts: HTML."""
    return (
        f'<!doctype html>\n<html lang="{language}" dir="{LANGUAGES[language]}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"</head><body>{''.join(parts)}</body></html>\n"
    )
