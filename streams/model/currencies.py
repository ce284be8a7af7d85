"""The currencies of ISO 4217 and their minor units (currencies.csv)."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

USUAL = 2
"""Decimal places of a currency that is not in the list."""


@cache
def digits() -> Mapping[str, int]:
    """Decimal places by currency: KWD three, SAR two, JPY none."""
    table = files(__package__).joinpath("currencies.csv").read_text("utf-8")
    lines = [line for line in table.splitlines() if not line.startswith("#")]
    return {row["currency"]: int(row["digits"]) for row in csv.DictReader(io.StringIO("\n".join(lines)))}


def places(currency: str) -> int:
    """Decimal places of a currency; USUAL of one that is not in the list."""
    return digits().get(currency, USUAL)


def major(currency: str, minor: int) -> float:
    """An amount in major units."""
    return float(minor / 10 ** places(currency))


def as_text(currency: str, minor: int) -> str:
    """An amount as people write it, in major units with all its decimal places: 1234.50 SAR, 500 JPY, 1.250 KWD."""
    after = places(currency)
    whole, rest = divmod(abs(minor), 10**after)
    return f"{'-' if minor < 0 else ''}{whole}{f'.{rest:0{after}}' if after else ''} {currency}"
