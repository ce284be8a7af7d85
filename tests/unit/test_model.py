"""The company's model: what its folder may say, how a mistake in it is told, and what its hash tells apart."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import polars as pl
import pytest
from click.testing import CliRunner

from streams.alerts.match import Matcher
from streams.alerts.rules import RuleError, of
from streams.cli.main import cli
from streams.doctor.configuration import findings
from streams.model import company, forms
from streams.model.company import load
from streams.model.identifiers import BUILT_IN
from streams.model.readers import ModelError
from streams.settings import Settings
from tests.support.sink_rows import NOON, frame, interaction

BRANDS = """
default_brand = "noor"
[[kind]]
name = "customer"
limit = 1
scope = "brand"
[[kind]]
name = "loyalty"
limit = 2
[[kind]]
name = "device"
[[brand]]
name = "noor"
units = ["MAK-*"]
[[brand]]
name = "safa"
units = ["JED-*", "LON-1"]
"""


ASPECTS = "name,parent,language,words,doc\n"


def folder(path: Path, **files: str) -> str:
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text, "utf-8")
    return str(path)


def test_what_comes_with_rihla_is_what_the_code_knows() -> None:
    own = company.built_in()
    assert own.kinds.names == BUILT_IN.names
    assert own.kinds.limits == BUILT_IN.limits
    assert own.kinds.default_limit == BUILT_IN.default_limit
    assert own.scopes is None
    assert {*own.stages} <= {*forms.STAGES}
    assert load() is own


def test_an_empty_folder_is_rihlas_own_model(tmp_path: Path) -> None:
    assert load(str(tmp_path)).hash == company.built_in().hash


def test_touchpoints_are_added_or_take_the_place_of_the_catalogue(tmp_path: Path) -> None:
    head = "name,channel,milestone,prior,effort,case_role,aspect,doc\n"
    line = "stay.spa_visited,stay,,0.4,1,,,Somebody was at the spa\n"
    added = load(folder(tmp_path, touchpoints__csv=head + line))
    assert added.touchpoints["stay.spa_visited"].prior == 0.4
    assert len(added.touchpoints) == len(company.built_in().touchpoints) + 1
    alone = load(folder(tmp_path, model__toml='touchpoints = "replace"\n'))
    assert {*alone.touchpoints} == {"stay.spa_visited"}
    assert len({company.built_in().hash, added.hash, alone.hash}) == 3


def test_the_hash_is_of_what_is_meant(tmp_path: Path) -> None:
    one = load(folder(tmp_path, stages__toml='[booked]\nlasts = "24h"\nthen = "lapsed"\n'))
    same = load(folder(tmp_path, stages__toml='# of a day\n[booked]\nthen = "lapsed"\nlasts = "1d"\n'))
    other = load(folder(tmp_path, stages__toml='[booked]\nthen = "lapsed"\nlasts = "2d"\n'))
    assert one.hash == same.hash != other.hash


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("stages.toml", '\n[in_stay]\nlasts = "30d"\nthen = "x"\n[sleeping]\n', "line 5: 'sleeping' is no stage"),
        ("stages.toml", '[in_stay]\n\nlasts = "soon"\n', "stages.toml, line 3: lasts"),
        ("stages.toml", '[booked]\n[in_stay]\nlast = "1d"\n', "line 3: Object contains unknown field `last`"),
        ("stages.toml", '[in_stay]\nlasts = "1d"\n', "line 1: [in_stay] needs both lasts and then"),
        ("stages.toml", '[in_stay]\nplan = "departure"\n', "has a plan, and no lasts"),
        ("stages.toml", "[in_stay", "line 1: not TOML"),
        ("identifiers.toml", '[[kind]]\nname = "loyalty"\n', "line 2: the first kind, the strongest,"),
        ("identifiers.toml", '[[kind]]\nname = "customer"\n[[kind]]\nname = "x"\nlimit = 0\n', "line 5: kind.limit"),
        ("identifiers.toml", BRANDS.replace('default_brand = "noor"', ""), "line 6: customer is scoped by brand"),
        ("identifiers.toml", BRANDS.replace('= "noor"', '= "nour"', 1), "line 2: default_brand 'nour' is none of"),
        ("touchpoints.csv", "name,channel\n", "touchpoints.csv: the first line must be"),
        ("touchpoints.csv", "name,channel,milestone,prior,effort,case_role,aspect,doc\nstay.x,bar,,,,,,y\n", "line 2"),
        ("preferences.csv", "source,name,match,key,value,doc\nsense,x,,k,*,\n", "line 2: source 'sense' is none of"),
        ("aspects.csv", "name,doc\n", "aspects.csv, line 1: must be name,parent,language,words,doc"),
        ("aspects.csv", ASPECTS + "spa,,xx,bath,The spa\n", "line 2: language 'xx' is none of"),
        ("aspects.csv", ASPECTS + "spa,,en,,The spa\n", "line 2: words (joined by ;) need their language"),
        ("aspects.csv", ASPECTS + "spa,roof,en,bath,The spa\n", "line 2: parent 'roof' is none of"),
        ("scales.toml", '[[scale]]\nname = "s"\ninstrument = "csat"\nlow = 1\nhigh = 1\n', "line 2: the scale 's' has"),
        ("scales.toml", '[[scale]]\nname = "s"\ninstrument = "smile"\nlow = 1\nhigh = 2\n', "line 3: scale.instrument"),
        ("touchpoint.csv", "", "is no file of a model; there are model.toml, touchpoints.csv"),
        ("model.toml", 'touchpoints = "instead"\n', "model.toml, line 1: touchpoints: Invalid enum value"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ModelError) as caught:
        load(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert told in str(caught.value)
    assert caught.value.hint
    (problem,) = [one for one in findings(Settings(model=str(tmp_path)), {}) if one.verdict == "problem"]
    assert told in problem.detail


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        load(str(tmp_path / "none"))


def test_the_published_schemas_are_those_of_the_forms_and_take_rihlas_own_files() -> None:
    for name, text in forms.schemas().items():
        assert (forms.SCHEMAS / name).read_text("utf-8") == text, "python -m streams.model.forms"
    for name in ("stages", "identifiers"):
        schema = json.loads((forms.SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
        jsonschema.validate(tomllib.loads((company.FOLDER / f"{name}.toml").read_text("utf-8")), schema)


def test_a_model_is_made_and_checked(tmp_path: Path) -> None:
    path, run = tmp_path / "mine", CliRunner()
    assert run.invoke(cli, ["model", "init", str(path)]).exit_code == 0
    assert load(str(path)).hash == company.built_in().hash
    checked = run.invoke(cli, ["model", "check", str(path)])
    assert checked.exit_code == 0
    assert company.built_in().hash in checked.output
    again = run.invoke(cli, ["model", "init", str(path)])
    assert again.exit_code == 1
    assert "is there already" in str(again.exception)


RULE = '[noise]\nseverity = "low"\nreason = "{{touchpoint}}"\nwhen = [{{ {} }}]\nclose.case_roles = ["resolve"]\n'
ROW = interaction(
    "customer:1", NOON, touchpoint="stay.noise_reported", unit="JED-7", package="umrah_VIP", delay_minutes=45,
    country="SA", money={"amount_minor": 12_500, "currency": "KWD"},
    attributes=[{"key": "loyalty_tier", "value": "Gold"}],
)  # fmt: skip
OTHER = interaction("customer:2", NOON, touchpoint="stay.noise_reported", attributes=[])


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("fields = { delay_minutes = { at_least = 45 } }", True),
        ("fields = { delay_minutes = { at_least = 46 } }", False),
        ('fields = { medium = ["web"], package = ["UMRAH_vip"] }', True),
        ('packages = ["umrah_vip"]', True),
        ('packages = ["hajj"]', False),
        ('countries = ["SA", "AE"]', True),
        ('loyalty_tiers = ["gold", "platinum"]', True),
        ('attributes = { loyalty_tier = ["silver"] }', False),
        ("money = { at_least = 12.5 }", True),
        ("money = { at_least = 12.501 }", False),
        ('money = { currency = "KWD", at_most = 13 }', True),
        ('money = { currency = "SAR", at_most = 13 }', False),
        ('units = ["MAK-*", "JED-?"]', True),
        ('units = ["MAK-*"]', False),
        ('brands = ["safa"]', True),
        ('brands = ["noor"]', False),
    ],
)
def test_conditions_of_an_alert(tmp_path: Path, condition: str, holds: bool) -> None:
    model = load(folder(tmp_path, alerts__toml=RULE.format(condition), identifiers__toml=BRANDS))
    matcher = Matcher(of(model))
    log = frame("interaction", ROW, OTHER).with_columns(subject=pl.lit("customer:1"))
    said = matcher.watched(log, NOON)
    assert (0 in said) == holds
    # the other event has the default brand, noor, and says nothing else but web
    assert (1 in said) == (condition == 'brands = ["noor"]')


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("fields = { delay = 3 }", "line 4: noise: when: fields has 'delay', which is no field"),
        ("fields = { medium = { at_least = 3 } }", "has a bound for medium, which is no number"),
        ("money = { currency = 'XXY' }", "ISO 4217 does not know"),
        ("money = { least = 3 }", "has 'least' for money; there are at_least and at_most"),
        ('brands = ["kaaba"]', "has 'kaaba', and the model's brands are noor, safa"),
        ("units = []", "units must be a list of texts that is not empty"),
        ("fields = 1", "fields must be a table such as"),
    ],
)
def test_a_mistake_in_a_condition(tmp_path: Path, condition: str, told: str) -> None:
    with pytest.raises(RuleError) as caught:
        of(load(folder(tmp_path, alerts__toml=RULE.format(condition), identifiers__toml=BRANDS)))
    assert told in str(caught.value)


def test_a_rule_may_name_the_models_own_touchpoints(tmp_path: Path) -> None:
    head = "name,channel,milestone,prior,effort,case_role,aspect,doc\n"
    line = "stay.spa_closed,stay,,-0.4,1,,,The spa was closed\n"
    text = RULE.format('touchpoints = ["stay.spa_closed"]')
    model = load(folder(tmp_path, alerts__toml=text, touchpoints__csv=head + line, model__toml='alerts = "add"\n'))
    rules = of(model)
    assert rules["noise"].when[0].touchpoints == frozenset({"stay.spa_closed"})
    assert "detractor" in rules


def test_targets_are_read_checked_and_no_part_of_the_hash(tmp_path: Path) -> None:
    wanted = '[[target]]\nmetric = "nps"\ntarget = 40\n[[target]]\nmetric = "csat"\ntarget = 85\nunits = ["MAK-*"]\n'
    found = load(folder(tmp_path, targets__toml=wanted))
    assert [(one.metric, one.period, one.target, one.units) for one in found.targets] == [
        ("nps", "month", 40.0, ()),
        ("csat", "month", 85.0, ("MAK-*",)),
    ]
    assert [one.fits(unit) for one in found.targets for unit in ("MAK-1", "JED-1")] == [False, False, True, False]
    assert found.hash == load().hash  # what is wanted changes no table: nothing is rebuilt
    for text, said in (
        (wanted + '[[target]]\nmetric = "nps"\ntarget = 50\n', "line 9: nps of all units in a month is there twice"),
        ('[[target]]\nmetric = "ces"\ntarget = 40\n', "line 3: ces goes from 1 to 7"),
        ('[[target]]\nmetric = "wow"\ntarget = 40\n', "line 2: target.metric"),
    ):
        with pytest.raises(ModelError, match=said):
            load(folder(tmp_path, targets__toml=text))


def test_the_register_is_read_and_no_part_of_the_hash(tmp_path: Path) -> None:
    done = '[[action]]\nname = "mended bus 12"\non = 2026-05-03\nunits = ["MAK-1"]\n'
    found = load(folder(tmp_path, register__toml=done))
    assert [(one.name, str(one.on), one.units, one.days) for one in found.register] == [
        ("mended bus 12", "2026-05-03", ["MAK-1"], 28)
    ]
    assert found.hash == load().hash
    for text, said in (
        (done * 2, "line 6: the action 'mended bus 12' is there twice"),
        (done.replace('units = ["MAK-1"]', ""), "units"),
    ):
        with pytest.raises(ModelError, match=said):
            load(folder(tmp_path, register__toml=text))
