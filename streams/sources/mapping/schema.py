"""The published JSON Schema of mappings. `python -m streams.sources.mapping.schema` writes the file again."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from streams.sources.mapping import model

FILE = Path(__file__).parent / "mapping.schema.json"


def schema() -> dict[str, Any]:
    """JSON Schema, 2020-12, of a mapping file as data. Which of the fields go together, the reader checks besides."""
    return schema_of(model.Mapping, "Rihla mapping", base="Value")


def schema_of(root: type, title: str, base: str) -> dict[str, Any]:
    """JSON Schema, 2020-12, of a class of msgspec whose module says in strings what each field is.

    base: name of the class whose fields others inherit.
    """
    made: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **msgspec.json.schema(root),
    }
    docs = _docs(sys.modules[root.__module__])
    for name, definition in made["$defs"].items():
        for field, about in definition["properties"].items():
            if doc := docs.get((name, field)) or docs.get((base, field)):
                about["description"] = doc
    return made


def text() -> str:
    """The schema as its file has it."""
    return written(schema())


def written(schema: dict[str, Any]) -> str:
    """A schema as a file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _docs(module: ModuleType) -> dict[tuple[str, str], str]:
    """What the classes say of their fields, in the string after each: (class, field): sentence."""
    found: dict[tuple[str, str], str] = {}
    for part in ast.parse(inspect.getsource(module)).body:
        if isinstance(part, ast.ClassDef):
            for field, doc in zip(part.body, part.body[1:], strict=False):
                said = doc.value if isinstance(doc, ast.Expr) else None
                if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Constant):
                    found[part.name, ast.unparse(field.target)] = inspect.cleandoc(str(said.value))
    return found


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
