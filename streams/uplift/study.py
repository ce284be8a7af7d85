"""What an action changes: the uplift on what follows, by comparing those who were called by chance with those who were
not. Pure.

Those of one day, unit and urgency among whom chance decided are a **draw**. Within it the mean of those called, less
the mean of those who were not, has the effect as its expectation, given all earlier draws: chance chose. The
sequence of these differences, in order of time, makes an interval that may be looked at every day
(streams.uplift.sequence). Who was certain to be called, or not to be, tells nothing.

It is an effect of having been chosen for a call, whether or not somebody then reached the customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from streams.uplift.sequence import Interval, sequence

OUTCOMES: Mapping[str, tuple[float, float]] = {"sentiment": (-1.0, 1.0), "returned": (0.0, 1.0)}
"""Column of what followed -> its bounds."""
WORTH: Mapping[str, float] = {"sentiment": 0.05, "returned": 0.02}
"""The smallest uplift that is worth a call: what is certainly below it in all outcomes does not help."""
BY = ("all", "language", "case_touchpoint")


class Uplift(NamedTuple):
    """The uplift of an action on an outcome, of all or of those of one language or case."""

    action: str
    by: str
    value: str
    outcome: str
    draws: int
    called: int
    not_called: int
    uplift: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """helps: certainly more than 0; no help: certainly less than what is worth a call; else unknown."""
        return "helps" if self.low > 0 else "no help" if self.high < WORTH[self.outcome] else "unknown"


def uplifts(calls: pl.DataFrame, by: str = "all", alpha: float = 0.05) -> list[Uplift]:
    """The uplift of each action on each outcome.

    Args:
        calls: a row each: day, unit, action, priority, chosen (bool), language, case_touchpoint, and OUTCOMES (null:
            not known yet). Only those among whom chance decided.
        by: one of BY.
        alpha: chance of each interval to miss, at any time at which it is looked at.
    """
    value = pl.lit("") if by == "all" else pl.col(by).fill_null("")
    draws = (
        calls.with_columns(value.alias("value"))
        .group_by("action", "value", "day", "unit", "priority")
        .agg(
            *[pl.col(name).filter(pl.col("chosen") == is_in).mean().alias(f"{name} {is_in}")
              for name in OUTCOMES for is_in in (True, False)],
            *[(pl.col("chosen") & pl.col(name).is_not_null()).sum().alias(f"{name} called") for name in OUTCOMES],
            *[(~pl.col("chosen") & pl.col(name).is_not_null()).sum().alias(f"{name} others") for name in OUTCOMES],
        )
        .sort("day", "unit", "priority")
    )  # fmt: skip
    found = []
    for (action, said), some in draws.group_by("action", "value", maintain_order=True):
        for outcome, (least, most) in OUTCOMES.items():
            both = some.filter((pl.col(f"{outcome} called") > 0) & (pl.col(f"{outcome} others") > 0))
            if not both.height:
                continue
            differences = (both[f"{outcome} True"] - both[f"{outcome} False"]).to_list()
            one: Interval = sequence(differences, least - most, most - least, alpha)
            called, others = (int(both[f"{outcome} {name}"].sum()) for name in ("called", "others"))
            about = (str(action), by, str(said), outcome, one.n, called, others)
            found.append(Uplift(*about, one.estimate, one.low, one.high))
    return sorted(found, key=lambda one: (one.action, one.outcome, one.value))


def weights(found: Iterable[Uplift]) -> str:
    """The file actions.toml of a model that these uplifts propose: a person reads it, changes it, and puts it there."""
    by_action: dict[str, dict[str, Uplift]] = {}
    for one in found:
        if one.by == "all":
            by_action.setdefault(one.action, {})[one.outcome] = one
    lines = [
        "# What calling has been found to change (rihla uplift). An action with propose = false is proposed no more."
    ]
    for action, outcomes in sorted(by_action.items()):
        helps = any(one.verdict != "no help" for one in outcomes.values())
        lines += ["", f"[{action}]", f"propose = {'true' if helps else 'false'}"]
        for name, one in sorted(outcomes.items()):
            lines.append(f"# {name}: {one.uplift:+.3f} ({one.low:+.3f} to {one.high:+.3f}), {one.draws} draws")
        best = outcomes.get("sentiment")
        if best is not None:
            lines.append(f"uplift = {best.uplift:.4f}")
    return "\n".join(lines) + "\n"
