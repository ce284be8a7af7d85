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
