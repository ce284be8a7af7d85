"""Schema references: a registry's answer that names other subjects becomes one schema that stands alone.

Registries differ in what a reference's `name` means (Karapace: a label; Confluent, Apicurio, Redpanda: the type's full
name), so names are taken from the schemas themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED: Final = frozenset({"record", "enum", "fixed", "error"})
MOST: Final = 100
"""Schemas that one may refer to, all in all."""

Answer = dict[str, Any]
Fetch = Callable[[str, int], Answer]
"""Subject and version: the registry's answer."""


class UnresolvedError(ValueError):
    """References that no schema can be made of; the message says why."""


def resolved(answer: Answer, fetch: Fetch) -> Answer:
    """The answer with the types that it refers to written out in its schema, and without references.

    Answers that are not Avro, or refer to nothing, come back as they are. Raises UnresolvedError, and what fetch does.
    """
    if not answer.get("references") or answer.get("schemaType", "AVRO") != "AVRO":
        return answer
    types: dict[str, tuple[Any, str]] = {}
    _collect_referred(answer, fetch, types, set())
    whole = _written_out(_parsed(answer), "", types, set())
    kept = {name: value for name, value in answer.items() if name != "references"}
    return {**kept, "schema": json.dumps(whole)}


def _collect_referred(
    answer: Answer, fetch: Fetch, types: dict[str, tuple[Any, str]], seen: set[tuple[str, int]]
) -> None:
    """Put every named type of all schemas that an answer refers to, by full name, into `types`."""
    for reference in answer.get("references") or ():
        try:
            where = (str(reference["subject"]), int(reference["version"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UnresolvedError(f"a reference without subject and version: {reference}") from error
        if where in seen:
            continue
        if len(seen) >= MOST:
            raise UnresolvedError(f"it refers to more than {MOST} other schemas")
        seen.add(where)
        found = fetch(*where)
        _collect(_parsed(found), "", types)
        _collect_referred(found, fetch, types, seen)


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer["schema"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnresolvedError(f"no valid schema: {error}") from error


def _full(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _name_of(node: dict[str, Any], namespace: str) -> str:
    return _full(str(node["name"]), str(node.get("namespace", namespace) or ""))


def _parts(node: dict[str, Any]) -> list[Any]:
    """The types inside a type."""
    kind = node.get("type")
    if kind in ("record", "error"):
        return [field["type"] for field in node.get("fields", ())]
    return [node[name] for name in ("items", "values") if name in node] + (
        [kind] if isinstance(kind, dict | list) else []
    )


def _collect(node: Any, namespace: str, types: dict[str, tuple[Any, str]]) -> None:
    if isinstance(node, list):
        for part in node:
            _collect(part, namespace, types)
    elif isinstance(node, dict):
        if node.get("type") in NAMED:
            name = _name_of(node, namespace)
            types.setdefault(name, (node, namespace))
            namespace = name.rpartition(".")[0]
        for part in _parts(node):
            _collect(part, namespace, types)


def _written_out(node: Any, namespace: str, types: dict[str, tuple[Any, str]], written: set[str]) -> Any:
    """A type with full names, and the definition of each where it is met first."""
    if isinstance(node, str):
        if node in PRIMITIVES:
            return node
        name = _full(node, namespace)
        if name not in types:  # a name without a dot may also be one of no namespace
            name = node if node in types else name
        if name in written or name not in types:
            return name
        return _written_out(*types[name], types, written)
    if isinstance(node, list):
        return [_written_out(part, namespace, types, written) for part in node]
    if not isinstance(node, dict):
        return node
    kind = node.get("type")
    if kind in NAMED:
        name = _name_of(node, namespace)
        if name in written:
            return name
        written.add(name)
        namespace = name.rpartition(".")[0]
        node = {**{key: value for key, value in node.items() if key != "namespace"}, "name": name}
        if "fields" in node:
            node["fields"] = [
                {**field, "type": _written_out(field["type"], namespace, types, written)} for field in node["fields"]
            ]
        return node
    inner = {key: _written_out(node[key], namespace, types, written) for key in ("items", "values") if key in node}
    if isinstance(kind, dict | list) or (isinstance(kind, str) and kind not in ("array", "map")):
        inner["type"] = _written_out(kind, namespace, types, written)
    return {**node, **inner}
