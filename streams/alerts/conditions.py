"""Tests of an event by its fields: any field, attribute, amount of money, its unit, its brand. Pure.

Each test is read from a key of a condition, and is evaluated for all rows of a frame of interactions at once. A null
counts as false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import polars as pl

from schemas.records import polars_schema
from streams.model.brands import Brands, regex
from streams.model.currencies import USUAL, digits

CONDITION_KEYS: Final = ("fields", "attributes", "money", "units", "brands", "packages", "loyalty_tiers", "countries")
"""Keys of a condition that are read here."""
_ATTRIBUTES: Final = {"loyalty_tiers": "loyalty_tier"}
_FIELDS: Final = {"packages": "package", "countries": "country"}
_BOUNDS: Final = ("at_least", "at_most")


class FieldTestError(ValueError):
    """A condition that cannot be read as a test."""

    __test__ = False  # pytest must not collect it

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key} {problem}")
        self.key, self.problem = key, problem


@dataclass(frozen=True, slots=True)
class FieldTest:
    """One test of an event."""

    __test__ = False

    kind: str
    """field, attribute, money, unit or brand."""
    name: str
    """Name of the field or attribute; for money the currency, "" for any."""
    words: tuple[str, ...] = ()
    """The value must be one of these, in upper or lower case; for units these are patterns."""
    at_least: float | None = None
    at_most: float | None = None
    brands: Brands | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields of interaction.avsc that it reads."""
        match self.kind:
            case "field":
                return (self.name,)
            case "attribute":
                return ("attributes",)
            case "brand":
                return ("unit", "attributes")
            case kind:
                return (kind,)

    def expr(self) -> pl.Expr:
        """Whether it holds, row by row; never null."""
        match self.kind:
            case "field":
                held = self._of(pl.col(self.name))
            case "attribute":
                key, value = (pl.element().struct.field(field) for field in ("key", "value"))
                held = (
                    pl.col("attributes").list.eval(((key == self.name) & self._of(value)).fill_null(False)).list.any()
                )
            case "money":
                held = self._money()
            case "unit":
                held = pl.col("unit").str.contains("|".join(regex(one) for one in self.words))
            case _:
                assert self.brands is not None
                held = brand_of(self.brands).is_in(list(self.words))
        return held.fill_null(False)

    def _of(self, value: pl.Expr) -> pl.Expr:
        tests = []
        if self.words:
            tests.append(value.cast(pl.String).str.strip_chars().str.to_lowercase().is_in(list(self.words)))
        if self.at_least is not None or self.at_most is not None:
            tests.append(self._between(value.cast(pl.Float64, strict=False)))
        return pl.all_horizontal(*tests)

    def _between(self, number: pl.Expr) -> pl.Expr:
        low = pl.lit(True) if self.at_least is None else number >= self.at_least
        high = pl.lit(True) if self.at_most is None else number <= self.at_most
        return low & high

    def _money(self) -> pl.Expr:
        currency = pl.col("money").struct.field("currency")
        places = currency.replace_strict(digits(), default=USUAL, return_dtype=pl.Int64)
        major = pl.col("money").struct.field("amount_minor") / pl.lit(10.0).pow(places)
        held = self._between(major)
        return held & (currency == self.name) if self.name else held


def brand_of(brands: Brands) -> pl.Expr:
    """The brand of each event, as `Brands.of` says it."""
    key, value = (pl.element().struct.field(field) for field in ("key", "value"))
    said = pl.when(key == brands.attribute).then(value.str.strip_chars().str.to_lowercase())
    known = pl.when(said.is_in(list(brands.units))).then(said)
    told = pl.col("attributes").list.eval(known).list.drop_nulls().list.first()
    by_unit = pl.lit(brands.default, pl.String)
    for brand, patterns in reversed(list(brands.units.items())):
        for pattern in reversed(patterns):
            by_unit = pl.when(pl.col("unit").str.contains(regex(pattern))).then(pl.lit(brand)).otherwise(by_unit)
    return pl.coalesce(told, by_unit)


def tests_of(given: Mapping[str, Any], brands: Brands) -> tuple[FieldTest, ...]:
    """The tests that keys of a condition ask for. Raises FieldTestError."""
    return tuple(test for key, value in given.items() for test in _tests(key, value, brands))


def _tests(key: str, value: Any, brands: Brands) -> Iterator[FieldTest]:
    if key == "money":
        yield _money(value)
    elif key == "units":
        yield FieldTest("unit", "", words(key, value, lower=False))
    elif key == "brands":
        named = words(key, value)
        for word in named:
            if word not in brands.units:
                raise FieldTestError(
                    key, f"has {word!r}, and the model's brands are {', '.join(brands.units) or 'none'}"
                )
        yield FieldTest("brand", "", named, brands=brands)
    elif key in _ATTRIBUTES:
        yield FieldTest("attribute", _ATTRIBUTES[key], words(key, value))
    elif key in _FIELDS:
        yield FieldTest("field", _FIELDS[key], words(key, value))
    else:
        if not isinstance(value, dict) or not value:
            raise FieldTestError(key, 'must be a table such as { nights = { at_least = 7 }, platform = ["google"] }')
        for name, wanted in value.items():
            if key == "fields":
                _check_field(name, wanted)
            yield _asked("field" if key == "fields" else "attribute", key, name, wanted)


def _check_field(name: str, wanted: Any) -> None:
    known = {field: dtype for field, dtype in polars_schema("interaction").items() if not dtype.is_nested()}
    if name not in known:
        near = get_close_matches(name, known, 1)
        more = f"; is {near[0]} meant?" if near else f"; there are {', '.join(known)}"
        raise FieldTestError("fields", f"has {name!r}, which is no field of an interaction that can be asked{more}")
    if isinstance(wanted, dict) and not known[name].is_numeric():
        raise FieldTestError("fields", f"has a bound for {name}, which is no number: give a list of what it may be")


def _asked(kind: str, key: str, name: str, wanted: Any) -> FieldTest:
    if isinstance(wanted, dict):
        low, high = bounds(key, wanted, name)
        return FieldTest(kind, name, (), low, high)
    return FieldTest(kind, name, words(key, wanted if isinstance(wanted, list) else [wanted]))


def _money(value: Any) -> FieldTest:
    if not isinstance(value, dict):
        raise FieldTestError("money", 'must be a table such as { currency = "EUR", at_least = 1000 }, in major units')
    left = dict(value)
    currency = left.pop("currency", "")
    if currency and currency not in digits():
        raise FieldTestError("money", f"has the currency {currency!r}, which ISO 4217 does not know")
    low, high = bounds("money", left, "money")
    return FieldTest("money", currency, (), low, high)


def bounds(key: str, table: dict[str, Any], name: str) -> tuple[float | None, float | None]:
    for bound, number in table.items():
        if bound not in _BOUNDS:
            raise FieldTestError(key, f"has {bound!r} for {name}; there are at_least and at_most")
        if not isinstance(number, int | float) or isinstance(number, bool):
            raise FieldTestError(key, f"has {bound} = {number!r} for {name}, which is no number")
    if not table:
        raise FieldTestError(key, f"needs at_least or at_most for {name}")
    return table.get("at_least"), table.get("at_most")


def words(key: str, value: Any, lower: bool = True) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str | int | float) for one in value):
        raise FieldTestError(key, "must be a list of texts that is not empty")
    return tuple(str(one).lower() if isinstance(one, bool) or lower else str(one) for one in value)
