"""What a text must contain for a pattern to match: never too much."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.text import concerns, required


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        ("gas leak", {"gas", "leak"}),
        ("he is ill", {"ill"}),
        ("is he", {"is", "he"}),
        ("آگ لگ", {"آگ", "لگ"}),
        ("ambulances?", {"ambulanc"}),
        ("knife|gun", {"knife gun"}),
        ("child(?:ren)?|kids?", {"child kid"}),
        (r"\bfell\b.{0,60}?(?:cot|bed)\w*", {"fell", "cot bed"}),
        ("c[ao]t|b[a-z]d", {"cat cot d"}),
        ("bath(?:room)+", {"bath", "room"}),
        ("bath(?:room)*", {"bath"}),
        ("bath(?:room){2}", {"bath", "room"}),
        ("bath(?:room){0,2} door", {"bath", "door"}),
        ("fire(?! (?:place|pit))", {"fire"}),
        (r"m\.d\. lee", {"m.d.", "lee"}),
        (r"\w+", set()),
        ("(?:fire)?", set()),
        ("(?:hot|cold) (?:tea|milk)", {"hot cold", "tea milk"}),
        ("[kg]apali", {"kapali gapali"}),
    ],
)
def test_clauses(pattern: str, needs: set[str]) -> None:
    assert set(required.clauses(pattern)) == {frozenset(need.split()) for need in needs}


def test_alternatives() -> None:
    assert required.alternatives("(?:a|(?:b|c)d|[|]e|\\|f)|g") == ["a", "(?:b|c)d", "[|]e", "\\|f", "g"]
    assert required.alternatives("(?:a|b)(?:c|d)") == ["(?:a|b)(?:c|d)"]


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?P<name>a)", "*a"])
def test_syntax_that_is_not_read_is_said(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"read|write|repeats"):
        required.clauses(pattern)


_PART = st.recursive(
    st.sampled_from(["a", "b", "ab", " ", "a b", "[ab]", "[^a]", r"\w", r"\b", "."]),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from(["?", "*", "+", "{2}", "{0,2}", "{1,2}?", "??"])).map(
            lambda both: f"(?:{both[0]}){both[1]}"
        ),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.lists(part, min_size=1, max_size=3).map("".join),
        part.map(lambda one: f"(?!{one})"),
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(_PART, st.text("ab c", max_size=12))
def test_what_matches_has_a_piece_of_every_clause(pattern: str, text: str) -> None:
    found = re.search(pattern, text)
    if found is not None:
        words = found[0].split()
        assert all(any(piece in word for piece in need for word in words) for need in required.clauses(pattern))
    assert (found is not None) == any(re.search(one, text) for one in required.alternatives(pattern))


@settings(max_examples=150)
@given(st.data())
def test_so_it_is_with_the_patterns_of_concerns(data: st.DataObject) -> None:
    pattern = data.draw(st.sampled_from(concerns.patterns().all))
    text = data.draw(st.from_regex(pattern.written, fullmatch=True))
    words = text.split()
    assert all(any(piece in word for piece in need for word in words) for need in required.clauses(pattern.written))
