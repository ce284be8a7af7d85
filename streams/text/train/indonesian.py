"""Train weights/id.tsv.gz: `python -m streams.text.train.indonesian SMSA_TRAIN.csv[.gz] [--no-check]`.

The file is the training split of SmSA (IndoNLU; MIT, Apache-2.0) with the columns text and label (-1, 0, 1).
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from streams.text.scorer import Scorer
from streams.text.train.examples import examples
from streams.text.train.linear import Options, cross_validate, train

OUTPUT = Path(__file__).parent.parent / "weights" / "id.tsv.gz"
OPTIONS = Options(spelt=3)


def main(source: str, *, check: bool = True) -> None:
    """Print the cross-validated macro-F1, then train on everything and write the weights."""
    frame = pl.read_csv(source, columns=["text", "label"]).unique("text", keep="first", maintain_order=True)
    frame = frame.sample(fraction=1.0, shuffle=True, seed=3)
    data = examples(Scorer(models=False), "id", frame.select("text", "label").iter_rows())
    if check:
        print(f"{len(data)} texts, macro-F1 by 5-fold cross-validation {cross_validate(data, OPTIONS):.3f}")
    print(f"{train(data, OPTIONS).save(OUTPUT)} features, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1], check="--no-check" not in sys.argv)
