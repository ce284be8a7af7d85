"""Train weights/id_aspects.tsv.gz: `python -m streams.text.train.aspects HOASA_TRAIN.csv[.gz] [--no-check]`.

The file is the training split of HoASA (IndoNLU; MIT, Apache-2.0): hotel reviews, with a column for each of ten
aspects (pos, neg, neg_pos, neut). The lexicon finds what a text is about; the model says what is said of it, by the
clauses that name it. The check teaches it four fifths of the texts, by a hash of each, and counts on the other fifth,
five times.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from streams.text import features
from streams.text.polarity import Clause
from streams.text.scorer import TAUGHT, TRUST, Scorer
from streams.text.train.linear import Example, Options, Trained, train

OUTPUT = Path(__file__).parent.parent / "weights" / "id_aspects.tsv.gz"
OPTIONS = Options(least=3, penalty=3e-5, steps=200, balance=0.5)
COLUMNS = {
    "ac": ("air_conditioning",),
    "air_panas": ("hot_water",),
    "bau": ("smell",),
    "general": ("general",),
    "kebersihan": ("cleanliness",),
    "linen": ("bed", "amenities"),
    "service": ("staff",),
    "sunrise_meal": ("breakfast",),
    "tv": ("tv",),
    "wifi": ("wifi",),
}
"""HoASA's aspects, and ours that each is: its linen includes soap, water and snacks in the room."""
SIGNS = {"pos": 1, "neg": -1, "neut": 0}
FOLDS = 5

Found = dict[str, tuple[list[str], Clause]]


def fold(text: str) -> int:
    """The part of the set that a text belongs to, 0 to 4: the same wherever the file is read."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % FOLDS


def example(name: str, words: list[str], clause: Clause, sign: int) -> Example:
    """What is said of one aspect."""
    return Example([TAUGHT[name], *words], features.lexical("", clause.total, clause.evidence), sign)


def learnt(rows: Sequence[dict[str, str]], found: Sequence[Found]) -> list[Example]:
    """The examples of some texts: one for each aspect that was found and is labelled with one sign, or none."""
    return [
        example(name, *mentions[name], SIGNS[row[column]])
        for row, mentions in zip(rows, found, strict=True)
        for column, names in COLUMNS.items()
        for name in names
        if name in mentions and row[column] in SIGNS
    ]


def report(
    rows: Sequence[dict[str, str]], found: Sequence[Found], sign: Callable[[int, str], int]
) -> list[tuple[str, int, float, float]]:
    """(column, its texts, F1 of finding it, share of what was found that has the right sign); sign: of an aspect of a
    text, by number. Who has both signs counts as found only.
    """
    lines = []
    for column, names in COLUMNS.items():
        hits = guessed = right = judged = 0
        for number, (row, mentions) in enumerate(zip(rows, found, strict=True)):
            here = [name for name in names if name in mentions]
            guessed += bool(here)
            if here and row[column] != "neut":
                hits += 1
                if row[column] in SIGNS:
                    judged += 1
                    right += sign(number, here[-1]) == SIGNS[row[column]]
        true = sum(row[column] != "neut" for row in rows)
        lines.append((column, true, 2 * hits / max(1, guessed + true), right / max(1, judged)))
    return lines


def _print(title: str, lines: Sequence[tuple[str, int, float, float]], found: float) -> None:
    print(title)
    for column, texts, f1, right in lines:
        print(f"  {column:13} {texts:5} {f1:6.3f} {right:6.3f}")
    print(f"  mean F1 {sum(f1 for _, _, f1, _ in lines) / len(lines):.3f}, right of all found {found:.3f}")


def _overall(lines: Sequence[tuple[str, int, float, float]]) -> float:
    return sum(texts * right for _, texts, _, right in lines) / max(1, sum(texts for _, texts, _, _ in lines))


def main(source: str, *, check: bool = True) -> None:
    """Print the figures of texts that were not learned from, then train on everything and write the weights."""
    rows = list(pl.read_csv(source).unique("review", keep="first", maintain_order=True).iter_rows(named=True))
    scorer = Scorer(models=False)
    found: list[Found] = [scorer.about(row["review"], "id") for row in rows]
    if check:
        _check(rows, found)
    print(f"{train(learnt(rows, found), OPTIONS).save(OUTPUT)} features, {OUTPUT.stat().st_size} bytes")


def _check(rows: Sequence[dict[str, str]], found: Sequence[Found]) -> None:
    held: dict[int, Trained] = {
        part: train(
            learnt(
                [row for row in rows if fold(row["review"]) != part],
                [one for one, row in zip(found, rows, strict=True) if fold(row["review"]) != part],
            ),
            OPTIONS,
        )
        for part in range(FOLDS)
    }

    def by_model(number: int, name: str) -> int:
        trained = held[fold(rows[number]["review"])]
        negative, _, positive = trained.predict([example(name, *found[number][name], 0)])[0]
        push = TRUST * found[number][name][1].total
        return 1 if math.log(positive / negative) + push > 0 else -1

    def by_lexicon(number: int, name: str) -> int:
        total = found[number][name][1].total
        return (total > 0) - (total < 0)

    for title, sign in (("lexicon", by_lexicon), ("model, held out", by_model)):
        lines = report(rows, found, sign)
        _print(title, lines, _overall(lines))


if __name__ == "__main__":
    main(sys.argv[1], check="--no-check" not in sys.argv)
