"""Two ways to the same tables: the workers' cores, message by message, and the plain queries of `streams.verify`.

Everything is real but Kafka: links are made of the events' identifiers, the resolver turns them into news of roots, and
stitch folds events, news and parts in batches of random size and order, with duplicates. What is then published has to
be, row by row and column by column, what the plain queries make of the whole set at once.
"""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import catalogue
from schemas.records import CHANNELS, polars_schema
from streams.identity.frames import subjects_and_links
from streams.identity.resolver import Resolver
from streams.stitch import rows
from streams.stitch.events import Events
from streams.stitch.fold import fold_identities, fold_interactions
from streams.verify.compare import compare
from streams.verify.recompute import recompute
from tests.properties.test_stitch_fold import World

DAY_MS = 86_400_000
START_MS = 1_700_000_000_000
INTERACTION = polars_schema("interaction")
RECORDS = {"journeys": "journey", "customers": "customer", "cases": "case"}
KEYS = {"journeys": ["journey_id"], "customers": ["customer_id"], "cases": ["case_id", "customer_id"]}
UNKNOWN = "stay.not_in_the_catalogue"


def _touchpoints() -> list[str]:
    """One of each milestone and case role, one that states a preference, a plain and an unknown one."""
    by_meaning = {(point.milestone, point.case_role): point.name for point in catalogue.load().values()}
    return sorted({*by_meaning.values(), "stay.prayer_mat_requested", "booking.page_viewed", UNKNOWN})


ONE, OTHER, LOYALTY = ("customer", "1"), ("customer", "2:3"), ("loyalty", "L")
MAIL, MAIL_2, DEVICE, PASSPORT = ("email_sha256", "e"), ("email_sha256", "f"), ("device", "d"), ("passport", "p")
WAYS: list[list[tuple[str, str]]] = [
    *([], [], [], [ONE], [ONE], [ONE], [OTHER], [LOYALTY], [MAIL], [MAIL_2], [DEVICE], [PASSPORT]),
    *([ONE, LOYALTY], [ONE, MAIL], [LOYALTY, MAIL], [OTHER, MAIL_2], [MAIL, DEVICE], [MAIL_2, DEVICE]),
    *([OTHER, LOYALTY], [OTHER, MAIL], [PASSPORT, DEVICE, MAIL], [ONE, DEVICE], [OTHER, ONE]),
]
"""How an event names its customer."""
EVENT: dict[str, list[Any]] = {
    "ids": WAYS,
    # On the edges of thirty days, and often at the same instant.
    "at": [day * DAY_MS + ms for day in (0, 0, 1, 29, 30, 31, 60, 61, 90, 130) for ms in (0, 0, 1)],
    "booking_ref": [None, None, "R1", "R2", "R/3"],
    "touchpoint": _touchpoints(),
    "channel": list(CHANNELS),
    "score": [None, None, -1.0, -0.5, 0.0, 0.333333, 1.0],
    "score_weight": [1.0, 0.3, 0.123456, 0.0],
    "survey": [None, ("nps", 9.0), ("nps", 0.0), ("csat", 4.0), ("csat", 1.0), ("ces", 6.5), ("stars", 1.0)],
    "money": [None, None, (1250, "SAR"), (-300, "SAR"), (99, "IDR")],
    "case_id": [None, None, "c1", "c2"],
    "unit": [None, "HTL-1", "XY123"],
    "locale": [None, None, "en-GB", "EN", "ar", "msa", "1x"],
    "meal_plan": [None, None, "HB", "BB"],
    "room_type": [None, None, "suite"],
}
"""What an event may say, field by field; of some fields not what the record holds (see `interaction`)."""
SAID = st.fixed_dictionaries({field: st.sampled_from(values) for field, values in EVENT.items()})


def interaction(number: int, said: dict[str, Any]) -> dict[str, Any]:
    """An interaction, as a row of its frame form but for the subject. The first half of its id is its number."""
    kinds = said["ids"] or ([] if said["booking_ref"] else [("device", "nobody")])
    return {
        **dict.fromkeys(INTERACTION),
        **{name: value for name, value in said.items() if name in INTERACTION},
        "event_id": f"{number:08x}-0000-4000-8000-{7 * number:012x}",
        "occurred_at": START_MS + said["at"],
        "ids": [{"kind": kind, "value": value} for kind, value in kinds],
        "score_weight": None if said["score"] is None else said["score_weight"],
        "survey": said["survey"] and dict(zip(("instrument", "score"), said["survey"], strict=True)),
        "money": said["money"] and dict(zip(("amount_minor", "currency"), said["money"], strict=True)),
        "medium": "web",
        "conflict": False,
        "attributes": [],
        "aspects": [],
        "aspect_ratings": [],
    }


def log_of(said: list[dict[str, Any]]) -> pl.DataFrame:
    """The interactions as enrich writes them, with their subjects."""
    frame = pl.DataFrame(said, schema=INTERACTION)
    return frame.with_columns(subjects_and_links(frame)[0])


def worked(log: pl.DataFrame, rng: Random) -> World:
    """What the workers make of the log, in batches of random size that overtake one another at random."""
    world, resolver, events = World(), Resolver(), Events()
    at, heard, told = 0, 0, 0
    links: list[tuple[str, str, int]] = []
    read: list[tuple[str, str, int]] = []
    news: list[tuple[str, str, int]] = []
    while (
        at < log.height or heard < log.height or len(read) < len(links)
        or told < len(news) or world.parts_read < len(world.parts)
    ):  # fmt: skip
        choice, size = rng.randrange(5), rng.randrange(1, 6)
        if choice == 0:
            batch = log[at : at + size]
            offsets = range(at, at + batch.height)
            world.run(fold_interactions, events.by_subject(batch, batch["subject"].to_list(), offsets), False)
            at += batch.height
        elif choice == 1:
            batch = log[heard : heard + size]
            links += subjects_and_links(batch)[1].iter_rows()
            heard += batch.height
        elif choice == 2:
            fresh = links[len(read) : len(read) + size]
            resolver.take(fresh, range(len(read), len(read) + len(fresh)))
            read += fresh
            news += [(change.identifier, change.root, len(read)) for change in resolver.changes]
            resolver.settled()
        elif choice == 3:
            said: dict[str, list[tuple[int, str, int]]] = {}
            for offset, (identifier, root, version) in enumerate(news[told : told + size], start=told):
                said.setdefault(identifier, []).append((offset, root, version))
            told = min(told + size, len(news))
            world.run(fold_identities, said, False)
        else:
            world.deliver_parts(size, False)
    return world


def published(world: World, table: str) -> pl.DataFrame:
    """What the exact view of a table would show of the published records."""
    record = RECORDS[table]
    kept = [row for row in world.tables.get(table, {}).values() if not row[-1]]
    frame = rows.frame(record, kept) if kept else pl.DataFrame(schema=polars_schema(record))
    return frame.drop("version", "withdrawn")


def holds(said: list[dict[str, Any]], rng: Random) -> None:
    """Workers and plain queries agree on a log in which these things are said."""
    numbers = rng.sample(range(1, 1000), len(said))
    sent = [interaction(number, event) for number, event in zip(numbers, said, strict=True)]
    sent += [event for event in sent if rng.random() < 0.2]
    # The same event once more under other names: then it is another subject's, too.
    named = [event["ids"] for event in sent if event["ids"]]
    sent += [{**event, "ids": rng.choice(named)} for event in sent if named and rng.random() < 0.1]
    rng.shuffle(sent)
    log = log_of(sent)
    world, expected = worked(log, rng), recompute(log)
    for table in RECORDS:
        comparison = compare(table, getattr(expected, table), published(world, table), KEYS[table], ["duplicates"])
        assert comparison.differences.rows() == []
    kept = log.unique(["subject", "event_id"]).height
    assert published(world, "customers")["duplicates"].sum() == log.height - kept
    assert expected.interactions.height == expected.journeys["interactions"].sum() == kept


@settings(max_examples=150, deadline=None)
@given(said=st.lists(SAID, min_size=1, max_size=12), seed=st.integers(0, 2**32))
def test_the_workers_publish_what_the_plain_queries_compute(said: list[dict[str, Any]], seed: int) -> None:
    holds(said, Random(seed))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_so_they_do_where_much_comes_together(seed: int) -> None:
    rng = Random(seed)
    event = EVENT | {"ids": rng.sample(WAYS, rng.randrange(1, 8))}
    if rng.random() < 0.4:  # customers without loose events: what changes in them is found in another way
        event |= {"booking_ref": ["R1", "R2", "R/3"]}
    said = [{field: rng.choice(values) for field, values in event.items()} for _ in range(60)]
    holds(said, rng)
