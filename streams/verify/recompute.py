"""Computes all tables in a plain way, from the log of interactions only."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import polars as pl

from streams.model.company import Model, built_in
from streams.model.linked import LINKED
from streams.verify import journeys
from streams.verify.identity import who_is_who
from streams.verify.journeys import customer_id
from streams.verify.names import Names

COLUMNS = (
    "event_id",
    "occurred_at",
    "ids",
    "booking_ref",
    "touchpoint",
    "channel",
    "unit",
    "agent_id",
    "locale",
    "survey",
    "money",
    "case_id",
    "score",
    "score_weight",
    "meal_plan",
    "room_type",
    "attributes",
    "nights",
    "arrival_date",
    "country",
)
"""Fields of interaction.avsc that tables depend on."""


class Expected(NamedTuple):
    """The tables as they have to be, columns named as in the analysts' views; times are epoch milliseconds."""

    interactions: pl.DataFrame
    """Key (subject, event_id): `customer_id` and `journey_id`."""
    journeys: pl.DataFrame
    customers: pl.DataFrame
    cases: pl.DataFrame
    identities: pl.DataFrame
    """Key (kind, value): `customer_id` and `shared`."""
    attributed: dict[str, pl.DataFrame]
    """View: whose doing its rows were (streams.verify.attribution)."""
    journey_spend: pl.DataFrame
    """Key (journey_id, currency): what was booked, kept and lost (streams.verify.money)."""
    journeys_now: pl.DataFrame
    """Key journey_id: what holds, as far as no clock is asked (streams.verify.now)."""
    groups: dict[str, pl.DataFrame]
    """View: its rows (streams.verify.groups)."""
    segments: pl.DataFrame
    """Key (segment, customer_id): who belongs to which (streams.verify.segments)."""
    next_actions: pl.DataFrame
    """Key (customer_id, action, evidence): what may be done (streams.verify.next_actions)."""


def recompute(
    log: pl.DataFrame,
    left_out: pl.DataFrame | None = None,
    left_out_links: Collection[tuple[str, str]] = (),
    model: Model | None = None,
) -> Expected:
    """Compute all tables.

    log: interactions in the frame form of interaction.avsc, at least COLUMNS. Of several rows with one subject and
        event_id the first counts. A column `subject` is ignored and derived from the identifiers.
    left_out: `subject` and `event_id` of interactions that are in no table; their links count nevertheless, as those of
        identity.linked do.
    left_out_links: (subject, identifier) of links that do not.
    model: what events mean; None: the one that comes with Rihla.
    """
    model = built_in() if model is None else model
    names = Names(log, model.kinds)
    who = who_is_who((link for link in names.links() if link[:2] not in left_out_links), model.kinds)
    roots = pl.DataFrame(
        [(identifier, root, shared) for identifier, (root, shared) in who.items()],
        schema={"subject": pl.String, "root": pl.String, "shared": pl.Boolean},
        orient="row",
    )
    events = names.with_subjects(log).filter(pl.col("touchpoint") != LINKED)
    if left_out is not None and left_out.height:
        events = events.join(left_out, on=["subject", "event_id"], how="anti", maintain_order="left")
    tables = journeys.tables(events, roots.drop("shared"), model)
    identities = _identities(roots, tables.customers)
    return Expected(
        tables.interactions,
        tables.journeys,
        tables.customers.join(_identifiers(identities), on="customer_id", how="left"),
        tables.cases,
        identities,
        tables.attributed,
        tables.journey_spend,
        tables.journeys_now,
        tables.groups,
        tables.segments,
        tables.next_actions,
    )


def _identities(roots: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    """What the view `identities` shows: identifiers that were ever linked, and names of customers that never were."""
    unlinked = customers.select(
        pl.format("{}:{}", "kind", "value").alias("subject"), "customer_id", shared=pl.lit(False)
    ).join(roots, on="subject", how="anti")
    linked = roots.select("subject", customer_id(pl.col("root")).alias("customer_id"), "shared")
    return pl.concat([linked, unlinked]).select(
        kind=pl.col("subject").str.extract(r"^([^:]*)"),
        value=pl.col("subject").str.extract(r"^[^:]*:((?s).*)$"),
        customer_id="customer_id",
        shared="shared",
    )


def _identifiers(identities: pl.DataFrame) -> pl.DataFrame:
    """The `identifiers` of each customer."""
    return identities.group_by("customer_id").agg(identifiers=pl.struct("kind", "value"))
