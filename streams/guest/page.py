"""The page on which a guest answers, as HTML in six languages, and the events of its form. Pure.

One file without scripts, pictures, fonts or cookies, which loads nothing from elsewhere: nobody can track that it was
opened. It works without a mouse and without JavaScript.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

from streams.guest import events
from streams.guest.links import Ask
from streams.loop.page import RIGHT_TO_LEFT, headers
from streams.model.guests import LANGUAGES

SCALES: Final[Mapping[str, range]] = {"nps": range(11), "csat": range(1, 6), "ces": range(1, 8)}
"""The possible answers to each question."""
TEXT: Final = "text"
"""The form's field of the open question."""

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}h1{font-size:1.35rem}fieldset{border:0;margin:0 0 1.5rem;padding:0}legend{font-weight:600;"
    "padding:0}.scale{display:grid;grid-template-columns:repeat(auto-fit,minmax(2.6rem,1fr));gap:.35rem;"
    "margin:.5rem 0 .25rem}.scale label{text-align:center;border:1px solid #767676;"
    "border-radius:.4rem;padding:.6rem 0;cursor:pointer}"
    ".scale input{position:absolute;opacity:0}.scale label:has(:checked){background:#0b5d4f;color:#fff;"
    "border-color:#0b5d4f}.scale label:has(:focus-visible){outline:3px solid #1a73e8;outline-offset:2px}"
    ".ends{display:flex;justify-content:space-between;font-size:.875rem;color:#555}"
    "textarea,button{font:inherit;box-sizing:border-box;width:100%;padding:.6rem}button{cursor:pointer;border:0;"
    "border-radius:.4rem;background:#0b5d4f;color:#fff;margin-top:1rem}nav{margin-top:2rem;display:flex;gap:.9rem;"
    "flex-wrap:wrap}.small{font-size:.875rem;color:#555}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}a{color:#9cf}.ends,.small{color:#bbb}}"
)
HEADERS: Final = headers(_STYLE)
"""Fields of every answer."""


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Texts of the page, by language and key."""
    return tomllib.loads(files("streams.guest").joinpath("survey.toml").read_text("utf-8"))


def form(ask: Ask, language: str, notice: str | None = None) -> str:
    """The page with the questions. notice: key of a text that is shown above them."""
    say = words()[language]
    title = say["title"] if ask.unit is None else say["at"].format(unit=ask.unit)
    shown = escape(say["title"])
    if ask.unit is not None:  # a name in another direction than the sentence
        shown = escape(say["at"]).format(unit=f'<bdi dir="auto">{escape(ask.unit)}</bdi>')
    lines = [f"<h1>{shown}</h1>"]
    if notice is not None:
        lines.append(f'<p role="alert"><strong>{escape(say[notice])}</strong></p>')
    lines.append('<form method="post" autocomplete="off">')
    for question in ask.asks:
        lines += _open(say) if question == "open" else _scale(question, say)
    lines.append(f'<p class="small">{escape(say["optional"])}</p><button>{escape(say["send"])}</button></form>')
    return _page(language, title, lines)


def notice(language: str, key: str) -> str:
    """A page with one sentence. key: thanks, already, expired, bad or later."""
    say = words()[language]
    return _page(language, say["title"], [f'<p role="status"><strong>{escape(say[key])}</strong></p>'])


def answers(ask: Ask, said: Mapping[str, str], at: int, language: str) -> list[dict[str, Any]]:
    """The events of a submitted form; none if it answers no question. at: epoch ms.

    The text of the open question belongs to the event of the first score, so that one event has both.
    """
    scores = {
        question: int(value)
        for question in ask.asks
        if question in SCALES
        and (value := said.get(question, "")).isascii()
        and value.isdigit()
        and len(value) < 3
        and int(value) in SCALES[question]
    }
    text = said.get(TEXT, "").strip() if "open" in ask.asks else ""
    given: Sequence[tuple[str, int | None]] = [*scores.items()] or ([("open", None)] if text else [])
    made = []
    for question, score in given:
        made.append(events.answered(ask.invitation, question, score, text or None, ask.unit, at, language))
        text = ""
    return made


def _scale(question: str, say: Mapping[str, str]) -> Iterable[str]:
    yield f'<fieldset><legend>{escape(say[question])}</legend><div class="scale">'
    for value in SCALES[question]:
        yield f'<label><input type="radio" name="{question}" value="{value}">{value}</label>'
    low, high = escape(say[f"{question}_low"]), escape(say[f"{question}_high"])
    yield f'</div><div class="ends"><span>{low}</span><span>{high}</span></div></fieldset>'


def _open(say: Mapping[str, str]) -> Iterable[str]:
    yield f"<fieldset><label><strong>{escape(say['open'])}</strong>"
    yield f'<textarea name="{TEXT}" rows="4" maxlength="{events.TEXT}" dir="auto"></textarea></label></fieldset>'


def _page(language: str, title: str, lines: Iterable[str]) -> str:
    direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
    others = " ".join(
        f'<a href="?lang={one}" lang="{one}" dir="auto">{escape(words()[one]["name"])}</a>'
        for one in LANGUAGES
        if one != language
    )
    return (
        f'<!doctype html><html lang="{language}" dir="{direction}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"</head><body><main>{''.join(lines)}</main><nav>{others}</nav></body></html>"
    )
