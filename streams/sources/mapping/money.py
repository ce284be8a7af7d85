"""Amounts as people write them, in the minor units of their currencies. Pure."""

from __future__ import annotations

import polars as pl

from streams.model import currencies
from streams.sources.mapping.cells import ascii_digits

_MOST = 2.0**62


def numbers(text: pl.Series, decimal: str = ".") -> pl.Series:
    """Numbers of texts, with digits of any script; null for what is none. Blanks, or the other mark, may part thousands
    in groups of three; Arabic's own marks mean what they mean, whatever `decimal` is."""
    mark, parts = (r"\.", ",") if decimal == "." else (",", r"\.")
    arabic = ascii_digits(text).str.replace_all("\u066b", decimal).str.replace_all("\u066c", "")
    solid = arabic.str.replace_all(r"[\s\x{a0}\x{202f}]", "").str.replace("\u2212", "-", literal=True)
    plain = rf"^[+-]?(?:\d+|\d{{1,3}}(?:{parts}\d{{3}})+)?(?:{mark}\d+)?(?:[eE][+-]?\d{{1,3}})?$"
    fits = solid.str.contains(plain) & solid.str.contains(r"\d")
    bare = solid.str.replace_all(parts, "").str.replace(decimal, ".", literal=True)
    found = bare.set(~fits.fill_null(True), None).cast(pl.Float64, strict=False)
    return found.set((~found.is_finite()).fill_null(False), None)


def whole(numbers: pl.Series) -> pl.Series:
    """Those that are whole, as Int64; null for the others."""
    fits = (numbers == numbers.floor()) & (numbers.abs() <= _MOST)
    return numbers.set(~fits.fill_null(True), None).cast(pl.Int64, strict=False)


def minor_units(amounts: pl.Series, currency: pl.Series) -> pl.Series:
    """Amounts of currencies in their minor units, Int64: rounded half away from zero beyond the currency's places."""
    known = currencies.digits()
    places = currency.replace_strict(list(known), list(known.values()), default=2, return_dtype=pl.Int64)
    frame = pl.DataFrame({"amount": amounts, "places": places})
    exact = pl.col("amount") * pl.lit(10.0).pow(pl.col("places"))
    frame = frame.select(exact.round(0, mode="half_away_from_zero").alias("minor"))
    return whole(frame["minor"])
