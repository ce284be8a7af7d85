"""Makes a dictionary for the states of stitch: `python -m tests.benchmarks.dictionary FILE`.

What states have in common (streams.stitch.compression), found by Zstandard in those of simulated customers. A
dictionary that states have been written with is never made anew: another one gets the next number.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import zstandard

from streams.stitch.compression import WORTH, decompress
from tests.benchmarks import at_rest

SEEDS = (2, 3)
"""Not those of the customers whose memory is measured."""
EVENTS = 60_000
SIZE = 16 << 10
"""Bytes; with twice as many states become no smaller."""


def main(file: Path) -> None:
    """Write the dictionary. Raises FileExistsError rather than change one."""
    samples: list[bytes] = []
    for seed in SEEDS:
        states = at_rest.fold(at_rest.groups_of(EVENTS, seed)).values()
        samples += [plain for plain in map(decompress, states) if len(plain) >= WORTH]
    with file.open("xb") as out:
        out.write(zstandard.train_dictionary(SIZE, samples).as_bytes())
    print(f"{file}: of {len(samples):,} states, {sum(map(len, samples)):,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.dictionary", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="where to write it; it must not exist")
    try:
        main(parser.parse_args().file)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
