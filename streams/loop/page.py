"""The page of an answer, as HTML in six languages: what it is about, and a button for each answer. Pure.

One file without a script, a picture, a font or a cookie: nothing on it tells anybody that it was opened, and the policy
in its headers lets nothing else in. What it shows names no customer.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, Final

from streams.loop.answers import NAME, NOTE, PAST, VERBS

LANGUAGES: Final = ("en", "ar", "id", "tr", "ur", "fr")
RIGHT_TO_LEFT: Final = frozenset({"ar", "ur"})
SNOOZE_MS: Final = 3_600_000

_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}button,input,textarea{font:inherit;box-sizing:border-box;width:100%;padding:.6rem;margin:.25rem 0}"
    "button{cursor:pointer}h1{font-size:1.25rem}nav{margin-top:2rem}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}a{color:#9cf}}"
)


def headers(style: str) -> Mapping[str, str]:
    """Headers of a page that loads nothing, is kept nowhere, and may have this style alone."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",  # without, a browser says of the form's Origin that it is null
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
        "Cache-Control": "no-store",
    }


HEADERS: Final = headers(_STYLE)
"""Of every answer."""


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """What the page says, by language and key."""
    return tomllib.loads(files("streams.loop").joinpath("words.toml").read_text("utf-8"))


def language_of(asked: str | None, sent: str | None, accepted: str, languages: Sequence[str] = LANGUAGES) -> str:
    """The page's language: what was asked for, that of the message, what the browser accepts, else English.

    accepted: the header Accept-Language. languages: that there are; who reads Malay reads Indonesian, too.
    """
    wanted = [asked, sent, *(part.partition(";")[0] for part in accepted.split(","))]
    spoken = ((one or "").strip().lower().partition("-")[0] for one in wanted)
    return next(
        (one if one in languages else "id" for one in spoken if one in languages or one == "ms"),
        "en",
    )


def form(
    kind: str, record: Mapping[str, Any], language: str, person: str | None, click: str, done: str | None = None
) -> str:
    """The page of an alert or a case.

    record: as for answer_event. person: who answers, where that is known. click: goes into the form, so that the same
    click sent twice is one answer. done: the answer that was just recorded.
    """
    say = words()[language]
    is_closed = record["closed_at"] is not None if kind == "alert" else record["status"] == "resolved"
    handler = record.get("handler")
    held = say["closed"] if is_closed else say["held"].format(who=handler) if handler else say["free"]
    what = f"{record['severity']}: {record['rule']}" if kind == "alert" else record["touchpoint"]
    at = record["occurred_at"] if kind == "alert" else record["opened_at"]
    lines = [f"<h1>{escape(say[kind])}: {_as_is(what)}</h1>"]
    if done in PAST.values():
        lines.append(f'<p role="status"><strong>{escape(say["recorded"].format(what=say[str(done)]))}</strong></p>')
    if kind == "alert":
        lines.append(f"<p>{_as_is(record['reason'])}</p>")
    where = [f"{escape(say['at'])} {_as_is(record['unit'])}"] if record["unit"] else []
    when = [] if at is None else [f"{escape(say['since'])} {_as_is(_time(at))}"]
    lines += [f"<p>{' · '.join([*where, *when])}</p>", f"<p>{escape(held)}</p>"]
    if not done:
        lines += _form(say, record, person, click)
    return _page(language, say[kind], lines)


def draft(record: Mapping[str, Any], language: str, person: str | None, click: str, done: str | None = None) -> str:
    """The page of a message to a guest that waits to be approved. record: of message.avsc. The rest as for `form`."""
    say = words()[language]
    lines = [f"<h1>{escape(say['message'])}: {_as_is(record['aspect'] or record['kind'])}</h1>"]
    if done is not None:
        lines.append(f'<p role="status"><strong>{escape(say["recorded"].format(what=say[done]))}</strong></p>')
    if record["unit"]:
        lines.append(f"<p>{escape(say['at'])} {_as_is(record['unit'])}</p>")
    lines.append(f'<blockquote lang="{escape(record["language"])}">{_as_is(record["text"])}</blockquote>')
    if record["status"] == "approved":
        lines.append(f"<p>{escape(say['approved'])}: {_as_is(record['judged_by'])}</p>")
    if not done:
        lines += ['<form method="post" autocomplete="off">', *_who(say, str(record["judged_at"]), person, click)]
        lines += [
            f'<button name="answer" value="{verb}">{escape(say[verb])}</button>' for verb in ("approve", "reject")
        ]
        lines.append("</form>")
    return _page(language, say["message"], lines)


def notice(language: str, key: str) -> str:
    """A page of one sentence. key: bad, expired, gone, later or wrong."""
    say = words()[language]
    return _page(language, "Rihla", [f'<p role="status">{escape(say[key])}</p>'])


def _form(say: Mapping[str, str], record: Mapping[str, Any], person: str | None, click: str) -> Iterable[str]:
    yield '<form method="post" autocomplete="off">'
    yield from _who(say, str(record["version"]), person, click)
    yield f'<label>{escape(say["note"])}<textarea name="note" maxlength="{NOTE}" rows="2"></textarea></label>'
    for verb in VERBS:
        if verb == "assign":
            yield f'<label>{escape(say["assign"])}<input name="to" maxlength="{NAME}"></label>'
        yield f'<button name="answer" value="{verb}">{escape(say[verb])}</button>'
    yield "</form>"


def _who(say: Mapping[str, str], version: str, person: str | None, click: str) -> Iterable[str]:
    """The fields that every form has: what was shown, and who answers."""
    yield f'<input type="hidden" name="version" value="{escape(version)}">'
    yield f'<input type="hidden" name="click" value="{escape(click)}">'
    if person is None:
        yield f'<label>{escape(say["yours"])}<input name="person" required maxlength="{NAME // 2}"></label>'
    else:
        yield f"<p>{_as_is(person)}</p>"


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


def _as_is(text: Any) -> str:
    """What is not in the page's language, with its own direction."""
    return f'<bdi dir="auto">{escape(str(text))}</bdi>'


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
