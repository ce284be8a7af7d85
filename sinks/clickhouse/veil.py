"""Writes SQL that shows a column without its personal content, in the column's own type. Pure.

A pseudonym is a keyed hash (SipHash-2-4 of 128 bits, hexadecimal): equal where the values are equal, so that what
joined still joins and what was counted still counts. Without the key it cannot be found by trying all values.
"""

from __future__ import annotations

import re

from sinks.clickhouse.personal import NAME, PLAIN, TEXT, Rule
from sinks.clickhouse.quoting import identifier, literal
from streams.model.identifiers import KINDS

KEY = "(k.k0, k.k1)"
"""The key: columns of the row that is joined as `k`. A constant would be visible in the output of EXPLAIN."""
HIDDEN = "[hidden]"
"""Shown instead of a text."""
_KINDS = f"^(?:{'|'.join((*KINDS, 'booking_ref'))}):"


def veiled(expression: str, type_: str, rule: Rule) -> str:
    """The expression as it may be shown, of the same type. Raises ValueError for a type that holds no texts."""
    if rule == PLAIN:
        return expression
    if rule == TEXT:
        return _emptied(expression, type_)
    return f"CAST({_inside(expression, type_, rule, 0)}, {literal(type_)})"


def _inside(expression: str, type_: str, rule: Rule, depth: int) -> str:
    outer, inner = _parts(type_)
    if rule == PLAIN:
        return expression
    if rule == TEXT:
        return _emptied(expression, type_)
    if outer == "Array":
        return f"arrayMap(x{depth} -> {_inside(f'x{depth}', inner[0], rule, depth + 1)}, {expression})"
    if outer == "Tuple":
        if isinstance(rule, str):
            raise ValueError(f"no rule for the fields of {type_}")
        fields = [field.partition(" ") for field in inner]
        if unknown := sorted(set(rule) - {name for name, _, _ in fields}):
            raise ValueError(f"{type_} has no field {', '.join(unknown)}")
        shown = (
            _inside(f"tupleElement({expression}, {literal(name)})", of, rule.get(name, PLAIN), depth)
            for name, _, of in fields
        )
        return f"tuple({', '.join(shown)})"
    if not isinstance(rule, str) or not re.fullmatch(r"(LowCardinality\()?(Nullable\()?String\)*", type_):
        raise ValueError(f"no pseudonym of the type {type_}")
    text = f"assumeNotNull(toString({expression}))"
    hashed = _of_name(text) if rule == NAME else _hash(text)
    return f"if(isNull({expression}), NULL, {hashed})" if "Nullable" in type_ else hashed


def _emptied(expression: str, type_: str) -> str:
    """HIDDEN where there is a text, so that texts can still be counted; for other types, the type's default."""
    if type_ not in ("String", "Nullable(String)"):
        return f"defaultValueOfTypeName({literal(type_)})"
    return f"CAST(if(ifNull({expression}, '') = '', {expression}, {literal(HIDDEN)}), {literal(type_)})"


def _of_name(text: str) -> str:
    """The kind stays, so that `kind:value` of a customer still joins with kind and value of an identity."""
    kind = f"extract({text}, {literal(_KINDS)})"
    return f"concat({kind}, {_hash(f'substring({text}, length({kind}) + 1)')})"


def _hash(text: str) -> str:
    return f"lower(hex(sipHash128ReferenceKeyed({KEY}, {text})))"


def _parts(type_: str) -> tuple[str, list[str]]:
    """`Array(Tuple(a String, b Int64))`: `Array` and [`Tuple(a String, b Int64)`]."""
    outer, _, rest = type_.partition("(")
    parts, depth, part = [], 0, ""
    for character in rest[:-1]:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append(part.strip())
            part = ""
        else:
            part += character
    return outer, [*parts, part.strip()] if part.strip() else parts


def select(database: str, view: str, columns: list[tuple[str, str]], rules: dict[str, Rule]) -> str:
    """A SELECT of a view with the same columns, none of them personal. columns: (name, type), in order."""
    shown = (f"{veiled(f'v.{identifier(name)}', type_, rules[name])} AS {identifier(name)}" for name, type_ in columns)
    source = f"{identifier(database)}.{identifier(view)} AS v"
    if all(rule == PLAIN for rule in rules.values()):
        return f"SELECT {', '.join(shown)} FROM {source}"
    key = f"(SELECT k0, k1 FROM {identifier(database)}.pseudonym_key ORDER BY made_at LIMIT 1) AS k"
    return f"SELECT {', '.join(shown)} FROM {source} CROSS JOIN {key}"
