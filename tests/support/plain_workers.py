"""The workers' pure cores wired together without Kafka, and interactions for them to work on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import polars as pl

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import polars_schema
from schemas.registry import LocalRegistry
from streams.guest.noting import Noter
from streams.identity.graph import Change
from streams.identity.resolver import Resolver
from streams.model.company import built_in
from streams.model.identifiers import customer_id
from streams.model.subjects import subjects_and_links
from streams.stitch.events import Events
from streams.stitch.membership import said_of_groups
from streams.stitch.messages import Messages
from tests.properties.test_stitch_fold import World

DAY_MS = 86_400_000
START_MS = 1_700_000_000_000
"""2023-11-14T22:13:20Z."""
INTERACTION = polars_schema("interaction")
REGISTRY = LocalRegistry()
RECORDS = {"journeys": "journey", "customers": "customer", "cases": "case", "next_actions": "next_action"}
"""Table: the record that stitch publishes for it."""

_ABSENT: dict[str, Any] = {
    **dict.fromkeys(INTERACTION),
    "ids": [],
    "attributes": [],
    "aspects": [],
    "aspect_ratings": [],
    "medium": "web",
    "conflict": False,
    "touchpoint": "booking.page_viewed",
    "channel": "booking",
}


def interaction(
    number: int,
    *,
    ids: list[tuple[str, str]] | None = None,
    after: int = 0,
    survey: tuple[str, float] | None = None,
    money: tuple[int, str] | None = None,
    **said: Any,
) -> dict[str, Any]:
    """An interaction as a row of its frame form, but for the subject.

    Args:
        number: stands in the first half of its event id.
        ids: (kind, value) of each identifier.
        after: milliseconds after START_MS.
        survey: instrument and score. money: minor units and currency.
        said: other fields of the record.
    """
    return {
        **_ABSENT,
        **said,
        "event_id": f"{number:08x}-0000-4000-8000-{7 * number:012x}",
        "occurred_at": START_MS + after,
        "ids": [{"kind": kind, "value": value} for kind, value in ids or []],
        "survey": survey and {"instrument": survey[0], "score": survey[1]},
        "money": money and {"amount_minor": money[0], "currency": money[1]},
    }


def log_of(interactions: list[dict[str, Any]]) -> pl.DataFrame:
    """Interactions as enrich writes them, with their subjects."""
    frame = pl.DataFrame(interactions, schema=INTERACTION)
    return frame.with_columns(subjects_and_links(frame)[0])


@dataclass
class Workers:
    """Identity and stitch, and all that they have published: of each key what the last version says."""

    world: World = field(default_factory=World)
    identities: dict[str, tuple[Change, int]] = field(default_factory=dict)
    """Identifier: what was told of it last, with its version."""

    def work(self, log: pl.DataFrame, rng: Random) -> None:
        """Take in a log, in batches of random size that overtake one another at random."""
        world, resolver = self.world, Resolver()
        events = Events(replace(built_in(), brands=world.brands))
        noter = Noter(world.guests, built_in().touchpoints)
        folded = linked = resolved = told = 0
        links: list[tuple[str, str, int]] = []
        news: list[tuple[Change, int]] = []
        while (
            min(folded, linked) < log.height
            or resolved < len(links)
            or told < len(news)
            or world.parts_read < len(world.parts)
        ):
            step, size = rng.randrange(5), rng.randrange(1, 6)
            if step == 0:
                batch = log[folded : folded + size]
                offsets = range(folded, folded + batch.height)
                subjects, said = batch["subject"].to_list(), said_of_groups(batch)
                watched = {row: ((), None, noted) for row, noted in noter.noted(batch, START_MS).items()}
                world.run(Messages(events.by_subject(batch, subjects, offsets, watched, spoken=said)))
                folded += batch.height
            elif step == 1:
                batch = log[linked : linked + size]
                links += subjects_and_links(batch)[1].iter_rows()
                linked += batch.height
            elif step == 2:
                fresh = links[resolved : resolved + size]
                resolver.take(fresh, range(resolved, resolved + len(fresh)))
                resolved += len(fresh)
                news += [(change, resolved) for change in resolver.changes]
                resolver.settled()
            elif step == 3:
                moved: dict[str, list[tuple[int, str, int]]] = {}
                for offset, (change, version) in enumerate(news[told : told + size], start=told):
                    moved.setdefault(change.identifier, []).append((offset, change.root, version))
                    self.identities[change.identifier] = (change, version)
                told = min(told + size, len(news))
                world.run(Messages(identities=moved))
            else:
                world.run(world.next_parts(size))

    def records(self, table: str) -> pl.DataFrame:
        """What was published for journeys, customers, cases or identities, withdrawals included, in frame form."""
        if table == "identities":
            told = [
                (*identifier.partition(":")[::2], change.root, customer_id(change.root), change.shared, version)
                for identifier, (change, version) in self.identities.items()
            ]
            return pl.DataFrame(told, schema=polars_schema("identity"), orient="row")
        record, kept = RECORDS[table], list(self.world.tables.get(table, {}).values())
        if table == "next_actions":
            kept = [row[:-1] for row in kept]
        return BatchDecoder(record, REGISTRY).decode(BatchEncoder(record, REGISTRY).encode(kept)).frame

    def exact(self, table: str) -> pl.DataFrame:
        """What the exact view of journeys, customers, cases or next actions would show."""
        if table == "next_actions":
            listed = self.records(table).filter(pl.col("actions").list.len() > 0).explode("actions")
            return listed.drop("version").unnest("actions")
        return self.records(table).filter(~pl.col("withdrawn")).drop("version", "withdrawn")
