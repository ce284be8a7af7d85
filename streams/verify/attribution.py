"""The unit and staff of each interaction, the plain way: candidates joined by journey, of which the best is kept.

The views `*_attributed` find it in arrays; here each step of the rule (docs/units.md) is a join over columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

SHOWN = {
    "attributed_unit": pl.String(),
    "unit_basis": pl.String(),
    "attributed_agents": pl.List(pl.String()),
    "agents_basis": pl.String(),
}
EVER = 7_258_118_400_000
"""2200-01-01, epoch milliseconds: later than anything."""

_AT = pl.col("at")


def interactions(events: pl.DataFrame) -> pl.DataFrame:
    """Columns SHOWN of each interaction, key (subject, event_id).

    events: `subject`, `event_id`, `journey_id`, `channel`, `occurred_at`, `unit`, `agent_id`.
    """
    rows = events.select("subject", "event_id", "journey_id", "channel", "unit", "agent_id", at="occurred_at")
    return _attributed(rows, events, ("subject", "event_id"))


def journeys(keys: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The same of each journey (`journey_id` of keys): as an answer given after it."""
    nothing = pl.lit(None, dtype=pl.String)
    rows = keys.select("journey_id", channel=pl.lit("post_travel"), unit=nothing, agent_id=nothing, at=pl.lit(EVER))
    return _attributed(rows, events, ("journey_id",))


def cases(cases: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The same of each case, key (case_id, customer_id): at its opening, or the first answer to it."""
    times = ("opened_at", "first_response_at", "resolved_at", "reopened_at")
    rows = cases.select(
        "case_id",
        "customer_id",
        "journey_id",
        "unit",
        channel=pl.col("touchpoint").str.extract(r"^([^.]*)"),
        agent_id=pl.lit(None, dtype=pl.String),
        at=pl.coalesce(*times, pl.lit(EVER)),
    )
    return _attributed(rows, events, ("case_id", "customer_id"))


def _attributed(rows: pl.DataFrame, events: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """What the rule makes of rows with a key, `journey_id`, `channel`, `unit`, `agent_id` and `at`."""
    own = pl.col("unit").replace("", None)
    named = events.filter(own.is_not_null() & pl.col("journey_id").is_not_null())
    agent = pl.col("agent_id").replace("", None)
    stays = (
        named.filter(pl.col("channel") == "stay")
        .group_by("journey_id", place="unit")
        .agg(
            since=pl.col("occurred_at").min(),
            until=pl.col("occurred_at").max(),
            agents=agent.drop_nulls().unique().sort(),
        )
    )
    at_desk = pl.col("channel") == "check_in"
    only_desk = _only(named.filter(at_desk)).rename({"only": "desk"})
    only_property = _only(named.filter(~at_desk)).rename({"only": "property"})
    rows = rows.with_columns(own=own, agent=agent)
    bare = rows.filter(pl.col("own").is_null()).join(stays, on="journey_id")
    within = _AT.is_between(pl.col("since"), pl.col("until"))
    inside = bare.filter(within).sort("since", "until", "place").unique(key, keep="last", maintain_order=True)
    after = bare.filter(pl.col("until") < _AT).sort("until", "since", "place")
    after = after.unique(key, keep="last", maintain_order=True)
    placed = (
        rows.join(inside.select(*key, inside="place"), on=list(key), how="left")
        .join(after.select(*key, after="place"), on=list(key), how="left")
        .join(only_desk, on="journey_id", how="left")
        .join(only_property, on="journey_id", how="left")
    )
    desks = at_desk & pl.col("desk").is_not_null()
    desk = pl.col("desk").replace("", None)
    steps = [
        (pl.col("own").is_not_null(), pl.col("own"), "own"),
        (desks & desk.is_not_null(), desk, "only_unit"),
        (desks, pl.lit(None, dtype=pl.String), "none"),
        (pl.col("inside").is_not_null(), pl.col("inside"), "same_stay"),
        (pl.col("after").is_not_null(), pl.col("after"), "last_stay"),
        (pl.col("property").replace("", None).is_not_null(), pl.col("property"), "only_unit"),
    ]
    unit, basis = pl.lit(None, dtype=pl.String), pl.lit("none")
    for holds, then, word in reversed(steps):
        unit = pl.when(holds).then(then).otherwise(unit)
        basis = pl.when(holds).then(pl.lit(word)).otherwise(basis)
    placed = placed.with_columns(attributed_unit=unit, unit_basis=basis)
    met = placed.join(stays, left_on=["journey_id", "attributed_unit"], right_on=["journey_id", "place"])
    met = met.filter(pl.col("since") <= _AT, pl.col("agents").list.len() > 0)
    ours = pl.col("agent").is_not_null()
    return placed.join(met.select(*key, "agents", "until"), on=list(key), how="left").select(
        *key,
        "attributed_unit",
        "unit_basis",
        attributed_agents=pl.when(ours).then(pl.concat_list("agent")).otherwise("agents").fill_null([]),
        agents_basis=pl.when(ours)
        .then(pl.lit("own"))
        .when(pl.col("agents").is_null())
        .then(pl.lit("none"))
        .when(pl.col("until") >= _AT)
        .then(pl.lit("same_stay"))
        .otherwise(pl.lit("last_stay")),
    )


def _only(named: pl.DataFrame) -> pl.DataFrame:
    """Of each journey the one unit that it names; an empty text where there are several."""
    units = pl.col("unit").unique()
    return named.group_by("journey_id").agg(only=pl.when(units.len() == 1).then(units.first()).otherwise(pl.lit("")))
