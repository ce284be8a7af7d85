"""Whatever the text: the same answer twice, alone or in a batch, within bounds, and never a failure."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.model.vocabulary import ASPECTS
from streams.text.scorer import Scorer

SCORER = Scorer()
FRAGMENTS = [
    "the room was dirty",
    "not",
    "very good",
    "but",
    "الغرفة",
    "وسخة",
    "جدا",
    "kamar",
    "bersih",
    "tidak",
    "otel",
    "kötü",
    "değil",
    "کمرہ",
    "گندا",
    "نہیں",
    "😡",
    "👍",
    ".",
    "!",
    "?",
    ",",
    "\n",
    "wifi",
    "http://x.y",
    "@air",
    "#fail",
    "12",
    "LATE",
]
texts = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(FRAGMENTS), max_size=15).map(" ".join))
locales = st.one_of(st.none(), st.sampled_from(["en", "ar-SA", "id-ID", "ms", "tr-TR", "ur-PK", "fr", "x", ""]))


@given(st.lists(st.tuples(st.one_of(st.none(), texts), locales), max_size=8))
@settings(deadline=None)
def test_a_batch_is_its_rows_and_scoring_is_a_function(rows: list[tuple[str | None, str | None]]) -> None:
    together = SCORER.score([text for text, _ in rows], [locale for _, locale in rows])
    assert together == [SCORER.score([text], [locale])[0] for text, locale in rows]


@given(texts, locales)
@settings(deadline=None)
def test_results_are_within_their_bounds(text: str, locale: str | None) -> None:
    (result,) = SCORER.score([text], [locale])
    assert result is not None
    assert result.language in {None, "ar", "de", "en", "fr", "id", "ms", "tr", "ur"}
    assert 0.0 <= result.confidence <= 1.0
    scores = [result.score, *(score for _, score in result.aspects), *(part.score for part in result.sentences)]
    for score in scores:
        assert score is None or (-1.0 <= score <= 1.0 and round(score, 4) == score)
    assert (result.score is None) == (result.confidence == 0.0)
    names = [aspect for aspect, _ in result.aspects]
    assert names == sorted(set(names))
    assert set(names) <= set(ASPECTS)
