"""Two ways to the same tables: the workers' cores, message by message, and the plain queries of `streams.verify`.

Everything is real but Kafka: links are made of the events' identifiers, the resolver turns them into news of roots, and
stitch folds events, news and parts in batches of random size and order, with duplicates. What is then published has to
be, row by row and column by column, what the plain queries make of the whole set at once.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import CHANNELS, polars_schema
from streams.model import catalogue
from streams.model.brands import Brands
from streams.model.company import built_in
from streams.verify import owners
from streams.verify.compare import compare
from streams.verify.next_actions import KEY
from streams.verify.recompute import recompute
from streams.verify.store import SAID
from streams.verify.verify import KEYS
from tests.properties.test_stitch_fold import GUESTS, World
from tests.support.plain_workers import DAY_MS, RECORDS, Workers, interaction, log_of

BRANDS = Brands(
    {"noor": ("HTL-*",), "safa": ()}, default="noor", care={"noor": "CARE-NOOR", "safa": "CARE-SAFA", None: "CARE"}
)
MODEL = replace(built_in(), guests=GUESTS, brands=BRANDS)
UNKNOWN = "stay.not_in_the_catalogue"
KEYS_ = {**KEYS, "next_actions": KEY}
IGNORED = {"customers": ("duplicates",), "cases": SAID}
"""How often events came again is in the record, and no function of the set of events; who has to act on a case is
compared by itself (streams.verify.owners)."""


def _touchpoints() -> list[str]:
    """One of each milestone and case role, one that states a preference, those by which next actions end, consent,
    a plain and an unknown one."""
    by_meaning = {(point.milestone, point.case_role): point.name for point in catalogue.load().values()}
    return sorted(
        {
            *by_meaning.values(),
            "stay.prayer_mat_requested",
            "stay.halal_meal_served",
            "booking.page_viewed",
            UNKNOWN,
            "post_travel.improvement_told",
            "post_travel.referral_made",
            "stay.consent_given",
            "booking.consent_withdrawn",
        }
    )


def attributes(*given: str) -> list[dict[str, str]]:
    """Attributes of an interaction, from keys and values in turn."""
    return [{"key": key, "value": value} for key, value in zip(given[::2], given[1::2], strict=True)]


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
    "after": [day * DAY_MS + ms for day in (0, 0, 1, 29, 30, 31, 60, 61, 90, 130) for ms in (0, 0, 1)],
    "booking_ref": [None, None, "R1", "R2", "R/3"],
    "touchpoint": _touchpoints(),
    "channel": list(CHANNELS),
    "score": [None, None, -1.0, -0.5, 0.0, 0.333333, 1.0],
    "score_weight": [1.0, 0.3, 0.123456, 0.0],
    "survey": [None, ("nps", 9.0), ("nps", 0.0), ("csat", 4.0), ("csat", 1.0), ("ces", 6.5), ("stars", 1.0)],
    "money": [None, None, (1250, "SAR"), (-300, "SAR"), (99, "IDR")],
    "case_id": [None, None, "c1", "c2"],
    "unit": [None, None, "HTL-1", "XY123"],
    "arrival_date": [None, None, "2023-11-14", "2023-12-20", "2024-03-01", "2024-02-30"],
    "locale": [None, None, "en-GB", "EN", "ar", "msa", "1x"],
    "meal_plan": [None, None, "HB", "BB"],
    "room_type": [None, None, "suite"],
    "attributes": [[], [], attributes("diet", "Vegan "), attributes("special_meal", "moml", "dietary", ""),
                   attributes("trip", "x", "preferred_language", "id", "diet", "halal"), attributes("brand", " Safa"),
                   attributes("brand", "none of them", "diet", "Vegan ", "brand", "safa")],
}  # fmt: skip
"""What an event may say, as `interaction` takes it."""
SAID = st.fixed_dictionaries({field: st.sampled_from(values) for field, values in EVENT.items()})


def _event(number: int, said: dict[str, Any]) -> dict[str, Any]:
    """An interaction that says this; one that would name nothing names a device."""
    nameless = not said["ids"] and said["booking_ref"] is None
    weight = None if said["score"] is None else said["score_weight"]
    return interaction(
        number, **{**said, "ids": [("device", "nobody")] if nameless else said["ids"], "score_weight": weight}
    )


GROUP, OTHER_GROUP = ("group", "G"), ("group", "H")
JOINING = [
    *(attributes(), attributes(), attributes("bus", "1"), attributes("bus", "2", "guide", "x")),
    *(attributes("valid_from", "2023-11-15"), attributes("valid_until", "2024-01-14T22:13:20Z", "bus", "1")),
    attributes("valid_from", "2023-12-15T01:13:20.000+03:00", "valid_until", " 2024-02-30", "bus", "1"),
]
OF_GROUPS: tuple[tuple[dict[str, list[Any]], int], ...] = (
    ({"ids": [[GROUP], [GROUP], [GROUP, OTHER_GROUP], [OTHER_GROUP]], "touchpoint": ["stay.bus_late", "stay.arrived",
      "stay.prayer_mat_requested", "stay.complaint_made"], "attributes": [attributes(), attributes("bus", "1"),
      attributes("brand", "Safa")]}, 4),
    ({"ids": [[*way, group] for way in WAYS if way for group in (GROUP, GROUP, OTHER_GROUP)],
      "touchpoint": ["booking.group_joined"], "attributes": JOINING}, 5),
    ({"ids": [[*way, GROUP] for way in WAYS if way], "touchpoint": ["booking.group_left", "booking.group_withdrawn"],
      "attributes": JOINING}, 1),
    ({}, 4),
)  # fmt: skip
"""What events are of groups, and how often: what happens in one, who joins, who leaves; the rest is of others."""


def holds(said: list[dict[str, Any]], rng: Random, *, alone: bool = True) -> None:
    """Workers and plain queries agree on a log in which these things are said. alone: nothing of groups."""
    numbers = rng.sample(range(1, 1000), len(said))
    sent = [_event(number, event) for number, event in zip(numbers, said, strict=True)]
    sent += [event for event in sent if rng.random() < 0.2]
    # The same event once more under other names: then it is another subject's, too.
    named = [event["ids"] for event in sent if event["ids"]]
    sent += [{**event, "ids": rng.choice(named)} for event in sent if named and rng.random() < 0.1]
    rng.shuffle(sent)
    log = log_of(sent)
    workers = Workers(World(guests=GUESTS, brands=BRANDS))
    workers.work(log, rng)
    expected = recompute(log, model=MODEL)
    for table in RECORDS:
        found = workers.exact(table)
        comparison = compare(table, getattr(expected, table), found, KEYS_[table], IGNORED.get(table, ()))
        assert comparison.differences.rows() == []
    wanted = owners.of_cases(log, expected, MODEL)
    found = workers.exact("cases").select(wanted.columns)
    assert compare(owners.CASES, wanted, found, KEYS_["cases"]).differences.rows() == []
    moves = pl.DataFrame(workers.world.moves, polars_schema("move"), orient="row").unique("move_id", keep="last")
    moves = moves.with_columns(same_model=pl.lit(True)).select(*owners.FOUND)
    assert compare(owners.MOVES, *owners.of_moves(moves, log, expected, MODEL), ("move_id",)).differences.rows() == []
    kept = log.unique(["subject", "event_id"]).height
    assert expected.interactions.height == kept
    if alone:
        assert workers.exact("customers")["duplicates"].sum() == log.height - kept
        assert expected.journeys["interactions"].sum() == kept
    _same_people(expected.identities, workers.records("identities"))


def _same_people(expected: pl.DataFrame, told: pl.DataFrame) -> None:
    """What identity told is what is expected of everybody who was ever linked; the others are their own customers."""
    columns = ["kind", "value", "customer_id", "shared"]
    rest = expected.join(told, on=["kind", "value"], how="anti")
    assert told.select(columns).join(expected, on=columns, how="anti").rows() == []
    assert [row for row in rest.rows() if row[2] not in (row[1], f"{row[0]}:{row[1]}")] == []


CONSENT: dict[str, list[Any]] = {
    "touchpoint": [f"{channel}.consent_{what}" for channel in CHANNELS for what in ("given", "given", "withdrawn")],
    "attributes": [
        attributes(*purpose, *channel, *source)
        for purpose in ((), ("purpose", " Survey"), ("purpose", "marketing"), ("purpose", "*"))
        for channel in ((), ("channel", "EMAIL "), ("channel", "sms"), ("channel", "email", "channel", "é" * 50))
        for source in ((), ("source", "form"), ("source", " the front desk, " * 5))
    ],
}
"""What is said of consent."""


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_so_they_do_of_consent(seed: int) -> None:
    rng = Random(seed)
    about = EVENT | {"ids": rng.sample(WAYS, rng.randrange(2, 8))}
    said = []
    for _ in range(rng.randrange(2, 40)):
        event = about | CONSENT if rng.random() < 0.6 else about
        said.append({field: rng.choice(values) for field, values in event.items()})
    holds(said, rng)


@settings(max_examples=75, deadline=None)
@given(said=st.lists(SAID, min_size=1, max_size=12), seed=st.integers(0, 2**32))
def test_the_workers_publish_what_the_plain_queries_compute(said: list[dict[str, Any]], seed: int) -> None:
    holds(said, Random(seed))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_so_they_do_where_much_comes_together(seed: int) -> None:
    rng = Random(seed)
    event = EVENT | {"ids": rng.sample(WAYS, rng.randrange(1, 8))}
    if rng.random() < 0.4:  # customers without loose events: what changes in them is found in another way
        event |= {"booking_ref": ["R1", "R2", "R/3"]}
    said = [{field: rng.choice(values) for field, values in event.items()} for _ in range(60)]
    holds(said, rng)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_so_they_do_with_groups(seed: int) -> None:
    rng = Random(seed)
    ways = rng.sample(WAYS, rng.randrange(2, 8))
    said = []
    for _ in range(rng.randrange(4, 50)):
        special, _ = rng.choices(OF_GROUPS, [often for _, often in OF_GROUPS])[0]
        event = EVENT | {"ids": ways} | special
        said.append({field: rng.choice(values) for field, values in event.items()})
    holds(said, rng, alone=False)
