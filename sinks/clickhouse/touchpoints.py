"""The touchpoints that the catalogue knows, in the SQL of named queries: {catalogue} stands for them."""

from __future__ import annotations

from streams.model import catalogue


def fill(text: str) -> str:
    """A query's text with {catalogue} replaced by the names of the catalogue, as an array of strings."""
    if "{catalogue}" not in text:
        return text
    return text.replace("{catalogue}", "[" + ", ".join(f"'{name}'" for name in catalogue.load()) + "]")
