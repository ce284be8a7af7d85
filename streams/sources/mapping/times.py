"""Dates and times as systems write them, to epoch milliseconds. Columns in, columns out."""

from __future__ import annotations

import re
from datetime import date
from functools import cache

import polars as pl

from streams.model import zones
from streams.sources.mapping.cells import ascii_digits
from streams.sources.mapping.model import MappingError

EPOCHS = {"epoch_s": 1_000.0, "epoch_ms": 1.0, "epoch_us": 0.001}
"""Milliseconds in a unit of each."""

ISO = "iso"
_ISO = (
    r"^\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|z|UTC|GMT|[+-]\d\d:?(?:\d\d)?)?)?\s*$"
)
_HIJRI = {"%d": r"\d{1,2}", "%m": r"\d{1,2}", "%Y": r"\d{4}", "%H": r"\d{1,2}", "%M": r"\d{1,2}", "%S": r"\d{1,2}"}


def check_zone(name: str) -> None:
    """Raises MappingError for a name of no time zone."""
    if not zones.is_zone(name):
        raise MappingError(f"there is no time zone {name!r}; the names are like Asia/Riyadh")


def check_format(form: str, calendar: str) -> None:
    """Raises MappingError for a format that cannot be read."""
    if calendar == "hijri":
        _hijri_pattern(form)
        try:
            import hijridate  # noqa: F401
        except ImportError:
            raise MappingError("calendar hijri needs the extra: pip install 'rihla[hijri]'") from None
        return
    if form == ISO or form in EPOCHS:
        return
    if "%" not in form:
        raise MappingError(f"format {form!r} is none of iso, {', '.join(EPOCHS)}, and has no % as %d/%m/%Y has")
    try:
        pl.Series(["1"]).str.to_datetime(form, strict=False)
    except pl.exceptions.PolarsError as error:
        raise MappingError(f"format {form!r}: {str(error).splitlines()[0]}") from None


def milliseconds(text: pl.Series, formats: list[str], zone: str, calendar: str = "gregorian") -> pl.Series:
    """Epoch milliseconds, Int64, by the first format that fits; null where none does.

    zone: of times without an offset. A time that the clocks went over twice is the first of the two; one that they
    left out is null, as it is no time.
    """
    found: pl.Series | None = None
    text = ascii_digits(text)
    for form in formats:
        if found is not None and found.null_count() == text.null_count():
            break
        one = _hijri(text, form, zone) if calendar == "hijri" else _by_format(text, form, zone)
        found = one if found is None else found.zip_with(found.is_not_null(), one)
    assert found is not None
    return found.alias("ms")


def dates(text: pl.Series, formats: list[str], calendar: str = "gregorian") -> pl.Series:
    """ISO 8601 dates of texts, as texts; null where no format fits. The time of day, if any, is left out."""
    ms = milliseconds(text, formats, "UTC", calendar)
    return ms.cast(pl.Datetime("ms")).dt.date().dt.to_string("iso")


def _by_format(text: pl.Series, form: str, zone: str) -> pl.Series:
    if form in EPOCHS:
        number = text.str.strip_chars().cast(pl.Float64, strict=False) * EPOCHS[form]
        return number.set((~(number.abs() < 2.0**53)).fill_null(False), None).floor().cast(pl.Int64)
    if form == ISO:
        return _iso(text, zone)
    if "%z" in form or "%:z" in form:
        return text.str.to_datetime(form, strict=False, time_unit="ms", time_zone="UTC").dt.epoch("ms")
    if any(hour in form for hour in ("%H", "%I", "%k", "%l", "%T", "%R", "%X", "%c", "%r", "%D %T")):
        return _in_zone(text.str.to_datetime(form, strict=False, time_unit="ms"), zone)
    return _in_zone(text.str.to_date(form, strict=False).cast(pl.Datetime("ms")), zone)


def _iso(text: pl.Series, zone: str) -> pl.Series:
    parts = pl.DataFrame({"t": text}).select(pl.col("t").str.extract_groups(_ISO)).unnest("t")
    parts.columns = ["day", "minute", "second", "fraction", "offset"]
    clock = pl.concat_str(
        "day",
        pl.lit("T"),
        pl.col("minute").fill_null("00:00"),
        pl.lit(":"),
        pl.col("second").fill_null("00"),
    )
    local = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="ms")
    local = local + pl.duration(
        milliseconds=pl.col("fraction").str.pad_end(3, "0").str.slice(0, 3).cast(pl.Int64, strict=False).fill_null(0)
    )
    sign = pl.when(pl.col("offset").str.starts_with("-")).then(-1).otherwise(1)
    hours = pl.col("offset").str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = pl.col("offset").str.slice(3).str.strip_prefix(":").cast(pl.Int64, strict=False).fill_null(0)
    offset = (sign * (hours * 60 + minutes)).fill_null(0) * 60_000
    frame = parts.select(local.alias("local"), offset.alias("offset"), pl.col("offset").is_null().alias("bare"))
    bare = _in_zone(frame["local"], zone)
    return bare.zip_with(frame["bare"], frame["local"].dt.epoch("ms") - frame["offset"])


def _in_zone(local: pl.Series, zone: str) -> pl.Series:
    return zones.instant(local, zone)


@cache
def _hijri_pattern(form: str) -> str:
    parts = re.split(r"(%.)", form)
    if unknown := [part for part in parts if part.startswith("%") and part not in _HIJRI]:
        raise MappingError(f"format {form!r}: of a Hijri date {', '.join(_HIJRI)} can be read, and not {unknown[0]}")
    if not {"%d", "%m", "%Y"} <= set(parts):
        raise MappingError(f"format {form!r}: a Hijri date has %d, %m and %Y")
    named = (f"(?P<{part[1]}>{_HIJRI[part]})" if part in _HIJRI else re.escape(part) for part in parts)
    return "^" + "".join(named) + "$"


def _hijri(text: pl.Series, form: str, zone: str) -> pl.Series:
    pattern = re.compile(_hijri_pattern(form), re.ASCII)
    seen = text.drop_nulls().unique()
    moments = [_gregorian(pattern, one) for one in seen]
    local = text.replace_strict(seen, pl.Series(moments, dtype=pl.Int64), default=None, return_dtype=pl.Int64)
    return _in_zone(local.cast(pl.Datetime("ms")), zone)


def _gregorian(pattern: re.Pattern[str], text: str) -> int | None:
    """Local milliseconds of a Hijri date, as if the clock were UTC; None for what is none."""
    from hijridate import Hijri

    if (match := pattern.match(text.strip())) is None:
        return None
    parts = {name: int(value) for name, value in match.groupdict().items()}
    try:
        day = Hijri(parts["Y"], parts["m"], parts["d"]).to_gregorian()
    except (ValueError, OverflowError):
        return None
    hour, minute, second = (parts.get(name, 0) for name in "HMS")
    if hour > 23 or minute > 59 or second > 59:
        return None
    days = date(day.year, day.month, day.day).toordinal() - date(1970, 1, 1).toordinal()
    return (days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000
