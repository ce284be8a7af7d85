"""How soon alerts are to be taken and settled, by severity, brand and loyalty tier. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streams.model.durations import milliseconds
from streams.model.forms import SlaForm
from streams.model.vocabulary import SEVERITIES


@dataclass(frozen=True, slots=True)
class Sla:
    """An entry of sla.toml. Durations are in ms; what is empty fits any brand or tier."""

    severities: tuple[str, ...]
    brands: tuple[str, ...]
    tiers: tuple[str, ...]
    respond: int
    resolve: int

    def fits(self, severity: str, brand: str | None, tier: str | None) -> bool:
        """Whether it is about an alert of this severity, brand and tier."""
        return (
            severity in self.severities
            and (not self.brands or brand in self.brands)
            and (not self.tiers or tier in self.tiers)
        )


def of_form(form: SlaForm) -> Sla:
    """The entry that a file has; brands and tiers in small letters, as events are read."""
    respond, resolve = milliseconds(form.respond), milliseconds(form.resolve)
    assert respond is not None, "the form has checked"
    assert resolve is not None, "the form has checked"
    brands, tiers = (tuple(one.strip().lower() for one in some) for some in (form.brands, form.tiers))
    return Sla(tuple(form.severities) or SEVERITIES, brands, tiers, respond, resolve)


def of(entries: Iterable[Sla], severity: str, brand: str | None, tier: str | None) -> Sla:
    """The entry that holds for an alert: the first that fits. Raises StopIteration where none does."""
    return next(one for one in entries if one.fits(severity, brand, tier))
