"""The record schemas: what every topic is promised to hold."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from fastavro import parse_schema

from schemas import records


def nodes(type_: Any) -> list[dict[str, Any]]:
    """Every record within a type, itself included."""
    if isinstance(type_, list):
        return [node for branch in type_ for node in nodes(branch)]
    if not isinstance(type_, dict):
        return []
    inner = [node for field in type_.get("fields", []) for node in nodes(field["type"])] + nodes(type_.get("items"))
    return [type_, *inner] if type_["type"] == "record" else inner


@pytest.mark.parametrize("name", records.NAMES)
def test_every_record_and_field_says_what_it_is(name: str) -> None:
    for node in nodes(records.inlined(name)):
        assert node["doc"], node["name"]
        for field in node["fields"]:
            assert field["doc"].endswith("."), f"{node['name']}.{field['name']}"


@pytest.mark.parametrize("name", records.NAMES)
def test_what_may_be_null_or_empty_is_so_by_default(name: str) -> None:
    for field in records.inlined(name)["fields"]:
        if isinstance(field["type"], list):
            assert field["type"][0] == "null"
            assert field["default"] is None
        elif isinstance(field["type"], dict) and field["type"]["type"] == "array":
            assert field["default"] == []


@pytest.mark.parametrize("name", records.NAMES)
def test_the_frame_form_uses_no_other_types_than_it_says(name: str) -> None:
    frame = records.empty(name)
    assert tuple(frame.columns) == records.fields(name)
    flat = str(list(frame.schema.values()))
    assert not [word for word in ("Datetime", "Categorical", "Enum", "Int32", "Float32", "Object") if word in flat]


@pytest.mark.parametrize("name", [*records.CHANNELS, "interaction"])
def test_channels_begin_with_the_interaction(name: str) -> None:
    assert records.fields(name)[:15] == records.INTERACTION_FIELDS
    for field in records.INTERACTION_FIELDS:
        assert records.polars_schema(name)[field] == records.polars_schema("booking")[field]


def test_the_interaction_has_every_field_of_every_channel() -> None:
    interaction = records.polars_schema("interaction")
    for channel in records.CHANNELS:
        assert records.polars_schema(channel).items() <= interaction.items()


def test_frame_types() -> None:
    types = records.polars_schema("interaction")
    assert types["occurred_at"] == pl.Int64
    assert types["medium"] == pl.String
    assert types["ids"] == pl.List(pl.Struct({"kind": pl.String, "value": pl.String}))
    assert types["survey"] == pl.Struct({"instrument": pl.String, "score": pl.Float64})
    assert records.polars_schema("part")["state"] == pl.Binary
    assert records.polars_schema("journey")["withdrawn"] == pl.Boolean


@pytest.mark.parametrize("type_", [["null", "string", "long"], {"type": "map", "values": "long"}, ["null"]])
def test_what_has_no_frame_form_says_so(type_: Any) -> None:
    with pytest.raises(TypeError):
        records.frame_type(type_)


def test_a_reference_becomes_the_definition() -> None:
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "long"}]}
    outer = {
        "type": "record",
        "name": "Outer",
        "fields": [{"name": "a", "type": inner}, {"name": "b", "type": "Inner"}],
    }
    inlined = records.inline(parse_schema(outer))
    assert inlined["fields"][0]["type"] == inlined["fields"][1]["type"]


def test_a_type_inside_itself_cannot_be_inlined() -> None:
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "child", "type": ["null", "Tree"]}]}
    with pytest.raises(ValueError, match="Tree contains itself"):
        records.inline(parse_schema(tree))


def test_an_unknown_record_is_named_with_those_there_are() -> None:
    with pytest.raises(KeyError, match=r"no schema 'hotel'.*booking"):
        records.schema("hotel")
