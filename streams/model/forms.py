"""What the files of a model may say: their records, from which the JSON Schemas that editors use are made.

`python -m streams.model.forms` writes schemas/*.schema.json again.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from streams.model.aspects import LANGUAGES
from streams.model.vocabulary import ASPECTS, CASE_ROLES, MILESTONES

SCHEMAS = Path(__file__).parent / "schemas"
STAGES = ("exploring", *MILESTONES)
"""What a journey's status can be."""

Severity = Literal["low", "medium", "high", "critical"]
Word = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Duration = Annotated[str, Meta(pattern="^[0-9]{1,9}[smhd]$", description='A length of time: "90s", "15m", "24h", "7d"')]


class Form(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A record of a file, in which every field that there is not is a mistake."""


class ModelForm(Form, frozen=True):
    """model.toml: what the model is called, and how its files go together with what comes with Rihla."""

    name: Annotated[str, Meta(min_length=1, max_length=100, description="What people call this model")] = "model"
    touchpoints: Annotated[
        Literal["add", "replace"],
        Meta(description="Whether touchpoints.csv is added to the catalogue of Rihla, or takes its place"),
    ] = "add"
    alerts: Annotated[
        Literal["add", "replace"],
        Meta(description="Whether alerts.toml is added to the rules of Rihla, or takes their place"),
    ] = "replace"


class StageForm(Form, frozen=True):
    """What ends a stage when nothing more is heard."""

    lasts: Annotated[Duration | None, Meta(description="How long it holds after the last that was heard")] = None
    then: Annotated[Word | None, Meta(description="What the journey is then assumed to be")] = None
    plan: Annotated[
        Literal["arrival", "departure", "none"],
        Meta(
            description="What of the booking's plan ends it, where arrival (and nights) are known; then lasts is unused"
        ),
    ] = "none"
    grace: Annotated[Duration, Meta(description="How long after the end of the planned day it still holds")] = "1d"


class KindForm(Form, frozen=True):
    """A kind of identifiers; the order of the file is the order of strength."""

    name: Annotated[Word, Meta(description="As events name it")]
    limit: Annotated[
        Limit | None, Meta(description="How many distinct ones a weaker identifier may have before it is shared")
    ] = None
    scope: Annotated[
        Literal["company", "brand"],
        Meta(description="brand: equal values of two brands are two; company: they are one"),
    ] = "company"


Name = Annotated[str, Meta(min_length=1)]


class BrandForm(Form, frozen=True):
    """A brand."""

    name: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,31}$", description="As the attribute of events names it")]
    units: Annotated[list[str], Meta(description="Its units, as patterns: LON-*")] = []
    care_centre: Annotated[Name | None, Meta(description="Who has to act on its alerts where no unit is known")] = None


class IdentifiersForm(Form, frozen=True):
    """identifiers.toml: who is who."""

    kind: Annotated[list[KindForm], Meta(min_length=1, max_length=29)]
    default_limit: Annotated[int, Meta(ge=1, le=1000, description="The limit of every other kind")] = 5
    block: Annotated[list[str], Meta(description="Values that are nobody, in any case: a test account, a desk")] = []
    brand: Annotated[list[BrandForm], Meta(description="The brands, where a kind is scoped by brand")] = []
    brand_attribute: Annotated[str, Meta(description="The attribute of an event that names its brand")] = "brand"
    default_brand: Annotated[str | None, Meta(description="The brand of an event that tells none")] = None
    care_centre: Annotated[
        Name | None,
        Meta(description="Who has to act on alerts without unit and brand, or of a brand that has none"),
    ] = None


class ScaleForm(Form, frozen=True):
    """A survey scale of the company's own, which events name by their attribute `scale`."""

    name: Annotated[Word, Meta(description="As the attribute names it")]
    instrument: Annotated[
        Literal["nps", "csat", "ces", "stars"], Meta(description="The instrument whose figures count its answers")
    ]
    low: Annotated[float, Meta(description="The answer that means the instrument's least")]
    high: Annotated[
        float, Meta(description="The answer that means its most; a smaller number than low, if that is good")
    ]


class ScalesForm(Form, frozen=True):
    """scales.toml: survey scales beside NPS, CSAT, CES and stars."""

    scale: list[ScaleForm]


class SlaForm(Form, frozen=True):
    """How soon alerts are taken and settled; the first of the file that fits an alert holds."""

    respond: Annotated[Duration, Meta(description="Within what time somebody must react")]
    resolve: Annotated[Duration, Meta(description="Within what time it must be settled")]
    severities: Annotated[list[Severity], Meta(description="Of these severities; left out: of all")] = []
    brands: Annotated[list[str], Meta(description="Of these brands; left out: of all")] = []
    tiers: Annotated[list[str], Meta(description="Of customers of these loyalty tiers; left out: of all")] = []


class SlaFile(Form, frozen=True):
    """sla.toml: how soon alerts are taken and settled."""

    sla: Annotated[list[SlaForm], Meta(min_length=1)]


Pattern = Annotated[str, Meta(min_length=1, max_length=200, pattern="^[^\\[\\]?]+$")]
"""Of units: `*` stands for any text."""


class TargetForm(Form, frozen=True):
    """What is wanted of a metric. Of a unit the first of the file that fits holds."""

    metric: Annotated[
        Literal["nps", "csat", "ces", "sentiment"],
        Meta(description="nps: -100 to 100; csat: per cent; ces: mean, 1 to 7; sentiment: mean score, -1 to 1"),
    ]
    target: Annotated[float, Meta(ge=-100, le=100, description="At least so much, in the metric's own unit")]
    period: Annotated[
        Literal["day", "week", "month", "quarter", "year"],
        Meta(description="In each of the calendar; weeks from Monday"),
    ] = "month"
    units: Annotated[
        list[Pattern], Meta(description="Each unit that fits (MAKKAH-*) by itself; left out: all units together")
    ] = []
    minimum: Annotated[int, Meta(ge=2, le=1_000_000, description="Fewest answers by which it is judged")] = 30


class TargetsFile(Form, frozen=True):
    """targets.toml: what is wanted of metrics, by unit and period."""

    target: list[TargetForm] = []


class DoneForm(Form, frozen=True):
    """What was done, of which the effect is measured."""

    name: Annotated[str, Meta(min_length=1, max_length=200, description="What was done: mended bus 12")]
    on: Annotated[date, Meta(description="First day on which it could be felt")]
    units: Annotated[list[Pattern], Meta(min_length=1, description="Where (MAKKAH-*); other units are compared with")]
    metrics: Annotated[
        list[Literal["nps", "csat", "sentiment"]], Meta(description="What it was to change; left out: all three")
    ] = []
    days: Annotated[int, Meta(ge=7, le=365, description="Days before it, and from it on, that are compared")] = 28
    not_compared: Annotated[list[Pattern], Meta(description="Units that are not comparable")] = []


class RegisterFile(Form, frozen=True):
    """register.toml: what was done, and where."""

    action: list[DoneForm] = []


class ActionForm(Form, frozen=True):
    """What is known of an action for a customer."""

    propose: Annotated[bool, Meta(description="Whether it is proposed")] = True
    uplift: Annotated[
        float | None, Meta(description="What it changes (rihla uplift): of those that were measured the best first")
    ] = None


class ActionsFile(Form, frozen=True):
    """actions.toml: what is proposed for customers, and how many can be called."""

    capacity: Annotated[
        dict[str, Annotated[int, Meta(ge=0, le=1_000_000)]],
        Meta(description="Calls a day, by pattern of units (MAKKAH-*); of a unit the first that fits"),
    ] = {}
    answer_alert: ActionForm = ActionForm()
    call_about_case: ActionForm = ActionForm()
    manager_call: ActionForm = ActionForm()
    follow_up_detractor: ActionForm = ActionForm()
    tell_improvement: ActionForm = ActionForm()
    prepare_stay: ActionForm = ActionForm()
    ask_for_review: ActionForm = ActionForm()


def _stages() -> dict[str, Any]:
    schema = msgspec.json.schema(StageForm)
    return {
        "title": "stages.toml",
        "type": "object",
        "properties": {stage: {"$ref": "#/$defs/StageForm"} for stage in STAGES},
        "additionalProperties": False,
        "$defs": schema["$defs"],
    }


def _touchpoints() -> dict[str, Any]:
    """Of a line of touchpoints.csv, for editors that complete CSV by JSON Schema."""
    return {
        "title": "touchpoints.csv",
        "type": "object",
        "required": ["name", "channel", "doc"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "pattern": "^(booking|check_in|stay|post_travel)\\.[a-z][a-z0-9_]*$"},
            "channel": {"enum": ["booking", "check_in", "stay", "post_travel"]},
            "milestone": {"enum": ["", *MILESTONES]},
            "prior": {"description": "Sentiment in [-1, 1], or empty; none of milestones", "type": "string"},
            "effort": {"description": "From 1 (nothing) to 7 (a great deal), or empty", "type": "string"},
            "case_role": {"enum": ["", *CASE_ROLES]},
            "aspect": {"type": "string"},
            "doc": {"type": "string", "minLength": 1},
        },
    }


def _aspects() -> dict[str, Any]:
    """Of a line of aspects.csv."""
    return {
        "title": "aspects.csv",
        "type": "object",
        "required": ["name", "doc"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$", "examples": [*ASPECTS]},
            "parent": {"description": "The wider aspect that it is a part of, or empty", "type": "string"},
            "language": {"description": "Of the words, or empty", "enum": ["", *LANGUAGES]},
            "words": {"description": "Words and phrases by which texts speak of it, joined by ;", "type": "string"},
            "doc": {"type": "string", "minLength": 1},
        },
    }


def schemas() -> dict[str, str]:
    """The JSON Schemas, by name of the file."""
    from streams.model.guests import GuestsForm  # which is made of what stands here

    made = {
        "model": msgspec.json.schema(ModelForm),
        "stages": _stages(),
        "identifiers": msgspec.json.schema(IdentifiersForm),
        "scales": msgspec.json.schema(ScalesForm),
        "sla": msgspec.json.schema(SlaFile),
        "actions": msgspec.json.schema(ActionsFile),
        "targets": msgspec.json.schema(TargetsFile),
        "register": msgspec.json.schema(RegisterFile),
        "touchpoints": _touchpoints(),
        "guests": msgspec.json.schema(GuestsForm),
        "aspects": _aspects(),
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {f"{name}.schema.json": json.dumps(head | schema, indent=2) + "\n" for name, schema in made.items()}


if __name__ == "__main__":
    SCHEMAS.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (SCHEMAS / name).write_text(text, encoding="utf-8")
