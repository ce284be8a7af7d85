"""Any card, e-mail address or phone number is found in any sentence; text without one comes back as it was."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.text.documents import is_document
from streams.text.scrub import luhn, scrub_text

ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
words = st.text(alphabet="abcdefghij الغرفة kötü", max_size=20).map(str.strip)


@st.composite
def cards(draw: st.DrawFn) -> str:
    body = draw(st.text(alphabet="0123456789", min_size=12, max_size=18))
    digits = next(body + check for check in "0123456789" if luhn(body + check))
    separator = draw(st.sampled_from(["", " ", "-", "."]))
    size = 4
    number = separator.join(digits[i : i + size] for i in range(0, len(digits), size)) if separator else digits
    return number.translate(ARABIC_INDIC) if draw(st.booleans()) else number


@given(cards(), words, words)
def test_no_card_survives(card: str, before: str, after: str) -> None:
    digits = "".join(str(int(sign)) for sign in card if sign.isdigit())
    # 16 digits may be both, but a document has no groups of four
    hidden = "[id]" if card.isdigit() and is_document(digits) else "[card]"
    assert scrub_text(f"{before} / {card} / {after}") == f"{before} / {hidden} / {after}"


@given(st.emails(domains=st.just("example.com")).filter(lambda e: e.replace(".", "").replace("@", "").isalnum()), words)
def test_no_address_survives(email: str, before: str) -> None:
    assert scrub_text(f"{before} {email}") == f"{before} [email]"


PHONES = r"\+(966 5\d \d{3} \d{4}|62 8\d\d-\d{4}-\d{3}|90 5\d\d \d{3} \d\d \d\d|92 3\d\d \d{7})"


@given(st.from_regex(PHONES, fullmatch=True), st.booleans(), words)
def test_no_phone_survives(phone: str, arabic: bool, before: str) -> None:
    assert scrub_text(f"{before}: {phone.translate(ARABIC_INDIC) if arabic else phone}") == f"{before}: [phone]"


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y%m%d"]), st.integers(0, 999999))
def test_dates_prices_references_and_flights_stay(date: object, pattern: str, number: int) -> None:
    text = f"{date:{pattern}} SV{number % 10000:04d} {number:,} Rp {number:,}".replace(",", ".") + f" AB{number}C"
    if date.year >= 1900:  # type: ignore[attr-defined]
        assert scrub_text(text) == text


@given(st.text(alphabet="0123456789+-. ()@abc[]/٠٥", max_size=60))
def test_scrubbing_twice_changes_nothing(text: str) -> None:
    once = scrub_text(text)
    assert scrub_text(once) == once


@given(st.text())
def test_text_without_digits_or_at_signs_is_untouched(text: str) -> None:
    if "@" not in text and not any(character.isdigit() for character in text):
        assert scrub_text(text) == text
