"""Which changes of a schema are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastavro import parse_schema

from schemas import compatibility, records
from schemas.registry import LocalRegistry
from schemas.wire import CONFLUENT, parse


def record(*fields: Any, **more: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = parse_schema({"type": "record", "name": "R", "fields": list(fields)} | more)
    return parsed


def field(type_: Any, name: str = "x", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_} | more


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols)} | more


MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
INNER = {"type": "record", "name": "Inner", "fields": [field("long", "a")]}
NEW_INNER = {"type": "record", "name": "Inner", "fields": [field("long", "a"), field("string", "b")]}
FIXED = {"type": "fixed", "name": "F", "size": 2}


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        (record(field("long")), record(field("long"), field("string", "y", default=""))),
        (record(field("long"), field("string", "y")), record(field("long"))),
        (record(field("long"), field("string", "y")), record(field("string", "y"), field("long"))),
        (record(field("int")), record(field("double"))),
        (record(field("string")), record(field("bytes"))),
        (record(field("long")), record(field(["null", "long"], default=None))),
        (record(field(["null", "long"])), record(field(["string", "double", "null"]))),
        (record(field(enum("a"))), record(field(enum("b", "a")))),
        (record(field(enum("a", "b"))), record(field(enum("a", default="a")))),
        (record(field("long", "old")), record(field("long", "new", aliases=["old"]))),
        (record(), record(name="S", aliases=["R"])),
        (record(namespace="one"), record(namespace="another")),
        (record(field({"type": "array", "items": INNER})), record(field({"type": "array", "items": INNER}))),
        (record(field(INNER), field("Inner", "y")), record(field(INNER), field(["null", "Inner"], "y"))),
        (record(field({"type": "map", "values": "int"})), record(field({"type": "map", "values": "long"}))),
        (record(field(FIXED)), record(field(FIXED))),
    ],
)
def test_changes_that_can_be_read(writer: Any, reader: Any) -> None:
    assert compatibility.problems(writer, reader) == []


@pytest.mark.parametrize(
    ("writer", "reader", "problem"),
    [
        (record(), record(field("string")), "x is new and has no default"),
        (record(field("long")), record(field("int")), "x was long and is int"),
        (record(field("long")), record(field("string")), "x was long and is string"),
        (record(field(["null", "long"])), record(field("long")), "x was null and is long"),
        (record(field(["long", "string"])), record(field(["null", "long"])), "x string is no longer allowed"),
        (record(field(enum("a", "b", "c"))), record(field(enum("a"))), "x has lost b, c, without default"),
        (record(field("long", "old")), record(field("long", "new")), "new is new and has no default"),
        (record(), record(name="S"), "the schema was called R and is called S, without alias"),
        (
            record(field({"type": "array", "items": INNER})),
            record(field({"type": "array", "items": NEW_INNER})),
            "x[].b is new and has no default",
        ),
        (record(field(["null", INNER])), record(field(["null", NEW_INNER])), "x.b is new and has no default"),
        (
            record(field({"type": "map", "values": "long"})),
            record(field({"type": "map", "values": "int"})),
            "x{} was long and is int",
        ),
        (record(field(FIXED)), record(field(FIXED | {"size": 3})), "x was 2 bytes long and is 3"),
        (record(field("long")), record(field(MILLIS)), "x meant long and means timestamp-millis"),
    ],
)
def test_changes_that_cannot(writer: Any, reader: Any, problem: str) -> None:
    assert compatibility.problems(writer, reader) == [problem]


def test_the_schemas_in_use_read_all_that_was_released() -> None:
    assert compatibility.check() == []


def test_every_schema_in_use_is_released() -> None:
    registry = LocalRegistry()
    for name in records.NAMES:
        assert (
            registry.writer_schema(parse(registry.header_for(name, CONFLUENT)))["name"] == records.schema(name)["name"]
        )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    copied = tmp_path / "avro"
    shutil.copytree(records.AVRO_DIR, copied)
    return copied


def change(directory: Path, name: str, how: Callable[[dict[str, Any]], None]) -> None:
    path = directory / f"{name}.avsc"
    schema = json.loads(path.read_text())
    how(schema)
    path.write_text(json.dumps(schema))


def run(directory: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(compatibility.main, [*arguments, "--directory", str(directory)])
    return result.exit_code, result.output


def test_the_command_passes_what_is_unchanged_and_releases_nothing(directory: Path) -> None:
    before = (directory / "ids.json").read_text()
    assert run(directory) == (0, "")
    assert run(directory, "--release") == (0, "")
    assert (directory / "ids.json").read_text() == before


def test_the_command_refuses_what_cannot_be_read_and_does_not_release_it(directory: Path) -> None:
    change(directory, "identity", lambda schema: schema["fields"].append(field("string", "source")))
    for arguments in ((), ("--release",)):
        code, output = run(directory, *arguments)
        assert code == 1
        assert output == "identity.avsc cannot read identity-1: source is new and has no default\n"
    assert not (directory / "released" / "identity-2.avsc").exists()


def test_a_schema_must_not_vanish(directory: Path) -> None:
    (directory / "identity.avsc").unlink()
    assert run(directory) == (1, "identity.avsc is gone, but released/identity-1.avsc is there\n")


def test_a_release_has_an_id_of_its_own_unless_only_words_changed(directory: Path) -> None:
    ids = json.loads((directory / "ids.json").read_text())
    change(
        directory, "identity", lambda schema: schema["fields"].append(field(["null", "long"], "count", default=None))
    )
    assert run(directory, "--release") == (0, "released identity-2\n")
    change(directory, "identity", lambda schema: schema.update(doc="Other words."))
    assert run(directory, "--release") == (0, "released identity-3\n")

    new = json.loads((directory / "ids.json").read_text())
    assert new == ids | {"identity-2": max(ids.values()) + 1, "identity-3": max(ids.values()) + 1}
    registry = LocalRegistry(directory)
    assert parse(registry.header_for("identity", CONFLUENT)).id == new["identity-3"]
    assert len(registry.writer_schema(parse(b"\0" + ids["identity-1"].to_bytes(4, "big")))["fields"]) == 6
