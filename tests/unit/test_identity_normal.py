"""Whatever its spelling, an identifier is one; what names nobody, and what is in clear, is told."""

from __future__ import annotations

import sys
import unicodedata
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.model.identifiers import BOOKING_REF, GROUP, KINDS, customer_id
from streams.model.normal import Nobody, in_clear, normal, normal_identifier, normal_pair, secrets

HASH = sha256(b"amina@example.com").hexdigest()
BLANKS = st.text(alphabet=" \t\n\u00a0\u3000\u200b\ufeff\u00ad\u2060", max_size=3)
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


@given(st.text(), st.text())
def test_normalising_twice_changes_nothing(kind: str, value: str) -> None:
    once = normal_pair(kind, value)
    assert normal_pair(*once) == once


@given(
    st.from_regex(r"[A-Za-zé]{1,3}[-_/]?[0-9]{1,8}", fullmatch=True),
    BLANKS,
    BLANKS,
    st.sampled_from([{}, WIDE, ARABIC, PERSIAN]),
    st.sampled_from(["NFC", "NFD"]),
    st.integers(0, 12),
)
def test_all_spellings_are_one(value: str, before: str, after: str, digits: dict[int, str], form: str, at: int) -> None:
    spelt = unicodedata.normalize(form, value).translate(digits)  # type: ignore[arg-type]
    spelt = spelt[:at] + "\u200d" + spelt[at:]
    assert normal_pair(" Customer\u200b", before + spelt + after) == ("customer", normal(value))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("loyalty:7", ("loyalty", "7")),
        ("booking_ref:R1", ("booking_ref", "R1")),
        ("group:G", ("group", "G")),
        ("customer:customer: 7", ("customer", "7")),
        (f"email_sha256:{HASH.upper()}", ("email_sha256", HASH)),
        ("C:7", ("customer", "C:7")),
        ("opera:7", ("customer", "opera:7")),
    ],
)
def test_a_customer_that_is_spelt_like_another_identifier_is_that_identifier(value: str, said: tuple[str, str]) -> None:
    assert normal_pair("Customer", value) == said


@given(*[st.sampled_from([*KINDS, BOOKING_REF, GROUP]), st.text("ab:7 ", max_size=3)] * 2, st.sampled_from(KINDS))
def test_two_identifiers_never_have_one_customer_id(kind: str, value: str, other: str, text: str, spelt: str) -> None:
    one, two = (":".join(normal_pair(*pair)) for pair in ((kind, value), (other, text)))
    assert (customer_id(one) == customer_id(two)) == (one == two)
    assert normal_pair("customer", f"{spelt}:{value}") == normal_pair(spelt, value)
    assert normal_pair(f"customer:{spelt}", value) == normal_pair(spelt, value)


def test_case_is_kept_but_for_hexadecimal() -> None:
    assert normal_pair("LOYALTY", "c-77") != normal_pair("loyalty", "C-77")
    assert normal_pair("Email_SHA256", HASH.upper()) == ("email_sha256", HASH)
    assert normal_pair("device", "123E4567-E89B-12D3-A456-426614174000")[1] == "123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize(
    "value",
    [
        *(
            "null",
            "NULL",
            "None",
            "NaN",
            "undefined",
            "n/a",
            "N/A",
            "0",
            "00000000",
            "unknown",
            "test",
            "[object Object]",
        ),
        *("-", "--", "***", "00000000-0000-0000-0000-000000000000", "غير معروف", "", "Ｎ／Ａ"),
    ],
)
def test_nobody(value: str) -> None:
    assert normal(value) in Nobody()


@pytest.mark.parametrize("word", ["", "null", "NULL", "None", "0", "unknown"])
def test_the_hash_of_nobody_is_nobody(word: str) -> None:
    assert sha256(word.encode()).hexdigest() in Nobody()


@pytest.mark.parametrize("value", ["C-77", "10", "007", "🙂", "nullius", HASH, "ق", "N1", "0x1"])
def test_somebody(value: str) -> None:
    assert normal(value) not in Nobody()


def test_more_words_by_setting() -> None:
    assert "WALK IN GUEST" in Nobody(["walk in guest"])
    assert "WALK IN GUEST" not in Nobody()
    assert sha256(b"walk in guest").hexdigest() in Nobody(["walk in guest"])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("email_sha256", value) for value in ("Amina@Example.com", "abc", HASH[:-1], HASH + "0", "g" * 64)),
        *(("phone_sha256:x", "966501234567"), ("passport_sha256", "A1234567")),
        *((kind, "amina") for kind in ("email", "e-mail", "phone", "mobile", "msisdn", "whatsapp")),
        *(("customer", value) for value in ("amina@example.com", "mailto:amina@example.com", "amina%40example.com")),
        *(("device", value) for value in ("+966501234567", "+966 50-123 4567", "whatsapp:+966501234567")),
        *(("social", "amina@example.com"), ("amina@example.com", "1")),
    ],
)
def test_in_clear(kind: str, value: str) -> None:
    assert in_clear(kind, value)
    assert secrets([(kind, value)], None, Nobody())


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("email_sha256", HASH), ("email", HASH), ("social", "@amina"), ("social", "@amina@social.example")),
        *(("customer", "C-77"), ("customer", "0012345678"), ("device", "phone-7"), ("loyalty", "+plus"), ("x", "a@b")),
    ],
)
def test_not_in_clear(kind: str, value: str) -> None:
    assert not in_clear(kind, value)
    assert secrets([(kind, value)], None, Nobody()) == []


def test_look_ups_are_normalised_the_same_way() -> None:
    assert normal_identifier(" C-77 ") == "C-77"
    assert normal_identifier("Customer:Ｃ-７７") == "customer:C-77"
    assert normal_identifier(f"EMAIL_SHA256:{HASH.upper()}") == f"email_sha256:{HASH}"
    assert normal_identifier("BK:77") == "BK:77"


def test_decimal_digits_of_every_script_are_known() -> None:
    digits = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Nd"]
    assert all(normal(digit) == str(unicodedata.decimal(digit)) for digit in digits)
