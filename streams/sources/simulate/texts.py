"""What simulated people write: sentences by language, polarity and aspect (texts.csv, written for this project)."""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib.resources import files
from random import Random


@cache
def sentences() -> dict[tuple[str, str, str], list[str]]:
    """(language, polarity, aspect) -> sentences; polarity is positive, negative or neutral (then aspect is "")."""
    table = files(__package__).joinpath("texts.csv").read_text("utf-8")
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in csv.DictReader(io.StringIO(table)):
        found.setdefault((row["language"], row["polarity"], row["aspect"]), []).append(row["text"])
    return found


def write(random: Random, language: str, polarity: str, *aspects: str) -> str:
    """A text in a language: one sentence for each aspect (for a neutral text, one whatever the aspects)."""
    if polarity == "neutral":
        aspects = ("",)
    return " ".join(random.choice(sentences()[language, polarity, aspect]) for aspect in aspects)
