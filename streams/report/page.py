"""A report as one HTML page that asks for nothing: styles and drawings are in it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from streams.report.content import Change, Content, Driver
from streams.report.parts import LANGUAGES, Words, document, ltr, needs, section, table

_PROFILES = ("negative", "non_committal", "advocate")
_WIDTH = 640


def page(told: Content, language: str, made_at: datetime, clear: bool = True) -> str:
    """The page. language: one of LANGUAGES. made_at: the clock. clear: whether it names customers."""
    words = Words(language)
    last = told.period.until - timedelta(days=1)
    title = title_of(told.unit, words)
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{ltr(f"{told.period.since} – {last}")} · {escape(words.say("report.compared"))} '
        f"{ltr(f'{told.before.since} – {told.before.until - timedelta(days=1)}')}</p>",
        f"<p>{escape(summary(told, words))}</p>",
        section(words, "report.scores", _tiles(told.scores, words)),
        section(words, "report.why", _drivers(told, words, LANGUAGES[language] == "rtl")),
        section(words, "report.profiles", _profiles(told.profiles, words)),
        section(words, "report.calls", _calls(told.calls, words, clear)),
        section(words, "report.actions", _actions(told, words)),
        section(words, "report.halal", needs(told.halal, words, LANGUAGES[language] == "rtl")) if told.halal else "",
        f'<p class="soft">{escape(words.say("report.made"))} {ltr(f"{made_at.astimezone(UTC):%Y-%m-%d %H:%M UTC}")}. '
        f"{escape(words.say('report.margins'))}</p>",
    ]
    return document(title, language, parts)


def title_of(unit: str, words: Words) -> str:
    """What a report is called. unit: empty: all."""
    return words.say("report.title", unit=unit or words.say("report.all_units"))


def summary(told: Content, words: Words) -> str:
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


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _tiles(scores: Iterable[Change], words: Words) -> str:
    tiles = []
    for one in scores:
        margin = "" if one.margin is None else f" ± {_number(one.margin)}"
        figure = ltr(f"{_number(one.now)}{margin}") if one.now is not None else "–"
        if one.difference is None:
            note = words.say("report.nothing_before")
        else:
            tone = ("good" if one.difference > 0 else "bad") if one.is_real else "soft"
            said = words.say("report.real" if one.is_real else "report.within")
            note = f'<span class="{tone}">{ltr(f"{one.difference:+.2f}")} {escape(said)}</span>'
        tiles.append(
            f'<div class="tile"><div>{escape(words.say(one.name))}</div><div class="figure">{figure}</div>'
            f'<div>{note}</div><div class="soft">{escape(words.say("answers", n=f"{one.n:,}"))}</div></div>'
        )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _drivers(told: Content, words: Words, rtl: bool) -> str:
    if told.mood is None:
        return f"<p>{escape(words.say('report.too_few'))}</p>"
    lead = escape(words.say("report.mood")) + " " + ltr(_signed(told.mood)) + ". " + escape(words.say("report.sum"))
    return f"<p>{lead}</p>{_bars(told.drivers, words, rtl)}"


def _bars(drivers: Sequence[Driver], words: Words, rtl: bool) -> str:
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
            f'<text class="over" x="{middle}" y="{row * step + 12}" font-size="12" text-anchor="middle">'
            f"{escape(label)}</text>"
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


def _profiles(rows: Sequence[Mapping[str, Any]], words: Words) -> str:
    if not rows:
        return f"<p>{escape(words.say('report.none'))}</p>"
    began = [name for name in ("new", *_PROFILES) if any(row["from_profile"] == name for row in rows)]
    count = {(row["from_profile"], row["to_profile"]): row["customers"] for row in rows}
    lines = [
        [escape(words.say(f"profile.{name}")), *(f"{count.get((name, to), 0):,}" for to in _PROFILES)] for name in began
    ]
    return table(words, ("report.became", *(f"profile.{to}" for to in _PROFILES)), lines)


def _calls(rows: Sequence[Mapping[str, Any]], words: Words, clear: bool) -> str:
    if not rows:
        return f"<p>{escape(words.say('report.none'))}</p>"
    lines = [
        [
            f'<bdi dir="ltr"><code>{escape(row["customer_id"]) if clear else "…"}</code></bdi>',
            escape(words.say(f"status.{row['status']}")),
            escape(words.word("touchpoint", row["lowest_touchpoint"])) if row["lowest_touchpoint"] else "–",
            "–" if row["sentiment"] is None else ltr(f"{row['sentiment']:+.2f}"),
            str(row["cases_open"]),
        ]
        for row in rows
    ]
    heads = ("view.customer", "column.state", "report.lowest", "report.felt", "report.open_cases")
    return table(words, heads, lines)


def _actions(told: Content, words: Words) -> str:
    parts = []
    if told.cases is not None:
        case = told.cases
        cells = [str(case["cases"]), str(case["open"]), _number(case["response_hours"]), _number(case["resolve_hours"]),
                 _number(case["first_contact"]), _number(case["told"])]  # fmt: skip
        heads = ("report.cases", "report.open", "report.response", "report.resolution", "report.first", "report.told")
        parts.append(table(words, heads, [cells]))
    compared = [row for row in told.recovery if row["compared"] >= FEWEST_COMPARED]
    if compared:
        lines = [
            [escape(words.word("touchpoint", row["touchpoint"])), str(row["compared"]), ltr(f"{row['before']:+.2f}"),
             ltr(f"{row['after']:+.2f}"), ltr(f"{row['change']:+.2f}")]
            for row in compared
        ]  # fmt: skip
        felt = ("report.cause", "report.compared_cases", "report.felt_before", "report.felt_after", "report.effect")
        parts.append(table(words, felt, lines))
    return "".join(parts) or f"<p>{escape(words.say('report.none'))}</p>"


FEWEST_COMPARED = 5
"""Cases below which nothing is said of what their resolution did."""
