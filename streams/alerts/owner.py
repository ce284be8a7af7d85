"""Who has to act: the unit whose doing it was, else the care centre of its brand. Pure.

The brand is the one that the event names, by its attribute or its unit (the cause of an alert or a move, the earliest
event of a case), else that of the unit that was found, else the default one, else the only one.
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


def owned(unit: str | None, basis: str, brand: str | None, brands: Brands) -> Owner:
    """The owner where a unit was found, or not. brand: that the event names, or its own unit fits."""
    if not brands.units and not brands.care:
        return Owner(unit, basis, unit, None)
    brand = brand or brands.of(unit, ()) or brands.only
    return Owner(unit, basis, unit or brands.care_centre(brand), brand)
