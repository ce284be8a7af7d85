"""What enrich made of events under one model becomes what it makes of them under another, without the events."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import CHANNELS, polars_schema
from schemas.registry import LocalRegistry
from streams.enrich.transform import Enricher
from streams.model.company import Model, built_in, load
from streams.restore.as_sent import Written, as_sent
from streams.sources.events import conform

REGISTRY = LocalRegistry()
NOW = 1_700_000_000_000
HEAD = "name,channel,milestone,prior,effort,case_role,aspect,doc\n"
BRANDS = """
default_brand = "{default}"
[[kind]]
name = "customer"
limit = 1
scope = "brand"
[[kind]]
name = "loyalty"
{scope}
[[brand]]
name = "noor"
units = ["MAK-*"]
[[brand]]
name = "safa"
units = ["JED-*", "{units}"]
"""


def model(folder: Path, default: str, units: str, prior: float, low: int, scope: str = "") -> Model:
    folder.mkdir(parents=True)
    (folder / "identifiers.toml").write_text(BRANDS.format(default=default, units=units, scope=scope), "utf-8")
    (folder / "touchpoints.csv").write_text(HEAD + f"stay.noise_reported,stay,,{prior},1,,spa,Noise\n", "utf-8")
    (folder / "aspects.csv").write_text(f"name,parent,language,words,doc\nspa,,en,pool{low},Water\n", "utf-8")
    scale = f'[[scale]]\nname = "smileys"\ninstrument = "csat"\nlow = {low}\nhigh = 3\n'
    (folder / "scales.toml").write_text(scale, "utf-8")
    return load(str(folder))


def event(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"6f3c2a52-3d0e-4f6c-9a0f-{number:012x}",
        "occurred_at": NOW - number,
        "touchpoint": "stay.noise_reported",
        "medium": "web",
        **fields,
    }


def pairs(**said: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in said.items()]


EVENTS = st.fixed_dictionaries(
    {
        "unit": st.sampled_from([None, "MAK-1", "JED-1", "LON-1"]),
        "ids": st.lists(
            st.builds(
                lambda kind, value: {"kind": kind, "value": value},
                st.sampled_from(["customer", "loyalty", "device"]),
                st.sampled_from(["A1", "B2", "gold/A1"]),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda one: one["kind"],
        ),
        "survey": st.sampled_from([None, {"instrument": "csat", "score": 2.0}, {"instrument": "csat", "score": 3.0}]),
        "attributes": st.sampled_from([[], pairs(scale="smileys"), pairs(brand="safa"), pairs(x="1", scale="other")]),
        "text": st.sampled_from([None, "The pool1 was dirty", "pool2 lovely and clean", ""]),
    }
)


@cache
def enricher(by: Model) -> Enricher:
    return Enricher(REGISTRY, nobody=by.nobody(), model=by)


@cache
def encoder(channel: str) -> BatchEncoder:
    return BatchEncoder(channel, REGISTRY)


def interactions(by: Model, frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """What enrich makes of events, in the order of their ids."""
    values = {channel: encoder(channel).encode(frame) for channel, frame in frames.items()}
    enriched = enricher(by).enrich(values, NOW)
    assert enriched.refused == []
    made = BatchDecoder("interaction", REGISTRY).decode(enriched.values).frame
    return made.with_columns(pl.col("attributes").list.sort()).sort("event_id")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    folder = tmp_path_factory.mktemp("models")
    return [
        model(folder / "one", "noor", "LON-*", -0.5, 1),
        model(folder / "other", "safa", "ROM-*", 0.75, 2, 'scope = "brand"'),
    ]


@settings(max_examples=60, deadline=None)
@given(said=st.lists(EVENTS, min_size=1, max_size=6))
def test_as_if_the_other_model_had_held_from_the_start(said: list[dict[str, Any]], models: list[Model]) -> None:
    events = {channel: pl.DataFrame(schema=polars_schema(channel)) for channel in CHANNELS}
    events["stay"] = conform("stay", pl.DataFrame([event(n, **one) for n, one in enumerate(said)], strict=False))
    for before, after in (models, models[::-1], (models[0], models[0])):
        made = interactions(before, events)
        again = as_sent(made, Written.under([built_in().meaning, before.meaning]), after.scales)
        assert_frame_equal(interactions(after, again), interactions(after, events))


def test_an_answer_stays_on_the_instrument_where_its_scale_is_gone(tmp_path: Path) -> None:
    before = model(tmp_path / "one", "noor", "LON-*", -0.5, 1)
    survey = {"instrument": "csat", "score": 2.0}
    some = event(1, ids=[{"kind": "customer", "value": "A"}], survey=survey, attributes=pairs(scale="smileys"))
    made = interactions(before, {"stay": conform("stay", pl.DataFrame([some], strict=False))})
    again = interactions(built_in(), as_sent(made, Written.under([before.meaning]), {}))
    assert again["survey"].to_list() == [{"instrument": "csat", "score": 3.0}]
    assert again["ids"].to_list() == [[{"kind": "customer", "value": "A"}]]
