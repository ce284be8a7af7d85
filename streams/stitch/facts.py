"""What is known of a customer besides preferences, kept in the same way: by key the latest that events say. Pure.

Alerts, segments and next actions ask for it. The keys begin with HIDDEN, so that no table shows it as preferences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from streams.alerts.next_actions import ANSWERING, SPEAKING
from streams.alerts.next_actions import TOLD as IMPROVED
from streams.model.company import Model
from streams.model.days import is_day
from streams.model.preferences import Preference
from streams.stitch.preferences import Stated
from streams.stitch.summary import HIDDEN

TIER: Final = HIDDEN + "tier"
"""Level in the loyalty programme."""
COUNTRY: Final = HIDDEN + "country"
ANSWERED: Final = HIDDEN + "answered"
"""That somebody of the company has answered, resolved, given ... (ANSWERING)."""
SPOKE: Final = HIDDEN + "spoke"
"""That the customer has recommended or reviewed us, or was asked to."""
BRAND: Final = HIDDEN + "brand/"
"""And the brand: that it had an event of it."""
TOLD: Final = HIDDEN + "told/"
"""And the case: that the customer was told what was improved; without one: of all that was resolved before."""
ARRIVES: Final = HIDDEN + "arrives/"
"""And the booking reference: the planned day of arrival, as `2027-03-01`."""

RULES: Final = (Preference("attribute", "loyalty_tier", "", TIER, "*", ""),)
"""Facts that are found as preferences are."""


class Facts:
    """Finds facts in a batch: those of brands and countries where a segment of the model asks for them."""

    def __init__(self, model: Model) -> None:
        self._brands = model.brands if model.brands.units and model.asks("brands") else None
        self._countries = model.asks("countries")
        self._by_touchpoint: dict[str, Stated] = {}

    def added(self, frame: pl.DataFrame, stated: list[Stated]) -> list[Stated]:
        """What each row states, with its facts.

        frame: with the fields that are read here, in frame form. stated: (key, value) pairs of each row.
        """
        found = list(stated)
        touchpoints: list[str] = frame["touchpoint"].to_list()
        names = set(touchpoints)
        known = self._by_touchpoint
        for name in names - known.keys():
            known[name] = _of_touchpoint(name)
        # Few events state a fact: those are looked for in C, and only they are gone through one by one.
        if saying := {name for name in names if known[name]}:
            answers: list[str | None] = frame["survey"].struct.field("instrument").to_list()
            for row, touchpoint in enumerate(touchpoints):
                if touchpoint in saying and answers[row] is None:
                    found[row] += known[touchpoint]
        if IMPROVED in names:
            cases: list[str | None] = frame["case_id"].to_list()
            for row, touchpoint in enumerate(touchpoints):
                if touchpoint == IMPROVED:
                    found[row] += ((f"{TOLD}{cases[row] or ''}", "yes"),)
        arrivals = frame["arrival_date"]
        if arrivals.null_count() < len(arrivals):
            planned: list[str | None] = arrivals.to_list()
            refs: list[str | None] = frame["booking_ref"].to_list()
            for row, arrival in enumerate(planned):
                if arrival is None:
                    continue
                ref = refs[row]
                if ref is not None and is_day(arrival):
                    found[row] += ((ARRIVES + ref, arrival),)
        if self._countries:
            for row, country in enumerate(frame["country"].to_list()):
                if country is not None:
                    found[row] += ((COUNTRY, country),)
        return found if self._brands is None else self._with_brands(frame, found)

    def _with_brands(self, frame: pl.DataFrame, found: Sequence[Stated]) -> list[Stated]:
        assert self._brands is not None
        units, attributes = frame["unit"].to_list(), frame["attributes"].to_list()
        of = self._brands.of
        brands = [
            of(unit, [(one["key"], one["value"]) for one in said]) for unit, said in zip(units, attributes, strict=True)
        ]
        return [
            pairs if brand is None else (*pairs, (BRAND + brand, "yes"))
            for pairs, brand in zip(found, brands, strict=True)
        ]


def _of_touchpoint(name: str) -> Stated:
    found: Stated = ()
    if ANSWERING.search(name):
        found += ((ANSWERED, "yes"),)
    if name in SPEAKING:
        found += ((SPOKE, "yes"),)
    return found
