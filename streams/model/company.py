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
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from streams.model import aspects, catalogue, preferences
from streams.model.actions import Actions
from streams.model.aspects import Aspect, AspectError
from streams.model.brands import Brands, Scopes
from streams.model.catalogue import CatalogueError, Touchpoint
from streams.model.forms import (
    DoneForm,
    ModelForm,
)
from streams.model.guests import Guests
from streams.model.identifiers import Kinds
from streams.model.normal import Nobody
from streams.model.preferences import Preference, PreferenceError
from streams.model.readers import (
    HINT,
    ModelError,
    Stage,
    convert,
    read_actions,
    read_guests,
    read_identifiers,
    read_register,
    read_scales,
    read_sla,
    read_stages,
    read_targets,
    toml,
)
from streams.model.scales import Scales
from streams.model.sla import Sla
from streams.model.targets import Target

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
    text, rules = toml(Path(alert_rules), f"alert rules {alert_rules}")
    return replace(model, rules=rules, rules_text=text, rules_source=alert_rules)


@functools.cache
def built_in() -> Model:
    """The model that comes with Rihla."""
    text, rules = toml(RULES, RULES.name)
    kinds, block, brands = read_identifiers(FOLDER / "identifiers.toml")
    touchpoints = catalogue.load()
    return Model(
        name="built in",
        source="built in",
        touchpoints=touchpoints,
        stages=read_stages(FOLDER / "stages.toml"),
        kinds=kinds,
        block=block,
        brands=brands,
        preferences=preferences.load(),
        aspects=(),
        scales={},
        rules=rules,
        rules_text=text,
        rules_source=RULES.name,
        guests=read_guests(FOLDER / "guests.toml", touchpoints, None),
        sla=read_sla(FOLDER / "sla.toml"),
        actions=read_actions(FOLDER / "actions.toml"),
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
        text, table = toml(folder / "model.toml")
        form = convert(folder / "model.toml", text, table, ModelForm)
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
        model = replace(model, stages=read_stages(folder / "stages.toml"))
    if "scales.toml" in there:
        model = replace(model, scales=read_scales(folder / "scales.toml"))
    if "identifiers.toml" in there:
        kinds, block, brands = read_identifiers(folder / "identifiers.toml")
        model = replace(model, kinds=kinds, block=block, brands=brands)
    if "alerts.toml" in there:
        text, rules = toml(folder / "alerts.toml")
        if form.alerts == "add":
            rules, text = {**own.rules, **rules}, text
        model = replace(model, rules=rules, rules_text=text, rules_source=str(folder / "alerts.toml"))
    if "guests.toml" in there:
        model = replace(model, guests=read_guests(folder / "guests.toml", model.touchpoints, own.guests))
    if "sla.toml" in there:
        model = replace(model, sla=read_sla(folder / "sla.toml"))
    if "actions.toml" in there:
        model = replace(model, actions=read_actions(folder / "actions.toml"))
    if "segments.toml" in there:
        text, segments = toml(folder / "segments.toml")
        model = replace(model, segments=segments, segments_text=text, segments_source=str(folder / "segments.toml"))
    if "targets.toml" in there:
        model = replace(model, targets=read_targets(folder / "targets.toml"))
    if "register.toml" in there:
        model = replace(model, register=read_register(folder / "register.toml"))
    return model


def _without_doc(table: Any) -> Any:
    return {key: value for key, value in table.items() if key != "doc"} if isinstance(table, dict) else table
