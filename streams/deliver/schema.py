"""The published JSON Schema of routes. `python -m streams.deliver.schema` writes the file again."""

from __future__ import annotations

from pathlib import Path

from streams.deliver.model import Routes
from streams.sources.mapping.schema import schema_of, written

FILE = Path(__file__).parent / "routes.schema.json"


def text() -> str:
    """JSON Schema, 2020-12, of a file of routes as data. What goes together, the reader checks besides."""
    return written(schema_of(Routes, "Rihla routes", base="Target"))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
