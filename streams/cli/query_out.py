"""`rihla query --out FILE`: the whole answer under the final name, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.whole_file import replacing

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

EXCEL = ".xlsx"
FORMATS = {".parquet": "Parquet", ".csv": "CSVWithNames", ".jsonl": "JSONEachRow", ".arrow": "Arrow"}
"""ClickHouse's formats by how the name of a file ends."""


def format_for(path: Path) -> str:
    """The format of a file by its name. Raises click.UsageError where the name says none."""
    if (found := FORMATS.get(path.suffix.lower())) is None:
        raise click.UsageError(f"{path.name} ends in none of {', '.join([*FORMATS, EXCEL])}; name a format: --format F")
    return found


@contextmanager
def _progress(*columns: ProgressColumn) -> Iterator[Callable[[int], None]]:
    """A function that shows what is added up, on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    console = Console(stderr=True)
    shown = (SpinnerColumn(), *columns, TimeElapsedColumn())
    with Progress(*shown, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda more: progress.advance(task, more)


@contextmanager
def whole_file(path: Path) -> Iterator[Callable[[bytes], int]]:
    """A function that writes to `path`, whole or not at all.

    Shows the bytes meanwhile where standard error is a terminal, and says how many there were. Raises OSError.
    """
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with (
        replacing(path) as part,
        _progress(DownloadColumn(), TransferSpeedColumn()) as advance,
        open(part, "xb") as file,
    ):

        def write(block: bytes) -> int:
            advance(len(block))
            return file.write(block)

        yield write
        written = file.tell()
    click.echo(f"{path}: {written:,} bytes", err=True)


def excel(client: Any, sql: str, parameters: Mapping[str, str], path: Path, about: str) -> None:
    """The answer as an Excel file, whole or not at all; shows rows meanwhile, and says how many there were.

    Raises RihlaError for what Excel cannot hold, ClickHouse's errors, OSError.
    """
    from rich.progress import TextColumn

    from streams.cli import query_excel

    with replacing(path) as part, _progress(TextColumn("{task.completed:,.0f} rows")) as advance:
        rows = query_excel.write(client, sql, parameters, part, about, advance)
    click.echo(f"{path}: {rows:,} rows", err=True)
