"""Personal data in the spellings of machines is found as that in plain text is, and nothing else is taken for it."""

from __future__ import annotations

import base64
import html
import json
import quopri
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.text.encoded import readings
from streams.text.scrub import cover_text, scrub_text
from streams.text.shown import shown_line

MAIL, PHONE, CARD = "amina.k@example.com", "+966 50 123 4567", "4111 1111 1111 1111"


def escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def some_escaped(text: str) -> str:
    return text.replace("@", "\\u0040").replace("+", "\\u002B").replace(" ", "\\u0020")


def quoted_printable(text: str) -> str:
    return "".join(f"={octet:02X}" for octet in text.encode())


SPELLINGS: dict[str, Callable[[str], str]] = {
    "json": escaped,
    "json, in part": some_escaped,
    "json in json": lambda text: json.dumps(json.dumps({"x": some_escaped(text)})),
    "percent": lambda text: quote(text, safe=""),
    "a form": quote_plus,
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "all percent": lambda text: "".join(f"%{octet:02x}" for octet in text.encode()),
    "html": lambda text: text.replace("@", "&#64;").replace("+", "&#x2B;").replace(" ", "&nbsp;").replace("1", "&#49;"),
    "html by name": lambda text: text.replace("@", "&commat;").replace("+", "&plus;").replace(".", "&period;"),
    "html twice": lambda text: html.escape(text.replace("@", "&#64;").replace("1", "&#49;")),
    "quoted-printable": quoted_printable,
    "quoted-printable, on two lines": lambda text: quoted_printable(text[:5]) + "=\r\n" + quoted_printable(text[5:]),
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [MAIL, PHONE, CARD])
def test_what_is_spelt_otherwise_is_found(spelling: str, secret: str) -> None:
    spelt = SPELLINGS[spelling](secret)
    text = f"see {spelt} ok"
    covered = cover_text(text)
    for one in (scrub_text(text), covered):
        assert one.startswith("see ")
        assert one.endswith(" ok")
        assert not any(part in one for part in ("amina", "4567", "1111", quote("4567"), escaped("4567")))
        assert not any(MAIL in r.text or "4567" in r.text or "1111" in r.text for r in readings(one))
    assert len(covered) == len(text)


@pytest.mark.parametrize("secret", [MAIL, PHONE, CARD, f"{'long text ' * 20}{MAIL}"])
@pytest.mark.parametrize("wrap", [False, True])
def test_base64_in_a_letter_is_looked_into(secret: str, wrap: bool) -> None:
    data = f"my address: {secret} thanks".encode()
    run = base64.encodebytes(data).decode().strip() if wrap else base64.urlsafe_b64encode(data).decode()
    covered = cover_text(f"body: {run}.")
    assert covered.startswith("body: *")
    assert {*covered[6:-1]} == {"*"}


def test_letters_of_json_percent_and_text_show_none() -> None:
    url = f"https://x.example/?mail={quote(MAIL, safe='')}&n=1"
    for line in (
        json.dumps({"a": MAIL, "u": url}).replace("@", "\\u0040").encode(),
        f'{{"a": "{some_escaped(MAIL)}", broken'.encode(),
        f"From: =?utf-8?Q?{quoted_printable(MAIL)}?=".encode(),
        json.dumps({"html": f"<a href='mailto:{MAIL.replace('@', '&#64;')}'>"}).encode(),
    ):
        shown = shown_line(line)
        assert len(shown) == len(line)
        assert b"amina" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "50%20 off, 100%25 sure, room 12%", "a=20 b=3D c", "R&D; Q&A at 5", "C:\\users\\x12 and \\u", "paid = 120 = ok",
        "x%zz &#99999999; &nothing; \\ud800", "2f1d3c4b5a69788796a5b4c3d2e1f00f2f1d3c4b5a69788796a5b4c3d2e1f00f",
        "https://example.com/a%20b?x=1&y=2", "7b0c2ad4-6a0e-4c1d-9a49-000000000001", "bookingconfirmed",
    ],
)  # fmt: skip
def test_what_says_nothing_of_anybody_stays(text: str) -> None:
    assert scrub_text(text) == text
    assert cover_text(text) == text


def test_a_phone_number_behind_an_equals_sign_is_still_one() -> None:
    assert scrub_text("phone=0501234567 x%20y") == "phone=[phone] x%20y"


@given(st.text(alphabet="%=&#;\\u0420a@.+bc64\n", max_size=60))
def test_scrubbing_twice_changes_nothing(text: str) -> None:
    once = scrub_text(text)
    assert scrub_text(once) == once


@given(st.text(max_size=80), st.sampled_from(["", "%40", "&#64;", "\\u0040", "=40"]))
def test_a_reading_says_where_each_character_stood(text: str, spelt: str) -> None:
    for reading in readings(text + spelt + text):
        assert len(reading.text) == len(reading.starts) == len(reading.ends)
        assert all(start < end for start, end in zip(reading.starts, reading.ends, strict=True))
        assert reading.starts == sorted(reading.starts)


def test_quoted_printable_is_what_pythons_library_writes() -> None:
    assert cover_text(quopri.encodestring(f"é {MAIL}".encode(), quotetabs=True).decode()).count("*") >= len(MAIL)
