"""Groups, computed in a plain way: who was a member when, and what happened to whom (docs/groups.md).

Nothing is sent from one to another here: all that was said of a customer and a group is looked at at once, and each
event of a group is joined with those who were members then.
"""

from __future__ import annotations

import polars as pl

from streams.model.groups import FOREVER, JOINED, LABELS, LEFT, TIME, TOUCHPOINTS, VALID_FROM, VALID_UNTIL, WITHDRAWN
from streams.model.identifiers import GROUP, GROUP_PREFIX

PAIR = ("customer_id", "group")
PERIODS = {
    **dict.fromkeys(PAIR, pl.String()),
    **dict.fromkeys(("since", "until", "said_at"), pl.Int64()),
    **dict.fromkeys(LABELS, pl.String()),
}
_ORDER = ["since", "said_at", "until", *LABELS]
"""Of several times that hold, the one that begins last counts, of equal ones the one that was said last."""
CELL = ("group_id", *LABELS)
SUMS = {"customers": pl.Int64(), "interactions": pl.Int64(), "score_sum": pl.Float64(), "score_squares": pl.Float64()}
_GIVEN = ("occurred_at", "event_id", "touchpoint", "channel", "milestone", "score", "score_weight")
"""What goes from an event of a group to its members."""


def names_group(subject: pl.Expr) -> pl.Expr:
    """Whether a subject is a group's."""
    return subject.str.starts_with(GROUP_PREFIX)


def shared(events: pl.DataFrame, times: pl.DataFrame) -> pl.DataFrame:
    """A row for each event of a group and each customer who was a member then, in the form of `events`.

    events: `subject`, `event_id`, `customer_id`, `root`, `attributes` and _GIVEN. What does not go to members is null;
    `subject` tells these rows from all others. times: as `periods` has them.
    """
    schema = events.schema
    of_group = events.filter(names_group(pl.col("subject")))
    if not of_group.height:
        return events.clear()
    asked = {f"asked_{name}": _attribute(name) for name in LABELS}
    happened = of_group.select(*_GIVEN, group="subject", **asked)
    at = pl.col("occurred_at")
    met = happened.join(times, on="group").filter(at >= pl.col("since"), at < pl.col("until"))
    met = met.sort(_ORDER).unique(["group", "event_id", "customer_id"], keep="last", maintain_order=True)
    for name in LABELS:
        met = met.filter((pl.col(f"asked_{name}") == "") | (pl.col(f"asked_{name}") == pl.col(name)))
    roots = events.select("customer_id", "root").unique("customer_id")
    rows = met.join(roots, on="customer_id").with_columns(
        subject=pl.concat_str("group", pl.lit(" to "), "customer_id"),
        booking_ref=pl.lit(None, pl.String),
        attributes=pl.lit([], schema["attributes"]),
    )
    missing = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in rows.columns]
    return rows.with_columns(missing).select(schema.names())


def periods(events: pl.DataFrame) -> pl.DataFrame:
    """The times of membership: columns as in PERIODS, in epoch ms; `until` is FOREVER where there is no end.

    events: `subject`, `customer_id`, `ids`, `attributes`, `occurred_at`, `touchpoint`.
    """
    said = (
        events.filter(pl.col("touchpoint").is_in(TOUCHPOINTS), ~names_group(pl.col("subject")))
        .select(
            "customer_id",
            "touchpoint",
            "ids",
            said_at="occurred_at",
            from_=_moment(_attribute(VALID_FROM)),
            until_=_moment(_attribute(VALID_UNTIL)),
            **{name: _attribute(name) for name in LABELS},
        )
        .explode("ids")
        .filter(pl.col("ids").struct.field("kind") == GROUP)
        .with_columns(group=GROUP_PREFIX + pl.col("ids").struct.field("value"))
    )
    void = said.filter(pl.col("touchpoint") == WITHDRAWN).group_by(PAIR).agg(void=pl.col("said_at").max())
    said = said.join(void, on=PAIR, how="left").filter(pl.col("said_at") > pl.col("void").fill_null(-1))
    left = said.filter(pl.col("touchpoint") == LEFT).select(*PAIR, left=pl.coalesce("until_", "said_at"))
    joined = (
        said.filter(pl.col("touchpoint") == JOINED)
        .with_columns(since=pl.coalesce("from_", "said_at"), until=pl.col("until_").fill_null(FOREVER))
        .select(PERIODS.keys())
        .unique()
    )
    ended = joined.join(left, on=PAIR).filter(pl.col("left") > pl.col("since"))
    key = ["customer_id", "group", "since", "until", "said_at", *LABELS]
    first = ended.group_by(key).agg(pl.col("left").min())
    return (
        joined.join(first, on=key, how="left")
        .with_columns(until=pl.min_horizontal("until", "left"))
        .filter(pl.col("until") > pl.col("since"))
        .select(PERIODS.keys())
        .unique()
    )


def memberships(times: pl.DataFrame) -> pl.DataFrame:
    """The view memberships, `until` 0 where there is no end. times: as `periods` has them."""
    return times.rename({"group": "group_id"}).with_columns(pl.col("until").replace(FOREVER, 0))


def cells(events: pl.DataFrame, times: pl.DataFrame) -> pl.DataFrame:
    """The view group_cells: CELL and SUMS.

    events: customers' own, with `subject`, `event_id`, `customer_id`, `occurred_at`, `score`, `score_weight`.
    times: as `periods` has them.
    """
    at, weight = pl.col("occurred_at"), pl.col("score_weight")
    scored = events.filter(pl.col("score").is_not_null(), weight > 0)
    within = scored.join(times, on="customer_id").filter(at >= pl.col("since"), at < pl.col("until"))
    event = ["subject", "event_id", "group"]
    within = within.sort(_ORDER).unique(event, keep="last", maintain_order=True).rename({"group": "group_id"})
    means = within.group_by(*CELL, "customer_id").agg(
        said=pl.len(), mean=(pl.col("score") * weight).sum() / weight.sum()
    )
    mean = pl.col("mean")
    return means.group_by(CELL).agg(
        customers=pl.len().cast(pl.Int64),
        interactions=pl.col("said").sum().cast(pl.Int64),
        score_sum=mean.sum(),
        score_squares=(mean * mean).sum(),
    )


def _attribute(name: str) -> pl.Expr:
    """The first value of an attribute, without blanks around it; an empty text where there is none."""
    own = pl.element().struct.field("key") == name
    found = pl.col("attributes").list.eval(pl.element().struct.field("value").filter(own)).list.first()
    return found.str.strip_chars(" ").fill_null("")


def _moment(text: pl.Expr) -> pl.Expr:
    """The epoch ms of a time in an attribute; null where there is none."""
    text = pl.when(text.str.contains(TIME)).then(text)
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms")).cast(pl.Int64)
    moment = text.str.replace("Z$", "+00:00").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="ms")
    return pl.coalesce(day, moment.cast(pl.Int64))
