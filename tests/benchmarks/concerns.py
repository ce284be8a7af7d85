"""What readers of concerns find and raise wrongly: `python -m tests.benchmarks.concerns DIRECTORY [--deep] [--each N]`.

Prints, for each set of tests/sentences/concerns, how many urgent sentences are raised, by concern and language, and how
many near misses; and for each labelled set of DIRECTORY the texts in 500 that are raised, all counted as false. --deep:
with the second reader (streams.text.deep). --each: the most texts
of a set that are read; a hash of each text says which, the same ones every time.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from streams.text.deep import Reader, reader

FOLDER = Path(__file__).parents[1] / "sentences" / "concerns"
ELSEWHERE = "halal"
"""What alerts also raise by the aspects of a text."""


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of a count above 0."""
    z, share = 1.96, hits / count
    middle = share + z * z / (2 * count)
    wide = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return (middle - wide) / whole, (middle + wide) / whole


def held_out(read: Reader) -> Iterator[str]:
    """The lines on the sets of sentences."""
    for name in ("held_out", "second", "third"):
        rows = [line.split("\t") for line in (FOLDER / f"{name}.tsv").read_text("utf-8").splitlines()[1:]]
        raised = read([text for _, _, text in rows])
        of: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
        for (language, concern, _), found in zip(rows, raised, strict=True):
            if concern == "-":
                of["near misses"].append((bool(found), False))
            else:
                hit = bool(found), concern in found
                of[f"concern {concern}"].append(hit)
                if concern in ("medical", "safety"):
                    of["medical and safety"].append(hit)
                if concern != ELSEWHERE:
                    of["all but halal"].append(hit)
                    of[f"language {language}"].append(hit)
        for kind, hits in sorted(of.items()):
            some, right = sum(any_ for any_, _ in hits), sum(right for _, right in hits)
            low, high = wilson(some, len(hits))
            share = f"{some:4} of {len(hits):4} {some / len(hits):.2f} ({low:.2f}-{high:.2f})"
            yield f"{name:9} {kind:20} {share}, as such {right}"


def false_alarms(read: Reader, directory: Path, each: int | None) -> Iterator[str]:
    """The lines on the labelled sets."""
    for path in sorted(directory.glob("*.csv*")):
        frame = pl.read_csv(path)
        column = frame["text" if "text" in frame.columns else "review"]
        texts = sorted(column.drop_nulls().unique().to_list(), key=lambda text: hashlib.sha256(text.encode()).digest())[
            :each
        ]
        begun = time.process_time()
        raised = sum(map(bool, _by_hundreds(read, texts)))
        took = (time.process_time() - begun) / len(texts)
        low, high = (500 * end for end in wilson(raised, len(texts)))
        name = path.name.split(".", 1)[0]
        yield (
            f"{name:22} {raised:4} of {len(texts):6}: {500 * raised / len(texts):4.1f} ({low:.1f}-{high:.1f}) in 500, "
            f"{1000 * took:.2f} ms of CPU a text"
        )


def _by_hundreds(read: Reader, texts: Sequence[str]) -> Iterator[frozenset[str]]:
    for at in range(0, len(texts), 100):
        yield from read(texts[at : at + 100])


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("--deep", action="store_true")
    arguments.add_argument("--each", type=int)
    given = arguments.parse_args()
    read = reader(given.deep)
    for line in held_out(read):
        print(line, flush=True)
    for line in false_alarms(read, given.directory, given.each):
        print(line, flush=True)


if __name__ == "__main__":
    main()
