"""ISO 3166-1: three-letter country codes to the two-letter ones that events carry.

iso3166.csv holds every officially assigned code, and the withdrawn ones that old reservation systems still write
(ROM, TMP, ZAR) with the code of today.
"""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib.resources import files


@cache
def alpha_2_of() -> dict[str, str]:
    """Alpha-2 code by alpha-3 code, and every alpha-2 code by itself: some files mix the two."""
    table = files(__package__).joinpath("iso3166.csv").read_text("utf-8")
    by_alpha_3 = {row["alpha_3"]: row["alpha_2"] for row in csv.DictReader(io.StringIO(table))}
    return by_alpha_3 | {alpha_2: alpha_2 for alpha_2 in by_alpha_3.values()}
