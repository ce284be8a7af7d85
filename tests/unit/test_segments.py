"""The file of segments: what it may say, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.model import company
from streams.segments.rules import Known, SegmentError, of

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


def test_the_model_has_another_hash_with_other_segments(tmp_path: Path) -> None:
    one, other = (made(tmp_path, text).hash for text in (FILE, FILE.replace("1.5", "2.5")))
    assert len({one, other, company.built_in().hash}) == 3
    assert one == made(tmp_path, FILE.replace("Dear to us", "Loved by us")).hash, "words for people mean nothing"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("[Big]\nwhen = [{ journeys = { at_least = 1 } }]", 1, "small letters"),
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
