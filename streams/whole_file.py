"""Files that are there whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, *, alone: bool = False) -> Iterator[Path]:
    """The name of a file beside `path`, which takes its place when the block ends well, else is deleted.

    Its name begins with a dot, by which DuckDB, Polars, Spark and Hive pass it over. alone: nobody else writes `path`
    at the same time; what a killed process left is then written over, since the name is always the same.
    Raises OSError.
    """
    part = path.with_name(f".{path.name}.part" if alone else f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
