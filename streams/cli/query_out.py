"""`rihla query --out FILE`: the whole answer under the final name, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

FORMATS = {".parquet": "Parquet", ".csv": "CSVWithNames", ".jsonl": "JSONEachRow", ".arrow": "Arrow"}
"""ClickHouse's formats by how the name of a file ends."""


def format_for(path: Path) -> str:
    """The format of a file by its name. Raises click.UsageError where the name says none."""
    if (found := FORMATS.get(path.suffix.lower())) is None:
        raise click.UsageError(f"{path.name} ends in none of {', '.join(FORMATS)}; name a format: --format F")
    return found


@contextmanager
def whole_file(path: Path) -> Iterator[Callable[[bytes], int]]:
    """A function that writes to a file beside `path`, which takes its name when the block ends well, else is deleted.

    Shows the bytes meanwhile where standard error is a terminal, and says how many there were. Raises OSError.
    """
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TimeElapsedColumn, TransferSpeedColumn

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    console = Console(stderr=True)
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    try:
        with (
            open(part, "xb") as file,
            Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
        ):
            task = progress.add_task("", total=None)

            def write(block: bytes) -> int:
                progress.advance(task, len(block))
                return file.write(block)

            yield write
            file.flush()
            os.fsync(file.fileno())
            written = file.tell()
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    click.echo(f"{path}: {written:,} bytes", err=True)
