"""Keeps schema changes readable: a new version must read whatever a released version has written (BACKWARD).

    python -m schemas.compatibility             check avro/*.avsc against every version in avro/released/;
                                                exit status 1 if one of them cannot be read
    python -m schemas.compatibility --release   and, if all can, put versions not yet released there, with an id each

The rules are those of the Avro specification, "Schema resolution", and one more: what a number means (a time, or just a
number) does not change.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import click
from fastavro.schema import parse_schema

from schemas import records
from schemas.fingerprint import crc64
from schemas.records import Schema

_PROMOTIONS: Final = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}


def problems(writer: Schema, reader: Schema) -> list[str]:
    """Why a reader's schema cannot read everything that a writer's schema writes; empty where it can.

    Both are schemas parsed by fastavro; the first part of each sentence is the path of the field.
    """
    return _problems(records.inline(writer), records.inline(reader), "")


def _problems(writer: Schema, reader: Schema, path: str) -> list[str]:
    if isinstance(writer, list):
        return [problem for branch in writer for problem in _problems(branch, reader, path)]
    if isinstance(reader, list):
        if any(not _problems(writer, branch, path) for branch in reader):
            return []
        same = [branch for branch in reader if _kind(branch) == _kind(writer)]
        return _problems(writer, same[0], path) if same else [_say(path, f"{_kind(writer)} is no longer allowed")]
    written, read = _kind(writer), _kind(reader)
    if written != read:
        if read in _PROMOTIONS.get(written, ()):
            return []
        return [_say(path, f"was {written} and is {read}")]
    if _logical(writer) != _logical(reader):
        return [_say(path, f"meant {_logical(writer)} and means {_logical(reader)}")]
    if written in ("record", "enum", "fixed") and not _same_name(writer, reader):
        return [_say(path, f"was called {writer['name']} and is called {reader['name']}, without alias")]
    if written == "record":
        return _record_problems(writer, reader, path)
    if written == "array":
        return _problems(writer["items"], reader["items"], f"{path}[]")
    if written == "map":
        return _problems(writer["values"], reader["values"], f"{path}{{}}")
    if written == "enum":
        gone = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
        if gone and "default" not in reader:
            return [_say(path, f"has lost {', '.join(gone)}, without default")]
    if written == "fixed" and writer["size"] != reader["size"]:
        return [_say(path, f"was {writer['size']} bytes long and is {reader['size']}")]
    return []


def _record_problems(writer: dict[str, Any], reader: dict[str, Any], path: str) -> list[str]:
    found = []
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        here = f"{path}.{field['name']}" if path else field["name"]
        source = next((written[name] for name in (field["name"], *field.get("aliases", ())) if name in written), None)
        if source is not None:
            found += _problems(source["type"], field["type"], here)
        elif "default" not in field:
            found.append(_say(here, "is new and has no default"))
    return found


def _kind(type_: Schema) -> str:
    kind = type_["type"] if isinstance(type_, dict) else type_
    return _kind(kind) if isinstance(kind, dict) else str(kind)


def _logical(type_: Schema) -> str:
    """What a type means beyond its encoding."""
    return str(type_.get("logicalType", type_["type"])) if isinstance(type_, dict) else str(type_)


def _same_name(writer: dict[str, Any], reader: dict[str, Any]) -> bool:
    """Names are equal without namespace, or the reader gives the writer's as an alias."""
    names = {name.rpartition(".")[2] for name in (reader["name"], *reader.get("aliases", ()))}
    return writer["name"].rpartition(".")[2] in names


def _say(path: str, what: str) -> str:
    return f"{path or 'the schema'} {what}"


def check(directory: Path = records.AVRO_DIR) -> list[str]:
    """What the schemas of `directory` cannot read of their released versions, one sentence each."""
    found = []
    for stem, released in sorted(_read(directory / "released").items()):
        name = stem.rpartition("-")[0]
        current = _read(directory).get(name)
        if current is None:
            found.append(f"{name}.avsc is gone, but released/{stem}.avsc is there")
            continue
        found += [
            f"{name}.avsc cannot read {stem}: {problem}"
            for problem in problems(parse_schema(released), parse_schema(current))
        ]
    return found


def release(directory: Path = records.AVRO_DIR) -> list[str]:
    """Copy each schema that is not among its released versions there, and give it the next id; the stems copied."""
    folder, ids_file = directory / "released", directory / "ids.json"
    folder.mkdir(exist_ok=True)
    ids: dict[str, int] = json.loads(ids_file.read_text(encoding="utf-8")) if ids_file.exists() else {}
    copied = []
    for name, current in sorted(_read(directory).items()):
        versions = {
            int(stem.rpartition("-")[2]): schema
            for stem, schema in _read(folder).items()
            if stem.rpartition("-")[0] == name
        }
        latest = max(versions, default=0)
        if latest and versions[latest] == current:
            continue
        stem = f"{name}-{latest + 1}"
        # a change of docs or defaults leaves the encoding alone, and one encoding has one id
        same = next((v for v, schema in versions.items() if crc64(schema) == crc64(current)), None)
        ids[stem] = ids[f"{name}-{same}"] if same else max(ids.values(), default=0) + 1
        (folder / f"{stem}.avsc").write_bytes((directory / f"{name}.avsc").read_bytes())
        copied.append(stem)
    ids_file.write_text(json.dumps(ids, indent=2) + "\n", encoding="utf-8")
    return copied


def _read(directory: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in directory.glob("*.avsc")}


@click.command()
@click.option("--release", "releasing", is_flag=True, help="Put versions not yet released into avro/released/.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=records.AVRO_DIR,
    help="Folder of the .avsc files.",
)
def main(releasing: bool, directory: Path) -> None:
    """Refuse a schema change that could not read what is already written."""
    found = check(directory)
    for problem in found:
        click.echo(problem, err=True)
    if found:
        sys.exit(1)
    if releasing:
        for stem in release(directory):
            click.echo(f"released {stem}")


if __name__ == "__main__":
    main()
