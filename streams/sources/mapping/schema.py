"""The published JSON Schema of mappings: `python -m streams.sources.mapping.schema` writes it again from the classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from streams.sources.mapping.model import Mapping

FILE = Path(__file__).parent / "mapping.schema.json"


def schema() -> dict[str, Any]:
    """JSON Schema, 2020-12, of a mapping file as data."""
    made: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rihla mapping",
        "$comment": "Which fields go together (key or event_id; one of column, value and sql) the reader checks besides.",
        **msgspec.json.schema(Mapping),
    }
    return made


def text() -> str:
    """The schema as its file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
