"""Themes that nobody listed: a new one is found and named, a quiet year has at most one false one a unit."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.text.themes import Said, phrases, themes

WORDS = [
    some.split()
    for some in (
        "room breakfast staff pool lift lobby shuttle wifi bed shower view desk noise coffee towel pillow door prayer "
        "window carpet kettle driver queue luggage parking garden tea dates zamzam guide bus price card",
        "clean dirty slow friendly cold warm broken new small large quiet loud late early cheap dear fresh stale kind "
        "rude bright dark soft hard full empty",
    )
]


def usual(chance: Random) -> str:
    """A text as people write it in any week."""
    parts = [f"the {chance.choice(WORDS[0])} was {chance.choice(WORDS[1])}" for _ in range(chance.randint(1, 4))]
    return ", ".join(parts)


def weeks(units: int, count: int, seed: int, *, a_week: int = 40) -> list[Said]:
    """Texts of some units over some weeks in which nothing changes."""
    chance = Random(seed)
    return [
        Said(f"u{unit}", week, usual(chance))
        for unit in range(units)
        for week in range(count)
        for _ in range(max(1, int(chance.gauss(a_week, a_week / 5))))
    ]


def test_a_quiet_year_has_at_most_one_false_theme_a_unit() -> None:
    """Two units for a year, each week looked at with the 26 weeks before it."""
    said = weeks(2, 78, seed=24, a_week=25)
    false = [one for week in range(26, 78) for one in themes([s for s in said if week - 26 <= s.week <= week], week)]
    assert len(false) <= 2


def test_what_is_new_is_found_and_named_by_its_own_words() -> None:
    chance = Random(7)
    said = weeks(2, 20, seed=7)
    said += [Said("u0", 19, f"{usual(chance)}, the shuttle app {verb}") for verb in WORDS[1][:8]]
    found = themes(said, 19)
    assert [(one.unit, one.texts) for one in found] == [("u0", 8)]
    assert found[0].phrase == "shuttle app"
    assert all("shuttle app" in quote for quote in found[0].quotes)
    assert found[0].expected == 0
    assert themes(said, 18) == []


def test_what_is_said_in_every_week_is_no_theme() -> None:
    said = [Said("u", week, f"the shuttle app fails {word}") for week in range(12) for word in WORDS[1][:10]]
    assert themes(said, 11) == []


def test_too_little_past_says_nothing() -> None:
    said = [Said("u", week, "the shuttle app fails") for week in (3, 4) for _ in range(9)]
    assert themes(said, 4) == []


@settings(max_examples=50)
@given(st.permutations(weeks(1, 8, seed=1, a_week=8) + [Said("u0", 7, "a snake in the garden hut")] * 6))
def test_the_order_of_texts_is_of_no_matter(said: list[Said]) -> None:
    assert themes(said, 7) == themes(sorted(said, key=lambda one: (one.week, one.text)), 7)


def test_phrases_do_not_cross_marks_and_begin_with_words_that_name_something() -> None:
    assert phrases("The shuttle app, again") == {"shuttle", "app", "shuttle app"}
