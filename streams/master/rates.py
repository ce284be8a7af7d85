"""A rate of exchange as a file says it, and what must hold of a file's rates together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from streams.master.times import EVER, since_of
from streams.model import currencies


class Rate(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a currency is worth in another, from a day on."""

    currency: str
    """The currency, ISO 4217."""
    base: str
    """The currency in which the rate gives its worth (ISO 4217)."""
    valid_from: str
    """Since when this holds: a day, or an ISO 8601 time; UTC unless it says otherwise."""
    rate: Annotated[float, msgspec.Meta(gt=0, le=1e12)]
    """Units of base for one unit of currency."""

    @property
    def since(self) -> int:
        """`valid_from` as epoch ms."""
        return since_of(self.valid_from)


def faults(rates: Sequence[tuple[int, Rate]]) -> Iterator[str]:
    """What is wrong with the rates of a file, a sentence each, with its line."""
    seen: dict[tuple[str, str, str], int] = {}
    for line, rate in rates:
        for code in (rate.currency, rate.base):
            if code not in currencies.digits():
                yield f"line {line}: there is no currency {code} in ISO 4217"
        if rate.currency == rate.base:
            yield f"line {line}: {rate.currency} is worth one of itself"
        if not 0 <= since_of(rate.valid_from) < EVER:
            yield f"line {line}: valid_from {rate.valid_from!r} is no time from 1970 to 2199"
        key = (rate.currency, rate.base, rate.valid_from)
        if key in seen:
            yield f"line {line}: is on line {seen[key]} already: {rate.currency} in {rate.base} from {rate.valid_from}"
        seen.setdefault(key, line)
