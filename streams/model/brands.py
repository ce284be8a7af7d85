"""The brand of an event, as far as the event itself says, and identifiers that are unique within a brand only. Pure.

The brand is a function of the event and of the model, so that it is the same whenever and wherever it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from streams.model.identifiers import SCOPE

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""What a brand may be called."""
ATTRIBUTE = "brand"
_SPECIAL = frozenset("\\.^$|()[]{}+")


def regex(pattern: str) -> str:
    """The regular expression, of Python and of Polars, of what a pattern fits: `*` is anything, `?` one character."""
    parts = {"*": ".*", "?": "."}
    return "^(?s:" + "".join(parts.get(c, "\\" + c if c in _SPECIAL else c) for c in pattern) + ")$"


@dataclass(frozen=True)
class Brands:
    """The company's brands: name -> patterns of its units (`LON-*`), the first that fits decides.

    attribute: the attribute of an event that names its brand; it counts before the unit. default: the brand of an event
    that tells neither; None only where no kind is scoped. care: brand -> its care centre, who has to act where no unit
    is known; under None the company's, for the other brands and for none.
    """

    units: Mapping[str, tuple[str, ...]]
    attribute: str = ATTRIBUTE
    default: str | None = None
    care: Mapping[str | None, str] = field(default_factory=dict)

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        return [(re.compile(regex(one)), brand) for brand, patterns in self.units.items() for one in patterns]

    def of(self, unit: str | None, attributes: Iterable[tuple[str, str]]) -> str | None:
        """The brand of an event of this unit with these (key, value) pairs."""
        return self.told(unit, attributes) or self.default

    def told(self, unit: str | None, attributes: Iterable[tuple[str, str]]) -> str | None:
        """The same as far as the event tells it; None: neither attribute nor unit names a brand."""
        if not self.units:
            return None
        said = self.named(attributes)
        if said is not None:
            return said
        if unit is not None:
            for pattern, brand in self._patterns:
                if pattern.fullmatch(unit):
                    return brand
        return None

    def named(self, attributes: Iterable[tuple[str, str]]) -> str | None:
        """The brand that an event's attribute names; None: it names none."""
        for key, value in attributes:
            if key == self.attribute and (said := value.strip().lower()) in self.units:
                return said
        return None

    @property
    def only(self) -> str | None:
        """The brand of everything: the one that there is, else None."""
        return next(iter(self.units)) if len(self.units) == 1 else None

    def care_centre(self, brand: str | None) -> str | None:
        """Who has to act on what is of this brand and of no unit; None: the model names nobody."""
        return self.care.get(brand) or self.care.get(None)


@dataclass(frozen=True)
class Scopes:
    """The kinds whose values count within a brand; such an identifier is written `kind:BRAND/VALUE`."""

    kinds: frozenset[str]
    brands: Brands

    def holds(self, kind: str, value: str) -> bool:
        """Whether an identifier is written as it has to be: every one of a kind without a scope is."""
        return kind not in self.kinds or self._is_scoped(value)

    def scoped(self, pairs: Sequence[tuple[str, str]], brand: str | None) -> list[tuple[str, str]]:
        """Normal (kind, value) pairs of an event of a brand, each within its scope."""
        return [
            (kind, value if not value or brand is None or self.holds(kind, value) else f"{brand}{SCOPE}{value}")
            for kind, value in pairs
        ]

    def _is_scoped(self, value: str) -> bool:
        brand, slash, rest = value.partition(SCOPE)
        return bool(slash and rest) and brand in self.brands.units
