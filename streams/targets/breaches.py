"""Which targets were missed beyond doubt. Pure.

A breach is an observation: at some moment the interval of 95 % of a period was below what was wanted. Its id follows
from the target, the unit and the period, so whoever looks again sees the same breach and not another one. Later answers
may lift a running period above its target; the observation stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple


class Breach(NamedTuple):
    """A target that was missed, with the interval that says so. unit: empty: all together."""

    breach_id: str
    metric: str
    unit: str
    period: str
    starts: date
    target: float
    actual: float
    low: float
    high: float
    n: int

    @property
    def sentence(self) -> str:
        """The breach for people."""
        return (
            f"{self.metric} of {self.unit or 'all units'} is {self.actual:g} ({self.low:g} to {self.high:g}, "
            f"{self.n:,} answers) in the {self.period} from {self.starts}: wanted was {self.target:g}"
        )


def breaches(judged: Iterable[Mapping[str, Any]]) -> list[Breach]:
    """Of rows of the named query `targets`, those missed beyond doubt, in their order."""
    found = []
    for row in judged:
        if row["status"] == "missed" and row["certain"]:
            about = (str(row["metric"]), str(row["unit"]), str(row["period"]), row["starts"], float(row["target"]))
            said = "\0".join(str(one) for one in about)
            identity = hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
            figures = (float(row["actual"]), float(row["low"]), float(row["high"]), int(row["n"]))
            found.append(Breach(identity, *about, *figures))
    return found
