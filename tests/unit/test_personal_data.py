"""What scrubbing finds in sentences of six languages does not get less, and the page on it says what is true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from streams.text.scrub import scrub_text
from tests.support import personal_data

SENTENCES = personal_data.sentences()
PAGE = Path(__file__).parents[2] / "docs/personal-data.md"


def test_there_are_several_hundred_of_each_sort_and_language() -> None:
    assert len(SENTENCES) >= 280
    assert sum(one.kind == "-" for one in SENTENCES) >= 120
    assert all(count >= 40 for count in Counter(one.language for one in SENTENCES).values())
    assert all(bool(one.parts) == (one.kind != "-") for one in SENTENCES)


@pytest.mark.parametrize(("kind", "found"), personal_data.tally(SENTENCES).items())
def test_the_floor_of_each_kind(kind: str, found: personal_data.Tally) -> None:
    assert found.gone >= 0.95 * found.there
    assert found.right >= 0.95 * found.markers


def test_sentences_without_anything_stay() -> None:
    assert personal_data.spoilt(SENTENCES) == []


def test_scrubbing_twice_changes_nothing() -> None:
    for one in SENTENCES:
        scrubbed = scrub_text(one.text)
        assert scrub_text(scrubbed) == scrubbed


def test_the_page_has_the_table() -> None:
    """`python -m tests.support.personal_data` prints it anew."""
    assert personal_data.table() in PAGE.read_text("utf-8")
