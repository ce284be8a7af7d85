"""What batches say of preferences: the rules of the file, held to the plain queries of `streams.verify`."""

from __future__ import annotations

import uuid

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import polars_schema
from streams.model import catalogue
from streams.model.preferences import load
from streams.stitch.preferences import Preferences
from streams.verify.customers import _preferences

SCHEMA = {name: polars_schema("interaction")[name] for name in ("event_id", "occurred_at", "touchpoint", "locale")}
SCHEMA |= {name: polars_schema("interaction")[name] for name in ("meal_plan", "room_type", "attributes")}
VALUES = [*{rule.match for rule in load()}, "halal", " Halal ", "MOML", "moml", "yes", "no", "", "Wheelchair"]
NAMES = [*{rule.name for rule in load() if rule.source == "attribute"}, "trip"]
EVENT = st.fixed_dictionaries(
    {
        "touchpoint": st.sampled_from([rule.name for rule in load() if rule.source == "touchpoint"] + ["stay.arrived"]),
        "locale": st.sampled_from([None, "ar-SA", "EN", "1x"]),
        "meal_plan": st.sampled_from([None, "HB"]),
        "room_type": st.sampled_from([None, "suite"]),
        "attributes": st.lists(
            st.fixed_dictionaries({"key": st.sampled_from(NAMES), "value": st.sampled_from(VALUES)}), max_size=4
        ),
        "occurred_at": st.integers(1, 3),
    }
)


def frame(*events: dict[str, object]) -> pl.DataFrame:
    rows = [
        {"touchpoint": "stay.arrived", "attributes": [], "occurred_at": 1, **event, "event_id": str(uuid.UUID(int=at))}
        for at, event in enumerate(events)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def attributes(**given: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def test_every_rule_says_something_once() -> None:
    """Each touchpoint is catalogued, each field is one, each attribute is found; a key once an event."""
    for rule in load():
        value = rule.match or "Some"
        match rule.source:
            case "touchpoint":
                assert rule.name in catalogue.load()
                event: dict[str, object] = {"touchpoint": rule.name}
            case "field":
                event = {rule.name: "ar-SA"}
            case _:
                assert rule.source == "attribute"
                event = {"attributes": attributes(**{rule.name: value})}
        expected = {"*": "some" if rule.source == "attribute" else "ar-SA", "language": "ar"}.get(
            rule.value, rule.value
        )
        found = dict(Preferences().stated(frame(event))[0])
        assert rule.doc
        assert found == {rule.key: expected}


def test_what_was_said_stands_before_what_was_done() -> None:
    stated = Preferences().stated
    asked = {"touchpoint": "booking.halal_meal_requested", "locale": "en-GB"}
    assert stated(frame(asked)) == [(("language", "en"), ("diet", "halal"))]
    said = attributes(special_meal="moml", dietary="vegan", preferred_language=" AR ")
    assert dict(stated(frame({**asked, "attributes": said}))[0]) == {"language": "ar", "diet": "vegan"}
    assert stated(frame({}, {"attributes": attributes(prayer="room", diet=" ", other="x")})) == [(), ()]


@settings(deadline=None)
@given(events=st.lists(EVENT, min_size=1, max_size=8))
def test_as_the_plain_queries_have_it(events: list[dict[str, object]]) -> None:
    log = frame(*events)
    known: dict[str, tuple[tuple[int, str], str, int]] = {}
    order = zip(log["occurred_at"].to_list(), log["event_id"].to_list(), strict=True)
    for at, pairs in zip(order, Preferences().stated(log), strict=True):
        assert len({key for key, _ in pairs}) == len(pairs)
        for key, value in pairs:
            _, _, evidence = known.get(key, ((0, ""), "", 0))
            latest = max([(at, value), *([known[key][:2]] if key in known else [])])
            known[key] = (*latest, evidence + 1)
    expected = _preferences(log.with_columns(customer_id=pl.lit("c")), load())["preferences"].to_list()
    assert [
        {"key": key, "value": value, "evidence": evidence, "last_at": at[0]}
        for key, (at, value, evidence) in sorted(known.items())
    ] == (expected[0] if expected else [])
