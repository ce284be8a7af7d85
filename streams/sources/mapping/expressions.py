"""Conditions and calculations of a mapping: Polars' SQL expressions, of which only those of one row are taken.

They are parsed, never evaluated as Python, and know the columns of the row and nothing else: Polars itself refuses
files, other tables and sub-queries in an expression. What is refused here is what would break other promises: functions
over several rows (a batch would decide on an event), of the clock, and CAST, which fails a whole batch for one bad
cell (TRY_CAST gives null). The list is of what is taken, so that a new version of Polars adds nothing in silence.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

import polars as pl

from streams.sources.mapping.model import MappingError

_FUNCTIONS = frozenset(
    {
        *("Abs", "Ceil", "Coalesce", "FillNull", "Floor", "ListExpr.Get", "MaxHorizontal", "MinHorizontal"),
        *("Boolean.IsNotNull", "Boolean.IsNull", "Boolean.Not", "Boolean.IsIn"),
        *("Sql.Binary", "Sql.IsIn", "Sql.Round"),
        *("StringExpr.ConcatHorizontal", "StringExpr.Contains", "StringExpr.EndsWith", "StringExpr.Find"),
        *("StringExpr.LenChars", "StringExpr.LenBytes", "StringExpr.Lowercase", "StringExpr.Replace"),
        *("StringExpr.Reverse", "StringExpr.Slice", "StringExpr.Split", "StringExpr.StartsWith"),
        *("StringExpr.StripChars", "StringExpr.StripCharsEnd", "StringExpr.StripCharsStart"),
        *("StringExpr.Titlecase", "StringExpr.Uppercase"),
    }
)
_OF = "\0of"
_PARTS = {"BinaryExpr": ("left", "right"), "Ternary": ("predicate", "truthy", "falsy")}


@cache
def expression(sql: str) -> pl.Expr:
    """The expression of a text. Raises MappingError for one that is none, or not a function of one row."""
    try:
        parsed = pl.sql_expr(sql)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the form is said to be unstable: hence the list above
            tree = json.loads(parsed.meta.serialize(format="json"))
    except pl.exceptions.PolarsError as error:
        raise MappingError(f"no SQL expression: {sql!r}: {str(error).splitlines()[0]}") from None
    _look(tree, sql)
    return parsed


def columns_of(sql: str) -> list[str]:
    """The columns that an expression reads. Raises MappingError as `expression` does."""
    return expression(sql).meta.root_names()


def _look(node: Any, sql: str) -> None:
    kind: str = str(node)
    body: Any = None
    if isinstance(node, dict) and len(node) == 1:
        [(kind, body)] = node.items()
    if kind == "Column":
        return
    if kind == "Literal":
        if any(word in json.dumps(body) for word in ('"Datetime"', '"Time"')):
            raise MappingError(f"no clock and no time in an expression: {sql!r}; times have a format of their own")
    elif kind in _PARTS:
        for part in _PARTS[kind]:
            _look(body[part], sql)
    elif kind == "Alias":
        _look(body[0], sql)
    elif kind == "Cast":
        if body["options"] == "Strict":
            raise MappingError(f"TRY_CAST instead of CAST, which fails all rows for one bad cell: {sql!r}")
        _look(body["expr"], sql)
    elif kind == "Function" and _function(body["function"]) in _FUNCTIONS:
        for part in body["input"]:
            _look(part, sql)
    else:
        name = _function(body["function"]) if kind == "Function" else kind
        raise MappingError(f"{name} is not for mappings, in which an expression is of one row: {sql!r}")


def _function(given: Any) -> str:
    if isinstance(given, str):
        return given
    name, inner = next(iter(given.items()))
    if isinstance(inner, dict) and name in ("Boolean", "ListExpr", "Sql", "StringExpr"):
        inner = next(iter(inner), "")
    return f"{name}.{inner}" if isinstance(inner, str) else str(name)


def evaluate(sql: str, frame: pl.DataFrame) -> pl.Series:
    """The value of each row; null where a row makes the expression fail. Columns that are not there are null."""
    expr = expression(sql)
    lacking = [name for name in columns_of(sql) if name not in frame.columns]
    whole = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in lacking)
    try:
        return whole.with_columns(expr.alias(_OF))[_OF]  # as many as there are rows, of a constant, too
    except pl.exceptions.PolarsError:
        return _one_by_one(whole, expr)


def _one_by_one(frame: pl.DataFrame, expr: pl.Expr) -> pl.Series:
    found: list[Any] = []
    for row in frame.iter_slices(1):
        try:
            found.append(row.select(expr.alias("of"))["of"].item())
        except pl.exceptions.PolarsError:
            found.append(None)
    return pl.Series("of", found, strict=False)


def probe(sql: str, *, condition: bool) -> None:
    """Raises MappingError for an expression that no row can have a value of, or of which a condition cannot be made."""
    names = columns_of(sql)
    try:
        empty = pl.DataFrame(schema=dict.fromkeys(names, pl.String)).select(expression(sql).alias("of"))
    except pl.exceptions.PolarsError as error:
        raise MappingError(
            f"this fails for every row (columns are text): {sql!r}: {str(error).splitlines()[0]}"
        ) from None
    if empty["of"].dtype.is_nested():
        raise MappingError(f"this is a list, and no text: {sql!r}; SPLIT_PART takes one of it")
    if condition and empty["of"].dtype not in (pl.Boolean, pl.Null):
        raise MappingError(f"this is no condition: {sql!r}")
