"""Where two schemas do not fit each other, in words for a person: the field, how it is written, and how it is read.

The codec's own message holds both schemas whole. Pure.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.records import Schema

LONGEST: Final = 120
"""Characters of a type's description."""
_FITS: Final = {
    "int": ("int", "long", "float", "double"),
    "long": ("long", "float", "double"),
    "float": ("float", "double"),
    "string": ("string", "bytes"),
    "bytes": ("string", "bytes"),
}
"""What a primitive type may be read as (Avro specification, "Schema Resolution")."""


def mismatch(writer: dict[str, Any], reader: dict[str, Any]) -> str | None:
    """The first field, by its path, whose types do not fit: "field ids.kind is written as map, and read as string".
    None where none is found."""
    found = _of(writer, reader, "")
    if found is None:
        return None
    path, written, read = found
    return f"{f'field {path}' if path else 'it'} is written as {described(written)}, and read as {described(read)}"


def described(type_: Schema) -> str:
    """A type in a few words: "null or map of string"."""
    if isinstance(type_, list):
        said = " or ".join(described(branch) for branch in type_)
    elif not isinstance(type_, dict):
        said = str(type_)
    elif isinstance(type_["type"], (dict, list)):
        said = described(type_["type"])
    elif type_["type"] in ("array", "map"):
        said = f"{type_['type']} of {described(type_['items' if type_['type'] == 'array' else 'values'])}"
    elif "name" in type_:
        said = f"{type_['type']} {type_['name']}"
    else:
        said = str(type_["type"])
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 3]}..."


def _of(writer: Schema, reader: Schema, path: str) -> tuple[str, Schema, Schema] | None:
    """(path, written, read) of the first mismatch."""
    whole = path, writer, reader
    if isinstance(writer, list):  # of a union the branch that was written counts: any that fits may have been
        tried = [_of(branch, reader, path) for branch in writer if branch != "null"]
        return None if not tried or None in tried else tried[0] if len(tried) == 1 else whole
    if isinstance(reader, list):
        tried = [_of(writer, branch, path) for branch in reader if branch != "null"]
        return None if None in tried else tried[0] if len(tried) == 1 else whole
    written, read = _kind(writer), _kind(reader)
    if isinstance(writer, str) and isinstance(reader, str):
        return None if writer == reader or reader in _FITS.get(writer, ()) else whole
    if written != read:
        return None if read in _FITS.get(written, ()) else whole
    if not isinstance(writer, dict) or not isinstance(reader, dict):
        return None  # a name that was explained before
    if written in ("array", "map"):
        inside = "items" if written == "array" else "values"
        return _of(writer[inside], reader[inside], path)
    if written in ("record", "error"):
        return _of_records(writer, reader, path)
    if written == "fixed" and writer["size"] != reader["size"]:
        return whole
    return None


def _of_records(writer: dict[str, Any], reader: dict[str, Any], path: str) -> tuple[str, Schema, Schema] | None:
    if writer["name"].rpartition(".")[2] != reader["name"].rpartition(".")[2]:
        return path, writer, reader
    types = {field["name"]: field["type"] for field in writer["fields"]}
    for field in reader["fields"]:
        below = f"{path}.{field['name']}" if path else field["name"]
        names = [name for name in (field["name"], *field.get("aliases", ())) if name in types]
        if not names:
            if "default" not in field:
                return below, "nothing", field["type"]
        elif found := _of(types[names[0]], field["type"], below):
            return found
    return None


def _kind(type_: Schema) -> str:
    if isinstance(type_, dict):
        return _kind(type_["type"])
    return type_ if isinstance(type_, str) else "union"
