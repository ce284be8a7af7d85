"""Who belongs to which segment, computed in a plain way: each condition is an expression over one row a customer.

What the conditions ask of a customer is taken from the tables that are computed, and from the events; no code is
shared with the workers but the reading of the model's file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from streams.model.company import Model
from streams.model.currencies import digits
from streams.segments.rules import Question, of

SCHEMA = {"segment": pl.String(), "customer_id": pl.String()}
_ANY = ("", "*", "all", "any")
"""How events say that they are about all purposes, or all channels."""
_LONGEST = 40
"""Characters of a purpose or a channel that tell it from others."""
_INSTRUMENTS = ("nps", "csat", "ces", "stars")


def segments(
    events: pl.DataFrame, own: pl.DataFrame, customers: pl.DataFrame, journeys: pl.DataFrame, model: Model
) -> pl.DataFrame:
    """One row a segment and customer who belongs to it.

    events: with `customer_id`, in order of (occurred_at, event_id). own: those of them that no group shares with its
    members. customers, journeys: the tables.
    """
    known = of(model).by_name
    if not known:
        return pl.DataFrame(schema=SCHEMA)
    answer, instrument = (pl.col("survey").struct.field(name) for name in ("score", "instrument"))
    said = events.group_by("customer_id").agg(
        **{name: answer.filter(instrument == name).last() for name in _INSTRUMENTS},
        countries=pl.col("country").drop_nulls().last().str.to_lowercase(),
    )
    attributes = (
        events.filter(pl.col("attributes").list.len() > 0)
        .explode("attributes")
        .with_columns(
            key=pl.col("attributes").struct.field("key"),
            value=pl.col("attributes").struct.field("value").str.strip_chars().str.to_lowercase(),
        )
    )
    tiers = (
        attributes.filter((pl.col("key") == "loyalty_tier") & (pl.col("value") != ""))
        .group_by("customer_id", maintain_order=True)
        .agg(loyalty_tiers=pl.col("value").last())
    )
    whose = events.select("customer_id", "unit", "attributes").iter_rows()
    brands: dict[str, set[str]] = {}
    for customer, unit, pairs in whose if model.asks("brands") else ():
        brand = model.brands.of(unit, [(one["key"], one["value"]) for one in pairs])
        if brand is not None:
            brands.setdefault(customer, set()).add(brand)
    spent = (
        journeys.select("customer_id", "spend")
        .explode("spend")
        .drop_nulls("spend")
        .unnest("spend")
        .group_by("customer_id", "currency")
        .agg(pl.col("amount_minor").cast(pl.Int128).sum())
        .with_columns(
            major=pl.col("amount_minor").cast(pl.Float64)
            / pl.lit(10.0).pow(pl.col("currency").replace_strict(digits(), default=2, return_dtype=pl.Int64))
        )
        .group_by("customer_id")
        .agg(money=pl.struct("currency", "major"))
    )
    asked = {test for one in known.values() for when in one.when for test in when if test.key == "consents"}
    agreed = _agreed(own, asked) if asked else {}
    rows = (
        customers.join(said, on="customer_id", how="left")
        .join(tiers, on="customer_id", how="left")
        .join(journeys.group_by("customer_id").agg(statuses=pl.col("status").unique()), on="customer_id", how="left")
        .join(spent, on="customer_id", how="left")
        .with_columns(
            brands=pl.col("customer_id").map_elements(lambda one: sorted(brands.get(one, ())), pl.List(pl.String)),
        )
    )
    found = []
    for name, segment in known.items():
        holds = pl.any_horizontal(*[pl.all_horizontal(*[_holds(test, agreed) for test in one]) for one in segment.when])
        found.append(rows.filter(holds).select(segment=pl.lit(name), customer_id="customer_id"))
    return pl.concat(found)


def _agreed(own: pl.DataFrame, asked: Collection[Question]) -> dict[Question, list[str]]:
    """Who agrees to what is asked: of what a customer said about a purpose and a channel the last counts."""
    last: dict[tuple[str, Question, str], bool] = {}
    about = own.filter(pl.col("touchpoint").str.contains(r"^[a-z_]+\.consent_(given|withdrawn)$"))
    for customer, touchpoint, pairs in about.select("customer_id", "touchpoint", "attributes").iter_rows():
        said = {one["key"]: one["value"].strip(" ")[:_LONGEST].lower() for one in pairs}
        purpose, channel = (said.get(name, "") for name in ("purpose", "channel"))
        given = touchpoint.endswith("given")
        for test in asked:
            of_purpose = purpose == test.name or (not given and purpose in _ANY)
            for way in test.words if of_purpose else ():
                if channel == way or channel in _ANY:
                    last[customer, test, way] = given
    return {test: [customer for (customer, of_, _), given in last.items() if of_ == test and given] for test in asked}


def _holds(test: Question, agreed: Mapping[Question, Sequence[str]]) -> pl.Expr:
    """Whether a test holds; never null."""
    wanted = sorted(test.words)
    if test.key == "consents":
        held = pl.col("customer_id").is_in(agreed[test])
    elif test.key in ("statuses", "brands"):
        held = pl.any_horizontal(*[pl.col(test.key).list.contains(one) for one in wanted])
    elif test.key == "profiles":
        held = pl.col("profile").is_in(wanted)
    elif test.key in ("loyalty_tiers", "countries"):
        held = pl.col(test.key).is_in(wanted)
    elif test.key in ("preferences", "languages"):
        name = "language" if test.key == "languages" else test.name
        key, value = (pl.element().struct.field(one) for one in ("key", "value"))
        held = pl.col("preferences").list.eval((key == name) & value.str.to_lowercase().is_in(wanted)).list.any()
    elif test.key == "money":
        currency, amount = (pl.element().struct.field(one) for one in ("currency", "major"))
        is_meant = (currency == test.name) if test.name else pl.lit(True)
        held = pl.col("money").list.eval(is_meant & _between(amount, test)).list.any()
    else:
        number = pl.col(test.key).cast(pl.Float64)
        held = _between(number.round(6) if test.key.startswith(("sentiment", "evidence")) else number, test)
    return held.fill_null(False)


def _between(number: pl.Expr, test: Question) -> pl.Expr:
    low = pl.lit(True) if test.at_least is None else number >= test.at_least
    high = pl.lit(True) if test.at_most is None else number <= test.at_most
    return low & high
