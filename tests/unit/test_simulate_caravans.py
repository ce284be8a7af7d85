"""Simulated caravans: what they say can be read, and the truth beside them is theirs."""

from __future__ import annotations

from typing import Any

import pytest

from streams.model import catalogue
from streams.sources import simulate
from streams.sources.simulate import Options
from streams.sources.simulate.caravans import KINDS, caravans


def test_caravans_come_beside_the_others_and_change_nothing_of_them() -> None:
    plain: list[dict[str, Any]] = []
    truth: list[dict[str, Any]] = []
    without = {event["event_id"] for event in simulate.simulate(Options(customers=20, duplicates=0), plain.append)}
    events = list(simulate.simulate(Options(customers=20, duplicates=0, caravans=2), truth.append))
    assert without < {event["event_id"] for event in events}
    told = [record for record in truth if record["record"] == "caravan"]
    assert len(told) == truth[-1]["caravans"] == 2
    assert [one for one in truth if one["record"] not in ("caravan", "summary")] == plain[:-1]
    groups = {one["value"] for event in events for one in event["ids"] if one["kind"] == "group"}
    assert groups == {record["group"] for record in told}
    known = catalogue.load()
    assert {event["touchpoint"] for event in events} <= known.keys()
    for record in told:
        members = {
            event["ids"][0]["value"]
            for event in events
            if event["touchpoint"] == "booking.group_joined" and event["ids"][1]["value"] == record["group"]
        }
        assert len(members) == record["pilgrims"]


def test_some_have_a_culprit_of_each_kind_and_some_have_none() -> None:
    truth: list[dict[str, Any]] = []
    for events in caravans(Options(caravans=12, seed=4), truth.append):
        assert events
    assert {record["culprit"] for record in truth} == {None, *KINDS}
    for record in truth:
        assert (record["culprit"] is None) == (record["effect"] == 0) == (record["name"] is None)


def test_fewer_than_none_is_refused() -> None:
    with pytest.raises(ValueError, match="caravans"):
        Options(caravans=-1)
