"""Who has to act on cases and moves, the plain way: their unit or the attributed one, else their brand's care centre.

Not judged: what an older version wrote, which did not say. Of a move, an observation, the unit is judged by what its
customer's events name, since a later event may have made it another one; its brand, and who has to act where there is
no unit, as long as the model has been the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from streams.model import catalogue
from streams.model.brands import Brands
from streams.model.company import Model
from streams.verify.compare import Comparison, compare
from streams.verify.groups import names_group
from streams.verify.recompute import Expected
from streams.verify.store import SAID

CASES, MOVES = "cases (owner)", "moves (owner)"
_KEY = ("case_id", "customer_id")
_CASES = f"SELECT {', '.join((*_KEY, *SAID))} FROM cases WHERE unit_basis IS NOT NULL"
_MOVES = """
WITH
    (SELECT max(recorded_at) FROM models WHERE hash != {hash:String}) AS changed_at,
    (SELECT min(recorded_at) FROM models WHERE hash = {hash:String} AND recorded_at > changed_at) AS since
SELECT
    move_id, event_id, customer_id, unit, unit_basis, owner, brand,
    occurred_at >= since OR changed_at = toDateTime64(0, 3, 'UTC') AS same_model
FROM moves
WHERE unit_basis IS NOT NULL
"""
FOUND = {
    **dict.fromkeys(("move_id", "event_id", "customer_id", "unit", "unit_basis", "owner", "brand"), pl.String()),
    "same_model": pl.Boolean(),
}
"""Columns of moves that are judged. same_model: whether the model has been the same since."""


def who(brands: Brands, unit: str | None, attributes: Iterable[Mapping[str, str]]) -> tuple[str | None, str | None]:
    """Owner and brand of what is of a unit, or of none. attributes: of its event."""
    said = [one["value"].strip().lower() for one in attributes if one["key"] == brands.attribute]
    fits = [name for name, some in brands.units.items() for one in some if unit and fnmatchcase(unit, _literal(one))]
    only = next(iter(brands.units)) if len(brands.units) == 1 else None
    brand = next((one for one in (*said, *fits) if one in brands.units), brands.default or only)
    return unit or brands.care.get(brand) or brands.care.get(None), brand


def of_cases(log: pl.DataFrame, expected: Expected, model: Model) -> pl.DataFrame:
    """Who has to act on each case: `case_id`, `customer_id` and SAID. log: as for `moves`."""
    attributed = expected.attributed["cases_attributed"].select(*_KEY, "attributed_unit", basis="unit_basis")
    rows = attributed.join(_earliest(log, expected, model), on=list(_KEY), how="left")
    told = [(*key, basis, *who(model.brands, unit, said or ())) for *key, unit, basis, said in rows.iter_rows()]
    return pl.DataFrame(told, dict.fromkeys((*_KEY, *SAID), pl.String()), orient="row")


def cases(
    client: Any, log: pl.DataFrame, expected: Expected, model: Model, unheard: Collection[str] = ()
) -> Comparison:
    """Compares those of cases. client, log: as for `moves`. unheard: customers that are not judged."""
    wanted = of_cases(log, expected, model)
    found = pl.DataFrame(client.query(_CASES).result_rows, wanted.schema, orient="row")
    said = found.filter(~pl.col("customer_id").is_in(list(unheard)))
    said = said.join(wanted, on=list(_KEY), how="semi")  # else the whole row is a difference
    return compare(CASES, wanted.join(said, on=list(_KEY), how="semi"), said, _KEY)


def moves(client: Any, log: pl.DataFrame, expected: Expected, model: Model) -> Comparison:
    """Compares those of moves.

    Args:
        client: of clickhouse-connect, on the database of the tables.
        log: the interactions.
        expected: what follows from these.
        model: what events mean.
    """
    rows = client.query(_MOVES, parameters={"hash": model.hash}).result_rows
    wanted, judged = of_moves(pl.DataFrame(rows, FOUND, orient="row"), log, expected, model)
    return compare(MOVES, wanted, judged, ("move_id",))


def of_moves(
    found: pl.DataFrame, log: pl.DataFrame, expected: Expected, model: Model
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Who has to act on moves, and what those say of it that can be judged: `move_id` and SAID of both.

    found: moves, columns as in FOUND. The rest: as for `moves`.
    """
    key, mine = ["subject", "event_id"], ["customer_id", "event_id"]
    told = log.unique(key, keep="first").join(expected.interactions.select(*key, "customer_id"), on=key)
    named = told.group_by("customer_id").agg(names=pl.col("unit").drop_nulls().unique())
    happened = names_group(pl.col("subject"))
    own = told.filter(~happened).unique(mine, keep="none").select(*mine, "attributes")
    # What happened to a group has moved its members.
    of_groups = told.filter(happened).unique("event_id", keep="none").select("event_id", "attributes")
    moved = found.join(named, on="customer_id")
    judged = pl.concat([moved.join(own, on=mine), moved.join(of_groups, on="event_id")])
    judged = judged.unique("move_id", keep="none", maintain_order=True)
    wanted = [_move(model.brands, one) for one in judged.iter_rows(named=True)]
    judged = judged.select("move_id", *SAID)
    return pl.DataFrame(wanted, judged.schema, orient="row"), judged


def _move(brands: Brands, one: Mapping[str, Any]) -> tuple[str | None, ...]:
    """What a move has to say: id, basis, owner, brand. one: what it says, `names` and `attributes`."""
    basis, owner = one["unit_basis"], one["owner"]
    if one["unit"]:
        basis, unit = "own", one["unit"]
    else:
        basis, unit = None if basis == "own" else basis, owner if basis != "none" and owner in one["names"] else None
    acts, brand = who(brands, unit, one["attributes"])
    if not one["same_model"]:
        return one["move_id"], basis, unit or owner, one["brand"]
    return one["move_id"], basis, acts if unit or basis == "none" else None, brand


def _earliest(log: pl.DataFrame, expected: Expected, model: Model) -> pl.DataFrame:
    """Column `attributes` of the earliest event of each case, key _KEY."""
    key, role = ["subject", "event_id"], pl.col("case_role")
    roles = catalogue.frame(model.touchpoints).select("touchpoint", "case_role")
    named = pl.when(pl.col("case_id") != "").then(pl.col("case_id"))
    return (
        log.unique(key, keep="first")
        .join(expected.interactions.select(*key, "customer_id"), on=key)
        .join(roles.filter(role.is_not_null()), on="touchpoint")
        .filter(named.is_not_null() | (role == "open"))
        .with_columns(case_id=pl.coalesce(named, "event_id"))
        .sort("occurred_at", "event_id")
        .group_by(_KEY)
        .agg(pl.col("attributes").first())
    )


def _literal(pattern: str) -> str:
    """A pattern in which brackets mean themselves, as in the model's."""
    return pattern.replace("[", "[[]")
