"""The company's model: a folder that says what its events mean, read once, and passed on as an argument.

| file | says |
| --- | --- |
| `model.toml` | its name, and whether touchpoints and alerts are added to Rihla's own |
| `touchpoints.csv` | the catalogue of touchpoints, milestones among them |
| `stages.toml` | how long stages hold when nothing more is heard |
| `identifiers.toml` | kinds of identifiers: strength, limits, scope, what is nobody; brands |
| `preferences.csv` | how preferences are found |
| `aspects.csv` | aspects of its own, and words for aspects |
| `scales.toml` | survey scales of its own |
| `alerts.toml` | rules of alerts (streams.alerts.rules) |
| `actions.toml` | what is proposed for customers, and how many can be called (streams.model.actions) |
| `guests.toml` | what guests are asked and told (streams.guest) |
| `sla.toml` | how soon alerts are to be taken and settled (streams.model.sla) |
| `segments.toml` | segments of customers (streams.segments.rules) |
| `register.toml` | what was done and where, to measure its effect (streams.trends) |
| `targets.toml` | what is wanted of metrics, by unit and period (streams.model.targets) |

Each may be absent: Rihla's own then holds. Tables are a function of the events and of the model; its `hash` tells one
version from another by what it means, whatever its comments and order of keys.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from streams.errors import RihlaError
from streams.model import actions, aspects, catalogue, guests, preferences, targets
from streams.model.actions import Actions
from streams.model.aspects import Aspect, AspectError
from streams.model.brands import Brands, Scopes
from streams.model.catalogue import CatalogueError, Touchpoint
from streams.model.durations import milliseconds
from streams.model.forms import (
    STAGES,
    ActionsFile,
    DoneForm,
    IdentifiersForm,
    ModelForm,
    RegisterFile,
    ScalesForm,
    SlaFile,
    StageForm,
    TargetsFile,
)
from streams.model.guests import Guests
from streams.model.identifiers import CUSTOMER, GROUP, Kinds
from streams.model.normal import Nobody
from streams.model.places import line_of
from streams.model.preferences import Preference, PreferenceError
from streams.model.scales import Scale, Scales
from streams.model.sla import Sla, of_form
from streams.model.targets import Target
from streams.model.vocabulary import SEVERITIES

FOLDER: Final = Path(__file__).parent
RULES: Final = FOLDER.parent / "alerts" / "rules.toml"
"""The rules of alerts that come with Rihla."""
FILES: Final = {
    "model.toml": None,
    "touchpoints.csv": catalogue.FILE,
    "stages.toml": FOLDER / "stages.toml",
    "identifiers.toml": FOLDER / "identifiers.toml",
    "preferences.csv": preferences.FILE,
    "aspects.csv": None,
    "scales.toml": None,
    "alerts.toml": RULES,
    "guests.toml": FOLDER / "guests.toml",
    "sla.toml": FOLDER / "sla.toml",
    "actions.toml": FOLDER / "actions.toml",
    "segments.toml": FOLDER / "segments.toml",
    "targets.toml": FOLDER / "targets.toml",
    "register.toml": FOLDER / "register.toml",
}
"""The files that a model may have, with those that hold where it has none."""
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


@dataclass(frozen=True, eq=False)
class Model:
    """One version of what events mean. Not to be changed."""

    name: str
    source: str
    """Its folder, or "built in"."""
    touchpoints: Mapping[str, Touchpoint]
    stages: Mapping[str, Stage]
    kinds: Kinds
    block: tuple[str, ...]
    """Values that are nobody, beside those of nobody.txt."""
    brands: Brands
    preferences: tuple[Preference, ...]
    aspects: tuple[Aspect, ...]
    """Its own, and words for them, beside Rihla's."""
    scales: Scales
    rules: Mapping[str, Any]
    """Rules of alerts as the files have them; streams.alerts.rules reads them."""
    rules_text: str
    rules_source: str
    guests: Guests
    """What guests are asked and told."""
    sla: tuple[Sla, ...]
    """Of an alert the first that fits holds."""
    actions: Actions
    segments: Mapping[str, Any]
    """Segments as the file has them; streams.segments.rules reads them."""
    segments_text: str
    segments_source: str
    targets: tuple[Target, ...] = ()
    """What is wanted; no part of what events mean, and so of the hash."""
    register: tuple[DoneForm, ...] = ()
    """What was done; no part of the hash either."""

    @property
    def scopes(self) -> Scopes | None:
        """How identifiers are scoped by brand; None where none is."""
        return Scopes(self.kinds.scoped, self.brands) if self.kinds.scoped else None

    @functools.cached_property
    def meaning(self) -> str:
        """All that it says, as JSON with sorted keys."""
        said = {
            "touchpoints": [asdict(self.touchpoints[name]) | {"doc": ""} for name in sorted(self.touchpoints)],
            "stages": {name: asdict(stage) for name, stage in self.stages.items()},
            "kinds": [(kind, self.kinds.limit(kind), kind in self.kinds.scoped) for kind in self.kinds.names],
            "default_limit": self.kinds.default_limit,
            "block": sorted(self.block),
            "brands": [[*self.brands.units.items()], self.brands.attribute, self.brands.default],
            "preferences": [asdict(one) | {"doc": ""} for one in self.preferences],
            "rules": self.rules,
            "guests": asdict(self.guests)
            | {"surveys": [asdict(one) | {"after": sorted(one.after)} for one in self.guests.surveys]},
            "sla": [asdict(one) for one in self.sla],
            "actions": asdict(self.actions),
            "segments": {name: _without_doc(table) for name, table in self.segments.items()},
        }
        if self.aspects:  # a model that has none keeps the hash that it had before there were any
            said["aspects"] = [asdict(one) | {"doc": ""} for one in self.aspects]
        if self.brands.care:
            said["care"] = [(name or "", one) for name, one in self.brands.care.items()]
        if self.scales:
            said["scales"] = {name: asdict(scale) for name, scale in self.scales.items()}
        return json.dumps(said, sort_keys=True, ensure_ascii=False, default=str)

    def asks(self, key: str) -> bool:
        """Whether a segment has a condition of this key."""
        conditions = [
            one for table in self.segments.values() if isinstance(table, dict) for one in table.get("when", ())
        ]
        return any(isinstance(one, dict) and key in one for one in conditions)

    def nobody(self, values: Iterable[str] = ()) -> Nobody:
        """What names nobody: the model's block list, and further values (those of a setting)."""
        return Nobody((*values, *self.block))

    @functools.cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that tell this version from any other."""
        return hashlib.sha256(self.meaning.encode()).hexdigest()[:12]


def load(folder: str | None = None, alert_rules: str | None = None) -> Model:
    """The model of a folder; None: the one that comes with Rihla. Raises ModelError.

    alert_rules: path of a file of rules that takes the place of the model's own.
    """
    model = built_in() if folder is None else _read(Path(folder))
    if alert_rules is None:
        return model
    text, rules = _toml(Path(alert_rules), f"alert rules {alert_rules}")
    return replace(model, rules=rules, rules_text=text, rules_source=alert_rules)


@functools.cache
def built_in() -> Model:
    """The model that comes with Rihla."""
    text, rules = _toml(RULES, RULES.name)
    kinds, block, brands = _identifiers(FOLDER / "identifiers.toml")
    touchpoints = catalogue.load()
    return Model(
        name="built in",
        source="built in",
        touchpoints=touchpoints,
        stages=_stages(FOLDER / "stages.toml"),
        kinds=kinds,
        block=block,
        brands=brands,
        preferences=preferences.load(),
        aspects=(),
        scales={},
        rules=rules,
        rules_text=text,
        rules_source=RULES.name,
        guests=_guests(FOLDER / "guests.toml", touchpoints, None),
        sla=_sla(FOLDER / "sla.toml"),
        actions=_actions(FOLDER / "actions.toml"),
        segments={},
        segments_text="",
        segments_source="segments.toml",
    )


def _read(folder: Path) -> Model:
    if not folder.is_dir():
        raise ModelError(f"model {folder}: there is no such folder", "rihla model init FOLDER makes one: RIHLA_MODEL")
    own = built_in()
    there = {one.name for one in folder.iterdir() if not one.name.startswith((".", "_")) and one.is_file()}
    odd = sorted(name for name in there - FILES.keys() if name.endswith((".toml", ".csv")))
    if odd:
        raise ModelError(f"{folder / odd[0]}: is no file of a model; there are {', '.join(FILES)}", HINT)
    form = ModelForm()
    if "model.toml" in there:
        text, table = _toml(folder / "model.toml")
        form = _convert(folder / "model.toml", text, table, ModelForm)
    model = replace(own, name=form.name, source=str(folder))
    try:
        if "aspects.csv" in there:
            model = replace(model, aspects=aspects.load(folder / "aspects.csv"))
        if "touchpoints.csv" in there:
            said = catalogue.load(folder / "touchpoints.csv", tuple(aspects.parents(model.aspects)))
            model = replace(model, touchpoints=said if form.touchpoints == "replace" else {**own.touchpoints, **said})
        if "preferences.csv" in there:
            model = replace(model, preferences=preferences.load(folder / "preferences.csv"))
    except (AspectError, CatalogueError, PreferenceError, OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder}/{error}", HINT) from error
    if "stages.toml" in there:
        model = replace(model, stages=_stages(folder / "stages.toml"))
    if "scales.toml" in there:
        model = replace(model, scales=_scales(folder / "scales.toml"))
    if "identifiers.toml" in there:
        kinds, block, brands = _identifiers(folder / "identifiers.toml")
        model = replace(model, kinds=kinds, block=block, brands=brands)
    if "alerts.toml" in there:
        text, rules = _toml(folder / "alerts.toml")
        if form.alerts == "add":
            rules, text = {**own.rules, **rules}, text
        model = replace(model, rules=rules, rules_text=text, rules_source=str(folder / "alerts.toml"))
    if "guests.toml" in there:
        model = replace(model, guests=_guests(folder / "guests.toml", model.touchpoints, own.guests))
    if "sla.toml" in there:
        model = replace(model, sla=_sla(folder / "sla.toml"))
    if "actions.toml" in there:
        model = replace(model, actions=_actions(folder / "actions.toml"))
    if "segments.toml" in there:
        text, segments = _toml(folder / "segments.toml")
        model = replace(model, segments=segments, segments_text=text, segments_source=str(folder / "segments.toml"))
    if "targets.toml" in there:
        model = replace(model, targets=_targets(folder / "targets.toml"))
    if "register.toml" in there:
        model = replace(model, register=_register(folder / "register.toml"))
    return model


def _without_doc(table: Any) -> Any:
    return {key: value for key, value in table.items() if key != "doc"} if isinstance(table, dict) else table


def _actions(path: Path) -> Actions:
    text, table = _toml(path)
    return actions.of_form(_convert(path, text, table, ActionsFile))


def _register(path: Path) -> tuple[DoneForm, ...]:
    text, table = _toml(path)
    found = tuple(_convert(path, text, table, RegisterFile).action)
    for place, one in enumerate(found):
        if one.name in [other.name for other in found[:place]]:
            line = line_of(text, "action", place, "name")
            raise ModelError(f"{path}, line {line}: the action {one.name!r} is there twice", HINT)
    return found


def _targets(path: Path) -> tuple[Target, ...]:
    text, table = _toml(path)
    found = tuple(targets.of_form(one) for one in _convert(path, text, table, TargetsFile).target)
    for place, one in enumerate(found):
        low, high = targets.BOUNDS[one.metric]
        if not low <= one.target <= high:
            line = line_of(text, "target", place, "target")
            raise ModelError(f"{path}, line {line}: {one.metric} goes from {low:g} to {high:g}", HINT)
        same = [(other.metric, other.period) for other in found[:place] if not other.units and not one.units]
        if (one.metric, one.period) in same:
            line = line_of(text, "target", place, "metric")
            raise ModelError(f"{path}, line {line}: {one.metric} of all units in a {one.period} is there twice", HINT)
    return found


def _sla(path: Path) -> tuple[Sla, ...]:
    text, table = _toml(path)
    form = _convert(path, text, table, SlaFile)
    found = tuple(of_form(one) for one in form.sla)
    for severity in SEVERITIES:
        if not any(severity in one.severities and not one.brands and not one.tiers for one in found):
            raise ModelError(
                f"{path}, line {len(text.splitlines())}: nothing is said of {severity} alerts of any brand and tier: "
                "end with a [[sla]] for them",
                HINT,
            )
    return found


def _toml(path: Path, called: str | None = None) -> tuple[str, dict[str, Any]]:
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


def _convert(path: Path, text: str, value: Any, kind: type[T], table: str | None = None) -> T:
    """A record of a file. table: the one that it is. Raises ModelError, with the line."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$")
        unknown = re.search(r"unknown field `([^`]+)`", message)
        steps = re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", place.rstrip("`"))
        names = [name for name, _ in steps if name]
        numbers = [int(number) for _, number in steps if number.isdigit()]
        key = unknown[1] if unknown else (names[-1] if names else None)
        inner = table or (names[0] if numbers else None)
        line = line_of(text, inner, numbers[0] if numbers else 0, key)
        said = f"{'.'.join(names)}: {message}" if names else message
        raise ModelError(f"{path}, line {line}: {said}", HINT) from error


def _guests(path: Path, touchpoints: Mapping[str, Touchpoint], own: Guests | None) -> Guests:
    text, table = _toml(path)
    try:
        return guests.checked(_convert(path, text, table, guests.GuestsForm), touchpoints, own)
    except guests.GuestsError as error:
        line = line_of(text, error.table, error.number, error.key)
        raise ModelError(f"{path}, line {line}: {error}", HINT) from error


def _stages(path: Path) -> dict[str, Stage]:
    text, tables = _toml(path)
    stages = {}
    for name, table in tables.items():
        where = f"{path}, line {line_of(text, name)}"
        if name not in STAGES:
            raise ModelError(f"{where}: {name!r} is no stage; there are {', '.join(STAGES)}", HINT)
        form = _convert(path, text, table, StageForm, name)
        if (form.lasts is None) != (form.then is None):
            raise ModelError(f"{where}: [{name}] needs both lasts and then, or neither", HINT)
        if form.plan != "none" and form.lasts is None:
            raise ModelError(f"{where}: [{name}] has a plan, and no lasts for journeys that have none", HINT)
        grace = milliseconds(form.grace)
        assert grace is not None  # the form has checked
        lasts = None if form.lasts is None else milliseconds(form.lasts)
        stages[name] = Stage(lasts, form.then, form.plan, grace)
    return stages


def _scales(path: Path) -> Scales:
    text, table = _toml(path)
    scales: dict[str, Scale] = {}
    for place, form in enumerate(_convert(path, text, table, ScalesForm).scale):
        where = f"{path}, line {line_of(text, 'scale', place, 'name')}"
        if form.name in scales:
            raise ModelError(f"{where}: the scale {form.name!r} is there twice", HINT)
        if form.low == form.high:
            raise ModelError(f"{where}: the scale {form.name!r} has one answer alone: low is high", HINT)
        scales[form.name] = Scale(form.instrument, form.low, form.high)
    return scales


def _identifiers(path: Path) -> tuple[Kinds, tuple[str, ...], Brands]:
    text, table = _toml(path)
    form = _convert(path, text, table, IdentifiersForm)

    def fail(message: str, kind: int = 0, key: str | None = None, of: str | None = "kind") -> ModelError:
        return ModelError(f"{path}, line {line_of(text, of, kind, key)}: {message}", HINT)

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
