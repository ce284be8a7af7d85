"""Train weights/en.tsv.gz: `python -m streams.text.train.english DIRECTORY [--no-check]`.

The directory is `hutto_ICWSM_2014`, unpacked from additional_resources/ in the sdist of vaderSentiment 3.3.2 (MIT):
four sets of texts with mean ratings from -4 to 4. To these come sentences that we made up (airline_phrases.txt,
airline_more.txt and review_phrases.txt).
"""

from __future__ import annotations

import html
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from streams.text.scorer import Scorer
from streams.text.train import phrases
from streams.text.train.examples import examples
from streams.text.train.linear import Options, cross_validate, train

OUTPUT = Path(__file__).parent.parent / "weights" / "en.tsv.gz"
OPTIONS = Options(spelt=3)
SETS = {"tweets": 1.0, "amazonReviewSnippets": 1.0, "movieReviewSnippets": 0.5, "nytEditorialSnippets": 0.5}
NEUTRAL = 1.0
"""Mean ratings up to this far from 0 are neutral."""
MADE_UP = {"airline_phrases.txt": 5000, "airline_more.txt": 4000, "review_phrases.txt": 1500}
REVIEWS = 1500
"""Made-up texts of each class: of a sentence or two, and long ones."""


def ratings(path: Path) -> Iterator[tuple[str, int]]:
    """(text, label) of one ground-truth file."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        _, rating, text = line.split("\t", 2)
        yield html.unescape(text), (float(rating) > NEUTRAL) - (float(rating) < -NEUTRAL)


def main(directory: str, *, check: bool = True) -> None:
    """Print the cross-validated macro-F1 (made-up sentences included), train on everything, write the weights."""
    scorer = Scorer(models=False)
    data = []
    for name, weight in SETS.items():
        data += examples(scorer, "en", ratings(Path(directory) / f"{name}_GroundTruth.txt"), weight)
    for name, count in MADE_UP.items():
        data += examples(scorer, "en", phrases.texts(name, count, seed=7))
    data += examples(scorer, "en", phrases.reviews("review_phrases.txt", REVIEWS, seed=7))
    random.Random(3).shuffle(data)
    if check:
        print(f"{len(data)} texts, macro-F1 by 3-fold cross-validation {cross_validate(data, OPTIONS, 3):.3f}")
    print(f"{train(data, OPTIONS).save(OUTPUT)} features, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1], check="--no-check" not in sys.argv)
