"""What is proposed for customers, in which order, and how many can be called. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streams.model.forms import ActionForm, ActionsFile

ACTIONS: Final = tuple(name for name in ActionsFile.__struct_fields__ if name != "capacity")
"""The most urgent first, where nothing has been measured."""
FIRST: Final = "answer_alert"
"""Grave alerts are answered first, whatever was measured, and always."""


@dataclass(frozen=True)
class Action:
    """An action. rank: 1 is proposed first. uplift: None where it was not measured."""

    name: str
    rank: int
    propose: bool
    uplift: float | None


@dataclass(frozen=True)
class Actions:
    """What a model says of actions. capacity: calls a day, by pattern of units."""

    by_name: Mapping[str, Action]
    capacity: Mapping[str, int]


def of_form(form: ActionsFile) -> Actions:
    """The actions of a file: grave alerts, then what was measured, the best first, then the others as they stand."""
    said: dict[str, ActionForm] = {name: getattr(form, name) for name in ACTIONS}

    def order(name: str) -> tuple[bool, bool, float]:
        uplift = said[name].uplift
        return name != FIRST, uplift is None, 0.0 if uplift is None else -uplift

    ranked = sorted(ACTIONS, key=order)
    return Actions(
        {
            name: Action(name, rank, name == FIRST or said[name].propose, said[name].uplift)
            for rank, name in enumerate(ranked, 1)
        },
        dict(form.capacity),
    )
