"""What a benchmark hands back, and how it speaks while it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What one benchmark measured."""

    table: str
    """For people."""
    figures: dict[str, Any]
    """For the line of JSON at the end: measured figures only."""
    problems: list[str] = field(default_factory=list)
    """Sentences on what is wrong: results that differ, limits outgrown."""


def say(text: str) -> None:
    """A line of progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def tabulate(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under a heading; the first column to the left, numbers (floats with one digit) to the right."""
    texts = [
        [
            f"{cell:,.1f}" if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)
            for cell in row
        ]
        for row in rows
    ]
    table = [list(head), *texts]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in table
    )
