"""The views of consent, the plain way: event by event, from the stored interactions and who is who as recomputed."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

import polars as pl

from streams.guest import consent
from streams.verify.compare import DIFFERENCE, Comparison

TABLE = "consents"
_EVENTS = """
SELECT subject, event_id, touchpoint, occurred_at, mapKeys(attributes), mapValues(attributes)
FROM interactions_store FINAL WHERE position(touchpoint, '.consent_') > 0
"""


def consents(client: Any, interactions: pl.DataFrame) -> Comparison:
    """What is not as it should be of `consents` and `consent_history`.

    client: of clickhouse-connect, on the database of the tables. interactions: subject, event_id and customer_id of
    each, as recomputed.
    """
    stored = [row for row in client.query(_EVENTS).result_rows if row[2] in consent.TOUCHPOINTS]
    events = pl.DataFrame({"subject": [row[0] for row in stored], "event_id": [row[1] for row in stored]})
    whose = dict(
        interactions.join(events.cast(pl.String), on=["subject", "event_id"], how="semi")
        .select("event_id", "customer_id")
        .iter_rows()
    )
    latest: dict[tuple[Any, str, str], consent.Said] = {}
    history = set()
    for _, event_id, touchpoint, at, keys, values in stored:
        if event_id not in whose:
            continue  # it is in no table
        pairs = [{"key": key, "value": value} for key, value in zip(keys, values, strict=True)]
        one = consent.said(touchpoint, _ms(at), UUID(event_id).bytes, pairs)
        history.add((event_id, whose[event_id], one.purpose, one.channel, _state(one.given)))
        key = (whose[event_id], one.purpose, one.channel)
        if key not in latest or (one.at, one.event_id) > (latest[key].at, latest[key].event_id):
            latest[key] = one
    differences = []
    shown = {
        (customer, purpose, channel): (state, _ms(since))
        for customer, purpose, channel, state, since in client.query(
            "SELECT customer_id, purpose, channel, state, since FROM consents"
        ).result_rows
    }
    expected = {key: (_state(one.given), one.at) for key, one in latest.items()}
    for key in sorted(shown.keys() | expected.keys(), key=str):
        if shown.get(key) != expected.get(key):
            both = [None if side.get(key) is None else str(side[key]) for side in (expected, shown)]
            differences.append((TABLE, " ".join(map(str, key)), "state", both[0], both[1]))
    told = {
        tuple(row)
        for row in client.query(
            "SELECT event_id, customer_id, purpose, channel, state FROM consent_history"
        ).result_rows
    }
    for row in sorted(history ^ told, key=str):
        both = [str(row) if row in side else None for side in (history, told)]
        differences.append(("consent_history", row[0], "(row)", both[0], both[1]))
    return Comparison(TABLE, len(expected.keys() | shown.keys()), pl.DataFrame(differences, DIFFERENCE, orient="row"))


def _state(given: bool) -> str:
    return "given" if given else "withdrawn"


def _ms(at: Any) -> int:
    return int(at.replace(tzinfo=UTC).timestamp() * 1000)
