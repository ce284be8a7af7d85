"""Compares two models: folds the log under each in the plain way, and lists what differs.

Nothing is written. Scores follow the model where a touchpoint's prior is all that an interaction has; texts and surveys
keep theirs. Alerts are those that would be raised were every event heard in time; those of a drop of sentiment are left
out, since they are observations of a running state. Texts are read by the first reader alone, `RIHLA_DEEP` or not: the
second would take hours for the texts of years.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import polars as pl

from streams.alerts import match
from streams.alerts.match import Matcher
from streams.alerts.owner import Owner, Owners, owned
from streams.alerts.rules import of
from streams.alerts.signals import Signal, Signals, Watched
from streams.alerts.watch import Watch, settle
from streams.enrich.score import IMPLICIT_WEIGHT
from streams.model import catalogue
from streams.model.brands import Brands
from streams.model.company import Model, built_in, load
from streams.verify import now as holding
from streams.verify.groups import names_group
from streams.verify.recompute import COLUMNS, Expected, recompute

LOG = tuple(dict.fromkeys((*COLUMNS, *match.COLUMNS, "score_source")))
"""Fields of interaction.avsc that are always read; conditions of alerts may ask for more (`columns`)."""
FOR_EVER = 1 << 62
APART = 100_000
"""Interactions from which on the other model has a process of its own; fewer are folded before it has started."""
_ROWS_AT_ONCE = 100_000
_ALERTS = {"customer_id": pl.String, "rule": pl.String, "unit": pl.String, "owner": pl.String, "at": pl.Int64}


class Difference(NamedTuple):
    """One kind of difference: its title, and a row for each thing that has changed."""

    title: str
    rows: pl.DataFrame


@dataclass(frozen=True)
class Side:
    """What is compared of the tables under one model."""

    journeys: pl.DataFrame
    """status"""
    customers: pl.DataFrame
    """profile"""
    segments: pl.DataFrame
    """segment"""
    identities: pl.DataFrame
    """kind, value, customer_id, shared"""
    status_now: pl.DataFrame
    """journey_id, status_now."""
    alerts: pl.DataFrame
    """Columns _ALERTS: every alert, at the time at which it would be raised, with its unit (its own, or the attributed
    one) and who has to act, as stitch says them (streams.stitch.owners)."""
    nps: pl.DataFrame
    """unit, answers, nps: by the unit whose doing it was."""


def columns(*models: Model) -> tuple[str, ...]:
    """The fields of the log that models look at."""
    asked = [name for model in models for name in Matcher(of(model)).columns]
    return tuple(dict.fromkeys((*LOG, *asked)))


def differences(
    log: pl.DataFrame,
    before: Model,
    after: Model,
    now: int,
    since: int | None = None,
    levels: pl.DataFrame | None = None,
) -> list[Difference]:
    """What differs in the tables under two models.

    log: interactions in frame form, at least `columns(before, after)`. now: epoch ms, for what holds now. since: of
    alerts and answers the first that count, epoch ms. levels: of the view unit_levels, for the clocks of units.
    """
    one, other = _both(log, before, after, now, since, levels)
    return [
        Difference("journeys by status", _counts(one.journeys, other.journeys, "status")),
        Difference("journeys by what holds now", _counts(one.status_now, other.status_now, "status_now")),
        Difference("customers by profile", _counts(one.customers, other.customers, "profile")),
        Difference("customers by segment", _counts(one.segments, other.segments, "segment")),
        Difference("identifiers by customer", _moved(one.identities, other.identities)),
        Difference("alerts a day by rule and unit", _a_day(one.alerts, other.alerts)),
        Difference("customers reached by an alert", _reached(one.alerts, other.alerts)),
        Difference("NPS by unit", _nps(one.nps, other.nps)),
    ]


def fold(
    log: pl.DataFrame, model: Model, now: int, since: int | None = None, levels: pl.DataFrame | None = None
) -> Side:
    """The tables that a log makes under a model."""
    scored = rescored(log, model)
    tables = recompute(scored, model=model)
    counted = scored if since is None else scored.filter(pl.col("occurred_at") >= since)
    return Side(
        tables.journeys.select("status"),
        tables.customers.select("profile"),
        tables.segments.select("segment"),
        tables.identities,
        holding.at(tables.journeys_now, now, levels).select("journey_id", "status_now"),
        _alerts(counted, tables, model),
        _answers(counted, tables),
    )


def _both(
    log: pl.DataFrame, before: Model, after: Model, now: int, since: int | None, levels: pl.DataFrame | None
) -> tuple[Side, Side]:
    """The tables under both models: of a large log at the same time, since much of the work is Python's."""
    folder = None if after.source == built_in().source else after.source
    if log.height < APART or load(folder).hash != after.hash:  # another process cannot read the model
        return fold(log, before, now, since, levels), fold(log, after, now, since, levels)
    with (
        tempfile.TemporaryDirectory(prefix="rihla-whatif-") as place,  # for this user's eyes alone
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process,
    ):
        path = Path(place) / "log.arrow"
        log.write_ipc(path)
        other = process.submit(_fold_stored, path, folder, now, since, levels)
        return fold(log, before, now, since, levels), other.result()


def _fold_stored(path: Path, folder: str | None, now: int, since: int | None, levels: pl.DataFrame | None) -> Side:
    return fold(pl.read_ipc(path), load(folder), now, since, levels)


def rescored(log: pl.DataFrame, model: Model) -> pl.DataFrame:
    """The log with the scores that priors of a model give, where an interaction has no other."""
    priors = catalogue.frame(model.touchpoints).select("touchpoint", "prior")
    own = pl.col("score_source").is_null() | (pl.col("score_source") == "implicit")
    weight = pl.when(pl.col("prior").is_not_null()).then(pl.lit(IMPLICIT_WEIGHT))
    return (
        log.join(priors, on="touchpoint", how="left", maintain_order="left")
        .with_columns(
            score=pl.when(own).then("prior").otherwise("score"),
            score_weight=pl.when(own).then(weight).otherwise("score_weight"),
        )
        .drop("prior")
    )


def _alerts(log: pl.DataFrame, tables: Expected, model: Model) -> pl.DataFrame:
    """Every alert of a log. tables: what follows from all interactions."""
    rules = of(model)
    matcher = Matcher(rules, model.touchpoints, model.brands)
    people = tables.interactions.filter(~names_group(pl.col("subject")))  # alerts are about customers
    whose = dict(people.select("event_id", "customer_id").iter_rows())
    said: dict[str, list[Watched]] = {}
    bare: set[str] = set()
    for some in log.unique("event_id", keep="first", maintain_order=True).iter_slices(_ROWS_AT_ONCE):
        ids = some["event_id"]
        for row, watched in matcher.watched(some, 0).items():  # by a clock that stands at 1970 nothing is too old
            customer = whose.get(ids[row])
            if customer is None:
                continue
            said.setdefault(customer, []).append(watched)
            if any(not signal.unit for signal in watched[0]):
                bare.add(ids[row])
    owners = _owners(bare, tables, model.brands)
    found = []
    for customer, told in said.items():
        signals = sorted((one for some, _, _ in told for one in some), key=lambda one: (one.at, one.event_id, one.rule))
        if signals:
            answers = sorted((one for _, one, _ in told if one is not None), key=lambda one: (one.at, one.event_id))
            heard = Signals(signals, answers)
            raised = settle(rules, customer, heard, Watch(), 0, FOR_EVER, owners=owners)
            found += [(customer, one.rule, one.unit, one.owner, one.at + rules[one.rule].after) for one in raised]
    return pl.DataFrame(found, _ALERTS, orient="row")


def _owners(bare: Collection[str], tables: Expected, brands: Brands) -> Owners:
    """Finds who has to act on an alert. bare: ids of events that may cause one and name no unit."""
    ids = pl.Series(list(bare), dtype=pl.String).implode()
    rows = tables.attributed["interactions_attributed"].filter(pl.col("event_id").is_in(ids))
    named = rows.select("event_id", "attributed_unit", "unit_basis").iter_rows()
    attributed = {UUID(event_id).bytes: (unit, basis) for event_id, unit, basis in named}

    def owner(signal: Signal) -> Owner:
        unit, basis = (signal.unit, "own") if signal.unit else attributed[signal.event_id]
        return owned(unit, basis, signal.brand, brands)

    return owner


def _answers(log: pl.DataFrame, tables: Expected) -> pl.DataFrame:
    """NPS by attributed unit."""
    answer = pl.col("survey").struct.field("score")
    whose = tables.attributed["interactions_attributed"].select("event_id", unit="attributed_unit")
    return (
        log.filter(pl.col("survey").struct.field("instrument") == "nps")
        .unique("event_id")
        .join(whose, on="event_id")
        .group_by("unit")
        .agg(answers=pl.len().cast(pl.Int64), nps=100 * ((answer >= 9).sum() - (answer <= 6).sum()) / pl.len())
    )


def _counts(one: pl.DataFrame, other: pl.DataFrame, by: str) -> pl.DataFrame:
    """How many rows there are of each value, where that differs."""
    both = [side.group_by(by).agg(n=pl.len().cast(pl.Int64)) for side in (one, other)]
    return _joined(both[0], both[1], [by]).filter(pl.col("before") != pl.col("after")).sort(by)


def _moved(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """How many identifiers of a kind belong to another customer, or are shared where they were not, or no longer."""
    pair = ["kind", "value"]
    both = one.join(other, on=pair, how="full", coalesce=True, suffix="_after")
    differs = pl.col("customer_id").ne_missing(pl.col("customer_id_after"))
    changed = pl.col("shared").ne_missing(pl.col("shared_after"))
    return (
        both.group_by("kind")
        .agg(another_customer=differs.sum().cast(pl.Int64), shared_or_no_longer=changed.sum().cast(pl.Int64))
        .filter((pl.col("another_customer") > 0) | (pl.col("shared_or_no_longer") > 0))
        .sort("kind")
    )


def _a_day(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Alerts a day by rule, unit and owner, over the days on which either model raises any."""
    times = pl.concat([one["at"], other["at"]]).to_list()
    days = 1 + (max(times) - min(times)) // 86_400_000 if times else 1
    key = ["rule", "unit", "owner"]
    both = [side.group_by(*key).agg(n=(pl.len() / days).round(3)) for side in (one, other)]
    joined = _joined(both[0], both[1], key)
    return joined.filter(pl.col("before") != pl.col("after")).sort(key, nulls_last=True)


def _reached(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Who is reached under one model and not the other, and how much earlier those are whom both reach."""
    first = [side.group_by("customer_id").agg(pl.col("at").min()) for side in (one, other)]
    both = first[0].join(first[1], on="customer_id", how="full", coalesce=True, suffix="_after")
    hours = (pl.col("at") - pl.col("at_after")) / 3_600_000
    return both.select(
        newly=pl.col("at").is_null().sum().cast(pl.Int64),
        no_longer=pl.col("at_after").is_null().sum().cast(pl.Int64),
        earlier=(hours > 0).sum().cast(pl.Int64),
        median_hours_earlier=hours.filter(hours > 0).median().round(1),
        later=(hours < 0).sum().cast(pl.Int64),
    ).filter(pl.any_horizontal(pl.col("newly", "no_longer", "earlier", "later") > 0))


def _nps(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    joined = one.join(other, on="unit", how="full", coalesce=True, suffix="_after", nulls_equal=True)
    changed = pl.col("nps").ne_missing(pl.col("nps_after")) | pl.col("answers").ne_missing(pl.col("answers_after"))
    return joined.filter(changed).with_columns(pl.col("nps", "nps_after").round(1)).sort("unit", nulls_last=True)


def _joined(one: pl.DataFrame, other: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    both = one.join(other, on=key, how="full", coalesce=True, suffix="_after", nulls_equal=True)
    return both.select(*key, before=pl.col("n").fill_null(0), after=pl.col("n_after").fill_null(0))
