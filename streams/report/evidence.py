"""The evidence of a unit's halal readiness, as a page to print: what `rihla report --evidence` writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import escape
from typing import Any

from streams.report.content import Ask, Rows
from streams.report.parts import LANGUAGES, Words, document, ltr, named, needs, section, table

DAYS = 7
"""Days whose times of prayer are shown."""
PRAYERS = ("fajr", "dhuhr", "asr", "maghrib", "isha")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Rows of halal_readiness, readiness_evidence and prayer_times of a unit, as they were before a day.

    with_words: whether what guests said is shown; nobody is named in any case.
    """

    unit: str
    until: date
    needs: Rows
    pieces: Rows
    days: Rows
    with_words: bool


def evidence(ask: Ask, unit: str, until: date, with_words: bool) -> Evidence:
    """Ask for all of it. until: the first day (UTC) that no longer counts."""
    asked = {"unit": unit, "until": f"{until} 00:00:00"}
    return Evidence(
        unit,
        until,
        ask("halal_readiness", asked),
        ask("readiness_evidence", asked),
        ask("prayer_times", {**asked, "limit": str(DAYS)}),
        with_words,
    )


def pack(told: Evidence, language: str, made_at: datetime) -> str:
    """The page. language: one of LANGUAGES. made_at: the clock."""
    words = Words(language)
    rtl = LANGUAGES[language] == "rtl"
    title = f"{words.say('readiness')}: {told.unit}"
    clock = ltr(f"{made_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    made = escape(words.say("report.made_of_guests", when="{when}")).replace("{when}", clock)
    parts = [
        f"<h1>{escape(words.say('readiness'))}: <bdi>{escape(told.unit)}</bdi></h1>",
        f'<p class="soft">{escape(words.say("report.until"))} {ltr(str(told.until))}</p>',
        section(words, "report.halal", needs(told.needs, words, rtl))
        if told.needs
        else _none(words, "readiness.empty"),
        section(words, "readiness.prayers", _prayers(told.days, words)),
        section(words, "readiness.evidence", _pieces(told, words)),
        f'<p class="soft">{made}</p>',
    ]
    return document(title, language, parts)


def _none(words: Words, key: str) -> str:
    return f'<p class="soft">{escape(words.say(key))}</p>'


def _prayers(days: Sequence[Mapping[str, Any]], words: Words) -> str:
    if not days:
        return _none(words, "readiness.no_place")
    lines = [
        [
            ltr(str(day["date"])) + (f" {escape(words.say('season.ramadan'))}" if day["ramadan"] else ""),
            *(ltr(day[name]) for name in PRAYERS),
        ]
        for day in reversed(days)
    ]
    clock = f'<p class="soft">{escape(words.say("readiness.clock"))} {ltr(days[0]["timezone"])}</p>'
    return clock + table(words, ("date", *(f"prayer.{name}" for name in PRAYERS)), lines)


def _pieces(told: Evidence, words: Words) -> str:
    if not told.pieces:
        return _none(words, "readiness.silent")
    note = "" if told.with_words else _none(words, "report.without_words")
    return f"{note}<ol>{''.join(_piece(one, words, told.with_words) for one in told.pieces)}</ol>"


def _piece(one: Mapping[str, Any], words: Words, with_words: bool) -> str:
    facts = [
        ltr(str(one["local_time"] or one["at"])[:16]),
        escape(words.word("touchpoint", one["touchpoint"])),
        *([escape(words.say(f"prayer.{one['prayer_window']}"))] if one["prayer_window"] else []),
        escape(words.say("readiness.weight", n=f"{one['weight']:.2f}")),
    ]
    tone = "bad" if one["well"] < 0.5 else "good" if one["well"] > 0.5 else "soft"
    text, language = one["text"], one["language"]
    lang = f' lang="{escape(language)}"' if language else ""
    quote = f'<blockquote dir="auto"{lang}>{escape(text)}</blockquote>' if with_words and text else ""
    well = ltr(f"{one['well']:.0%}")
    return (
        f'<li><strong>{named(words, "need", one)}</strong> <span class="{tone}">{well}</span>'
        f'<div class="soft">{" · ".join(facts)}</div>{quote}</li>'
    )
