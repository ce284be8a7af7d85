"""The file of segments: what it may say, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.guest import consent
from streams.guest.consent import Said
from streams.guest.notes import Notes
from streams.model import company
from streams.segments.rules import Known, Question, SegmentError, of
from streams.verify.segments import _agreed

FILE = """
[unhappy_gold]
doc = "Dear to us, and unhappy"
[[unhappy_gold.when]]
profiles = ["negative"]
loyalty_tiers = ["Gold"]
[[unhappy_gold.when]]
money = { currency = "KWD", at_least = 1.5 }
open_cases = { at_least = 1, at_most = 3 }

[in_house]
when = [{ statuses = ["in_stay"], preferences = { diet = ["vegetarian"] } }]
"""


def made(tmp_path: Path, text: str) -> company.Model:
    (tmp_path / "segments.toml").write_text(text, "utf-8")
    return company.load(str(tmp_path))


def test_who_belongs_to_which(tmp_path: Path) -> None:
    segments = of(made(tmp_path, FILE))
    assert segments.asked == {"profiles", "loyalty_tiers", "money", "open_cases", "statuses", "preferences"}
    negative = {"profiles": ("negative",)}
    assert segments.of(Known({}, {**negative, "loyalty_tiers": ("gold",)})) == {"unhappy_gold"}
    assert segments.of(Known({}, {**negative, "loyalty_tiers": ("silver",)})) == set()
    assert segments.of(Known({}, negative)) == set(), "what is not known holds for nothing"
    for cases, minor, expected in (
        (1, 1500, {"unhappy_gold"}),
        (4, 1500, set()),
        (1, 1499, set()),
        (None, 9999, set()),
    ):
        assert segments.of(Known({"open_cases": cases}, negative, {"KWD": minor})) == expected
    assert segments.of(Known({}, {"statuses": {"in_stay", "booked"}}, {}, {"diet": "Vegetarian"})) == {"in_house"}


def test_consent_is_asked_for_by_purpose_and_channel(tmp_path: Path) -> None:
    segments = of(made(tmp_path, '[mail]\nwhen = [{ consents = { Marketing = ["email", "sms"] } }]'))

    def said(purpose: str, channel: str, given: bool, at: int) -> Said:
        return Said(purpose, channel, given, at, bytes(16))

    yes, other = said("marketing", "sms", True, 1), said("survey", "email", True, 1)
    all_gone = said("any", "any", False, 2)
    assert segments.of(Known({}, {}, consents=[yes, other])) == {"mail"}
    for consents in ([], [other], [yes, all_gone], [said("any", "email", True, 3)]):
        assert segments.of(Known({}, {}, consents=consents)) == set()


def test_agreeing_to_everything_takes_no_withdrawal_back() -> None:
    """It agrees to no purpose, so the withdrawal from all of them, which it came after, holds."""
    notes = Notes()
    for given_, purpose, at in ((True, "marketing", 0), (False, "any", 1), (True, "any", 2)):
        notes.add((Said(purpose, "any", given_, at, bytes(16)),))
    assert not Question("consents", "marketing", frozenset(("email",))).holds(Known({}, {}, consents=notes.consents))


WORDS = st.sampled_from(["marketing", " Marketing", "survey", "email", "SMS", "", "*", "all", "any"])
ASKED = [Question("consents", purpose, frozenset(ways)) for purpose in ("marketing", "survey")
         for ways in (("email",), ("email", "sms"))]  # fmt: skip


@given(st.lists(st.tuples(st.booleans(), st.none() | WORDS, st.none() | WORDS), max_size=6), st.randoms())
def test_who_agrees_is_what_the_plain_way_says(events: list[tuple[bool, str | None, str | None]], rng: Random) -> None:
    rows, noted = [], []
    for number, (given_, purpose, channel) in enumerate(events):
        pairs = [{"key": key, "value": value} for key, value in (("purpose", purpose), ("channel", channel))
                 if value is not None]  # fmt: skip
        touchpoint = f"stay.consent_{'given' if given_ else 'withdrawn'}"
        rows.append(("amina", touchpoint, pairs))
        noted.append(consent.said(touchpoint, number, bytes(16), pairs))
    pairs_of = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
    frame = pl.DataFrame(
        rows, {"customer_id": pl.String, "touchpoint": pl.String, "attributes": pairs_of}, orient="row"
    )
    plain = _agreed(frame, ASKED)
    rng.shuffle(noted)
    notes = Notes()
    for one in noted:
        notes.add((one,))
    for question in ASKED:
        assert question.holds(Known({}, {}, consents=notes.consents)) == ("amina" in plain[question])


def test_the_model_has_another_hash_with_other_segments(tmp_path: Path) -> None:
    one, other = (made(tmp_path, text).hash for text in (FILE, FILE.replace("1.5", "2.5")))
    assert len({one, other, company.built_in().hash}) == 3
    assert one == made(tmp_path, FILE.replace("Dear to us", "Loved by us")).hash, "words for people mean nothing"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("[Big]\nwhen = [{ journeys = { at_least = 1 } }]", 1, "small letters"),
        ("[big]\nwhen = [{ consents = { marketing = ['any'] } }]", 2, "consent is specific"),
        ("\n[big]\nwhen = []", 3, "a list of conditions"),
        ("[big]\nwhen = [{}]", 2, "none of them empty"),
        ('[big]\nwhom = "x"', 2, "whom is no key here"),
        ("[big]\nwhen = [{ journeys = 3 }]", 2, "at_least = 1"),
        ('[big]\nwhen = [{ statuses = ["sleeping"] }]', 2, "there are exploring, booked"),
        ('[big]\nwhen = [{ brands = ["noor"] }]', 2, "the model's brands are none"),
        ("[big]\nwhen = [{ sentiment = { at_most = 0 } }]", 2, "is no key of a condition"),
        ('[big]\nwhen = [{ money = { currency = "GOLD" } }]', 2, "ISO 4217"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(SegmentError) as caught:
        of(made(tmp_path, text))
    assert f"segments.toml: line {line}: " in str(caught.value)
    assert told in str(caught.value)
