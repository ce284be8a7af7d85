"""Who has to act on cases and moves, the plain way: their unit or the attributed one, else the company's care centre.

Not judged: what an older version wrote, which did not say. Of a move, an observation, the unit is judged by what its
customer's events name, since a later event may have made it another one.
"""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from streams.model.brands import Brands
from streams.verify.compare import Comparison, compare
from streams.verify.recompute import Expected
from streams.verify.store import SAID

CASES, MOVES = "cases (owner)", "moves (owner)"
_KEY = ("case_id", "customer_id")
_CASES = f"SELECT {', '.join((*_KEY, *SAID))} FROM cases WHERE unit_basis IS NOT NULL"
_MOVES = """
SELECT move_id, event_id, customer_id, unit, unit_basis, owner FROM moves WHERE unit_basis IS NOT NULL
"""
_FOUND = dict.fromkeys(("move_id", "event_id", "customer_id", "unit", "unit_basis", "owner"), pl.String())


def of_cases(expected: Expected, brands: Brands) -> pl.DataFrame:
    """Who has to act on each case: `case_id`, `customer_id` and SAID."""
    attributed = expected.attributed["cases_attributed"].select(*_KEY, "attributed_unit", basis="unit_basis")
    told = [(*key, basis, *_who(brands, unit)) for *key, unit, basis in attributed.iter_rows()]
    return pl.DataFrame(told, dict.fromkeys((*_KEY, *SAID), pl.String()), orient="row")


def cases(client: Any, expected: Expected, brands: Brands, unheard: Collection[str] = ()) -> Comparison:
    """Compares those of cases. unheard: customers that are not judged."""
    wanted = of_cases(expected, brands)
    found = pl.DataFrame(client.query(_CASES).result_rows, wanted.schema, orient="row")
    said = found.filter(~pl.col("customer_id").is_in(list(unheard)))
    said = said.join(wanted, on=list(_KEY), how="semi")  # else the whole row is a difference
    return compare(CASES, wanted.join(said, on=list(_KEY), how="semi"), said, _KEY)


def moves(client: Any, log: pl.DataFrame, expected: Expected) -> Comparison:
    """Compares those of moves. client: of clickhouse-connect, on the database of the tables. log: the interactions."""
    rows = client.query(_MOVES).result_rows
    found = pl.DataFrame(rows, _FOUND, orient="row")
    key = ["subject", "event_id"]
    named = (
        log.select(*key, "unit")
        .join(expected.interactions.select(*key, "customer_id"), on=key)
        .group_by("customer_id")
        .agg(names=pl.col("unit").drop_nulls().unique(), ids=pl.col("event_id"))
    )
    own = pl.col("unit").fill_null("") != ""
    judged = found.join(named, on="customer_id").filter(pl.col("ids").list.contains(pl.col("event_id")))
    known = pl.col("names").list.contains(pl.col("owner")).fill_null(False)
    unplaced = pl.col("unit_basis") == "none"
    wanted = judged.select(
        "move_id",
        unit_basis=pl.when(own)
        .then(pl.lit("own"))
        .when(pl.col("unit_basis") == "own")
        .then(None)
        .otherwise("unit_basis"),
        owner=pl.when(own).then("unit").when(known | unplaced).then("owner"),
    )
    return compare(MOVES, wanted, judged.select("move_id", "unit_basis", "owner"), ("move_id",))


def _who(brands: Brands, unit: str | None) -> tuple[str | None, str | None]:
    """Owner and brand of what is of a unit, or of none."""
    fits = [name for name, some in brands.units.items() for one in some if unit and fnmatchcase(unit, _literal(one))]
    brand = fits[0] if fits else next(iter(brands.units)) if len(brands.units) == 1 else None
    return unit or brands.care.get(brand) or brands.care.get(None), brand


def _literal(pattern: str) -> str:
    """A pattern in which brackets mean themselves, as in the model's."""
    return pattern.replace("[", "[[]")
