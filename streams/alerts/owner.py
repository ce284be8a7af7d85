"""Who has to act: the unit whose doing it was, else the care centre of its brand. Pure.

An alert knows the brand that its cause names. A case or a move knows units only. Where none is found for it, the care
centre of the company has to act, or that of its only brand: never that of a brand to which it may not belong.
"""

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


NOBODY = Owner(None, None, None, None)
Owners = Callable[[Signal], Owner]
"""Finds who has to act on an alert of which this is the earliest signal."""


def as_said(signal: Signal) -> Owner:
    """What the signal says by itself."""
    return Owner(signal.unit, None, signal.unit, signal.brand)


def placed(unit: str | None, basis: str, brands: Brands) -> Owner:
    """The owner of what does not know the brand that its event names: a case, a move."""
    if not brands.units and not brands.care:
        return Owner(unit, basis, unit, None)
    brand = (brands.told(unit, ()) if unit else None) or brands.only
    return Owner(unit, basis, unit or brands.care_centre(brand), brand)


def owned(unit: str | None, basis: str, brand: str | None, brands: Brands) -> Owner:
    """The owner where a unit was found, or not. brand: that the event names, or its own unit fits."""
    brand = brand or brands.of(unit, ())
    return Owner(unit, basis, unit or brands.care_centre(brand), brand)
