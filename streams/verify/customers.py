"""Customers, computed in a plain way: rolling sentiment from its definition, preferences, consents, counts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase

import polars as pl

from schemas.records import polars_schema
from streams.guest.notes import KEPT_CONSENTS
from streams.model.preferences import Preference, load
from streams.verify.groups import names_group

DAY_MS = 86_400_000
HALF_LIVES = (7, 30, 90)
"""Days."""
DECIDES = 30
"""The half-life that decides the profile and gives the evidence."""
DIGITS = 6
_SAYS = ("touchpoint", "locale", "meal_plan", "room_type", "attributes")
"""Fields in which preferences are looked for."""
_CONSENT = r"^(booking|check_in|stay|post_travel)\.consent_(given|withdrawn)$"
_ANY = "any"
_LONGEST = 40
"""Characters that count of what a statement about consent names."""


def customers(
    events: pl.DataFrame, journeys: pl.DataFrame, cases: pl.DataFrame, rules: Iterable[Preference] | None = None
) -> pl.DataFrame:
    """The customers' table, one row a `customer_id`.

    Args:
        events: interactions in order of time, those of their groups included, with `customer_id` and `root`, scores
            rounded, weights not null.
        journeys: with `customer_id`. cases: with `customer_id` and `status`.
        rules: of preferences; those that come with Rihla by default.
    """
    at, root = pl.col("occurred_at"), pl.col("root").first()
    own = events.filter(~names_group(pl.col("subject")))
    whole = events.group_by("customer_id").agg(
        kind=root.str.extract(r"^([^:]*)"),
        value=root.str.extract(r"^[^:]*:((?s).*)$"),
        interactions=pl.len().cast(pl.Int64),
        first_event_at=at.min(),
        last_event_at=at.max(),
    )
    counted = journeys.group_by("customer_id").agg(journeys=pl.len().cast(pl.Int64))
    open_cases = cases.group_by("customer_id").agg(open_cases=(pl.col("status") == "open").sum().cast(pl.Int64))
    decisive = pl.col(f"sentiment_{DECIDES}d").round(DIGITS)
    return (
        whole.join(_sentiment(events, whole), on="customer_id", how="left")
        .join(counted, on="customer_id", how="left")
        .join(open_cases, on="customer_id", how="left")
        .join(_preferences(own, load() if rules is None else rules), on="customer_id", how="left")
        .join(_consents(own), on="customer_id", how="left")
        .with_columns(
            pl.col("evidence").fill_null(0.0),
            pl.col("open_cases").fill_null(0),
            pl.col("preferences", "consents").fill_null([]),
            profile=pl.when(decisive <= -0.25)
            .then(pl.lit("negative"))
            .when(decisive >= 0.25)
            .then(pl.lit("advocate"))
            .otherwise(pl.lit("non_committal")),
        )
    )


def _sentiment(events: pl.DataFrame, whole: pl.DataFrame) -> pl.DataFrame:
    """Rolling scores as of the last event, and their evidence, of each customer with a scored event.

    Evidence is taken as of the last scored event: decay leaves it unchanged, but over decades nothing would be left to
    divide by.
    """
    at, weight, score = pl.col("occurred_at"), pl.col("score_weight"), pl.col("score")
    scored = events.filter(score.is_not_null()).join(whole.select("customer_id", "last_event_at"), on="customer_id")
    parts = []
    for days in HALF_LIVES:
        rate = math.log(2) / (days * DAY_MS)
        decayed = weight * ((at - pl.col("last_event_at")) * rate).exp()
        parts.append(((decayed * score).sum() / (decayed.sum() + 1.0)).alias(f"sentiment_{days}d"))
        if days == DECIDES:
            decayed = weight * ((at - at.max()) * rate).exp()
            parts.append((decayed.sum().pow(2) / decayed.pow(2).sum()).fill_nan(0.0).alias("evidence"))
    return scored.group_by("customer_id").agg(parts)


def _preferences(events: pl.DataFrame, rules: Iterable[Preference]) -> pl.DataFrame:
    """Preferences of each customer that has any: per key the latest value, how often a value was stated, and when last.

    Each rule of preferences.csv is a filter; of one event and key the first rule of the file counts.
    """
    events = events.with_row_index("row").select(*_SAYS, "row", "customer_id", "occurred_at", "event_id")
    attributes = events.filter(pl.col("attributes").list.len() > 0).explode("attributes")
    name = pl.col("attributes").struct.field("key")
    said = pl.col("attributes").struct.field("value").str.strip_chars().str.to_lowercase()
    parts = []
    for rule in rules:
        match rule.source:
            case "attribute":
                matches = said == rule.match.lower() if rule.match else said != ""
                stating, own = attributes.filter((name == rule.name) & matches), said
            case "field":
                own = pl.col(rule.name)
                if rule.value == "language":
                    own = own.str.extract(r"^([A-Za-z]{2,3})").str.to_lowercase()
                stating = events.filter(own.is_not_null())
            case _:
                stating, own = events.filter(pl.col("touchpoint") == rule.name), pl.lit("")
        value = own if rule.value in ("*", "language") else pl.lit(rule.value)
        parts.append(stating.select("row", "customer_id", "occurred_at", "event_id", key=pl.lit(rule.key), value=value))
    return (
        pl.concat(parts)
        .unique(["row", "key"], keep="first", maintain_order=True)  # parts are in the order of the rules
        .sort("occurred_at", "event_id")
        .group_by("customer_id", "key")
        .agg(pl.col("value").last(), evidence=pl.len().cast(pl.Int64), last_at=pl.col("occurred_at").last())
        .group_by("customer_id")
        .agg(preferences=pl.struct("key", "value", "evidence", "last_at").sort_by("key"))
    )


def _consents(events: pl.DataFrame) -> pl.DataFrame:
    """What holds of being written to, of each customer that has said something: by purpose and channel the latest of
    the statements that are about both."""
    said = events.filter(pl.col("touchpoint").str.contains(_CONSENT)).select(
        "customer_id",
        "occurred_at",
        "event_id",
        given=pl.col("touchpoint").str.ends_with("given"),
        purpose=_word("purpose"),
        channel=_word("channel"),
        source=_named("source").str.strip_chars(" ").str.slice(0, _LONGEST),
    )
    said = said.filter(~pl.col("given") | (pl.col("purpose") != _ANY))
    pairs = said.select("customer_id", of="purpose", by="channel").unique()
    purpose, channel = pl.col("purpose"), pl.col("channel")
    about = pairs.join(said, on="customer_id").filter(
        ((purpose == pl.col("of")) | (purpose == _ANY)) & ((channel == pl.col("by")) | (channel == _ANY))
    )
    return (
        about.sort("occurred_at", "event_id")
        .group_by("customer_id", "of", "by")
        .agg(pl.col("given").last(), pl.col("source").last(), since=pl.col("occurred_at").last())
        .rename({"of": "purpose", "by": "channel"})
        .group_by("customer_id")
        .agg(consents=pl.struct(purpose, channel, "given", "source", "since").sort_by("purpose", "channel"))
    )


def _named(key: str) -> pl.Expr:
    """The last value of an attribute; empty where there is none."""
    of_key = pl.element().struct.field("key") == key
    values = pl.col("attributes").list.eval(pl.element().filter(of_key).struct.field("value"))
    return values.list.last().fill_null("")


def _word(key: str) -> pl.Expr:
    """A purpose or a channel as it is compared: nothing named is all of them."""
    short = _named(key).str.strip_chars(" ").str.replace_many([*ascii_uppercase], [*ascii_lowercase])
    short = short.str.slice(0, _LONGEST)
    return pl.when(short.is_in(["", "*", "all", _ANY])).then(pl.lit(_ANY)).otherwise(short)


def as_kept(expected: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The customers that are expected, as far as stitch can know their consents.

    It does not know the source of what was said to a version that did not keep it (found: null), and it keeps
    KEPT_CONSENTS pairs of purpose and channel, of which those of who has more depend on the order.
    """
    said = pl.col("consents").list.len() > 0
    shown = dict(found.filter(said).select("customer_id", "consents").iter_rows())
    kept = []
    for customer, consents in expected.filter(said).select("customer_id", "consents").iter_rows():
        known = shown.get(customer, [])
        unknown = {(one["purpose"], one["channel"]) for one in known if one["source"] is None}
        each = [
            {**one, "source": None} if (one["purpose"], one["channel"]) in unknown else one for one in consents
        ]  # fmt: skip
        kept.append((customer, known if len(consents) > KEPT_CONSENTS else each))
    schema = pl.Schema({"customer_id": pl.String(), "consents": polars_schema("customer")["consents"]})
    return expected.update(pl.DataFrame(kept, schema, orient="row"), on="customer_id")
