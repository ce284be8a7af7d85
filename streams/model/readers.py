"""Reads the TOML files of a model (streams.model.company says which), each into what the rest of Rihla is given.

Whatever is wrong is a ModelError that names file and line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from streams.errors import RihlaError
from streams.model import actions, guests, targets
from streams.model.actions import Actions
from streams.model.brands import Brands
from streams.model.catalogue import Touchpoint
from streams.model.durations import milliseconds
from streams.model.forms import (
    STAGES,
    ActionsFile,
    DoneForm,
    IdentifiersForm,
    RegisterFile,
    ScalesForm,
    SlaFile,
    StageForm,
    TargetsFile,
)
from streams.model.guests import Guests
from streams.model.identifiers import CUSTOMER, GROUP, Kinds
from streams.model.places import ANY, line_of, steps
from streams.model.scales import Scale, Scales
from streams.model.sla import Sla, of_form
from streams.model.targets import Target
from streams.model.vocabulary import SEVERITIES

HINT: Final = "rihla model check FOLDER reads it again; docs/model.md explains each file"

T = TypeVar("T")


class ModelError(RihlaError):
    """A model that cannot be used; the message names file, line and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What ends a stage when nothing more is heard; durations in ms."""

    lasts: int | None
    """After the last that was heard; None: it holds."""
    then: str | None
    """What the journey is then assumed to be."""
    plan: str
    """arrival, departure or none: which day of the plan ends it, where it is known."""
    grace: int
    """After the end of that day."""


def toml(path: Path, called: str | None = None) -> tuple[str, dict[str, Any]]:
    """Text and tables of a TOML file. Raises ModelError."""
    called = called or str(path)
    try:
        text = path.read_text("utf-8-sig")
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        where = f"{called}, line {at[1] if at else len(text.splitlines())}"  # else: at the end of the document
        raise ModelError(f"{where}: not TOML: {error}", HINT) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{called}: {error}", HINT) from error


def convert(path: Path, text: str, value: Any, kind: type[T], table: str | None = None) -> T:
    """A record of a file. table: the one that it is. Raises ModelError, with the line."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        within = steps(place)
        # A key that there is not, or that is none of those that may be: it is not in msgspec's path.
        key = re.search(r"unknown field `([^`]+)`" if "unknown field" in message else r"value '([^']+)'", message)
        last = key[1] if key and ("unknown field" in message or place.startswith("`key`")) else None
        names = ".".join(step for step in within if isinstance(step, str) and step != ANY)
        said = f"{names}: {message}" if names else message
        raise ModelError(f"{path}, line {line_of(text, (table, *within, last))}: {said}", HINT) from error


def read_stages(path: Path) -> dict[str, Stage]:
    """stages.toml: stage -> what ends it. Raises ModelError."""
    text, tables = toml(path)
    stages = {}
    for name, table in tables.items():
        where = f"{path}, line {line_of(text, (name,))}"
        if name not in STAGES:
            raise ModelError(f"{where}: {name!r} is no stage; there are {', '.join(STAGES)}", HINT)
        form = convert(path, text, table, StageForm, name)
        if (form.lasts is None) != (form.then is None):
            raise ModelError(f"{where}: [{name}] needs both lasts and then, or neither", HINT)
        if form.plan != "none" and form.lasts is None:
            raise ModelError(f"{where}: [{name}] has a plan, and no lasts for journeys that have none", HINT)
        grace = milliseconds(form.grace)
        assert grace is not None  # the form has checked
        lasts = None if form.lasts is None else milliseconds(form.lasts)
        stages[name] = Stage(lasts, form.then, form.plan, grace)
    return stages


def read_scales(path: Path) -> Scales:
    """scales.toml: name -> scale. Raises ModelError."""
    text, table = toml(path)
    scales: dict[str, Scale] = {}
    for place, form in enumerate(convert(path, text, table, ScalesForm).scale):
        where = f"{path}, line {line_of(text, ('scale', place, 'name'))}"
        if form.name in scales:
            raise ModelError(f"{where}: the scale {form.name!r} is there twice", HINT)
        if form.low == form.high:
            raise ModelError(f"{where}: the scale {form.name!r} has one answer alone: low is high", HINT)
        scales[form.name] = Scale(form.instrument, form.low, form.high)
    return scales


def read_identifiers(path: Path) -> tuple[Kinds, tuple[str, ...], Brands]:
    """identifiers.toml: kinds, values that are nobody, brands. Raises ModelError."""
    text, table = toml(path)
    form = convert(path, text, table, IdentifiersForm)

    def fail(message: str, kind: int = 0, key: str | None = None, of: str | None = "kind") -> ModelError:
        return ModelError(f"{path}, line {line_of(text, (of, kind if of else None, key))}: {message}", HINT)

    names = [kind.name for kind in form.kind]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise fail(f"the kind {name!r} is there twice", place, "name")
        if name == "booking_ref":
            raise fail("booking_ref is the name of bookings, and no kind of a person's identifiers", place, "name")
        if name == GROUP:
            raise fail("group is the name of groups, and no kind of a person's identifiers", place, "name")
    if names[0] != CUSTOMER:
        raise fail(
            f"the first kind, the strongest, must be {CUSTOMER!r}: the id that the system of record gives", 0, "name"
        )
    brands = [brand.name for brand in form.brand]
    if twice := next((name for name in brands if brands.count(name) > 1), None):
        raise fail(f"the brand {twice!r} is there twice", brands.index(twice), "name", "brand")
    scoped = [kind.name for kind in form.kind if kind.scope == "brand"]
    if scoped and form.default_brand is None:
        raise fail(
            f"{scoped[0]} is scoped by brand: say default_brand, the brand of events that tell none",
            names.index(scoped[0]),
            "scope",
        )
    if form.default_brand is not None and form.default_brand not in brands:
        raise fail(
            f"default_brand {form.default_brand!r} is none of the brands: {', '.join(brands) or 'there are none'}",
            0,
            "default_brand",
            None,
        )
    limits = {kind.name: kind.limit for kind in form.kind if kind.limit is not None}
    units = {brand.name: tuple(brand.units) for brand in form.brand}
    care = {brand.name: brand.care_centre for brand in form.brand} | {None: form.care_centre}
    return (
        Kinds(names, limits, form.default_limit, scoped),
        tuple(form.block),
        Brands(
            units,
            form.brand_attribute,
            form.default_brand,
            {name: one for name, one in care.items() if one is not None},
        ),
    )


def read_guests(path: Path, touchpoints: Mapping[str, Touchpoint], own: Guests | None) -> Guests:
    """guests.toml. own: what holds where the file says nothing. Raises ModelError."""
    text, table = toml(path)
    try:
        return guests.checked(convert(path, text, table, guests.GuestsForm), touchpoints, own)
    except guests.GuestsError as error:
        line = line_of(text, error.path)
        raise ModelError(f"{path}, line {line}: {error}", HINT) from error


def read_sla(path: Path) -> tuple[Sla, ...]:
    """sla.toml, in its order. Raises ModelError."""
    text, table = toml(path)
    form = convert(path, text, table, SlaFile)
    found = tuple(of_form(one) for one in form.sla)
    for severity in SEVERITIES:
        if not any(severity in one.severities and not one.brands and not one.tiers for one in found):
            raise ModelError(
                f"{path}, line {len(text.splitlines())}: nothing is said of {severity} alerts of any brand and tier: "
                "end with a [[sla]] for them",
                HINT,
            )
    return found


def read_actions(path: Path) -> Actions:
    """actions.toml. Raises ModelError."""
    text, table = toml(path)
    return actions.of_form(convert(path, text, table, ActionsFile))


def read_targets(path: Path) -> tuple[Target, ...]:
    """targets.toml, in its order. Raises ModelError."""
    text, table = toml(path)
    found = tuple(targets.of_form(one) for one in convert(path, text, table, TargetsFile).target)
    for place, one in enumerate(found):
        low, high = targets.BOUNDS[one.metric]
        if not low <= one.target <= high:
            line = line_of(text, ("target", place, "target"))
            raise ModelError(f"{path}, line {line}: {one.metric} goes from {low:g} to {high:g}", HINT)
        same = [(other.metric, other.period) for other in found[:place] if not other.units and not one.units]
        if (one.metric, one.period) in same:
            line = line_of(text, ("target", place, "metric"))
            raise ModelError(f"{path}, line {line}: {one.metric} of all units in a {one.period} is there twice", HINT)
    return found


def read_register(path: Path) -> tuple[DoneForm, ...]:
    """register.toml, in its order. Raises ModelError."""
    text, table = toml(path)
    found = tuple(convert(path, text, table, RegisterFile).action)
    for place, one in enumerate(found):
        if one.name in [other.name for other in found[:place]]:
            line = line_of(text, ("action", place, "name"))
            raise ModelError(f"{path}, line {line}: the action {one.name!r} is there twice", HINT)
    return found
