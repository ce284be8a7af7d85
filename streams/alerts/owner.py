"""Who has to act on an alert: the unit whose doing its cause was, else the care centre of its brand. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streams.alerts.signals import Signal
from streams.model.brands import Brands


class Owner(NamedTuple):
    """Who has to act, and why."""

    unit: str | None
    """Its own unit, else the attributed one."""
    basis: str | None
    """What that rests on (streams.model.whose); None: nobody has asked."""
    owner: str | None
    """The unit, else the care centre of the brand."""
    brand: str | None


Owners = Callable[[Signal], Owner]
"""Finds who has to act on an alert of which this is the earliest signal."""


def as_said(signal: Signal) -> Owner:
    """What the signal says by itself."""
    return Owner(signal.unit, None, signal.unit, signal.brand)


def owned(unit: str | None, basis: str, brand: str | None, brands: Brands) -> Owner:
    """The owner where a unit was found, or not. brand: that the event names, or its own unit fits."""
    brand = brand or brands.of(unit, ())
    return Owner(unit, basis, unit or brands.care_centre(brand), brand)
