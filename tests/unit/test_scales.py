"""Aspects and survey scales of a company's own: what enrich writes under such a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streams.enrich.transform import Enricher
from streams.model.company import built_in, load
from streams.model.scales import Scale
from tests.unit.test_enrich_clear import NOW, REGISTRY, STORED, ids, payload
from tests.unit.test_model import ASPECTS, folder

SCALES = """
[[scale]]
name = "smileys"
instrument = "csat"
low = 1
high = 3

[[scale]]
name = "school"
instrument = "csat"
low = 6
high = 1
"""


def enriched(path: Path, *events: dict[str, Any], **files: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The interactions of events of channel stay under a model, and the reasons of those that are refused."""
    values = [
        payload(event_id=f"00000000-0000-4000-8000-{at:012}", ids=ids(("customer", f"C-{at + 1}")), **event)
        for at, event in enumerate(events)
    ]
    found = Enricher(REGISTRY, model=load(folder(path, **files))).enrich({"stay": values}, NOW)
    return STORED.decode(found.values).frame.sort("event_id").to_dicts(), [reason for _, reason, _ in found.refused]


def answer(score: float, scale: str | None, instrument: str = "csat") -> dict[str, Any]:
    said = [] if scale is None else [{"key": "scale", "value": scale}]
    return {"survey": {"instrument": instrument, "score": score}, "attributes": said}


@pytest.mark.parametrize(
    ("scale", "given", "told"),
    [
        (Scale("csat", 1, 3), (1, 2, 3), (1, 3, 5)),
        (Scale("csat", 6, 1), (6, 1, 3.5), (1, 5, 3)),
        (Scale("nps", 0, 100), (0, 87, 100), (0, 8.7, 10)),
        (Scale("ces", 5, 1), (5, 3, 1), (1, 4, 7)),
    ],
)
def test_answers_are_those_of_the_instrument(scale: Scale, given: tuple[float, ...], told: tuple[float, ...]) -> None:
    assert tuple(map(scale.on_instrument, given)) == told


def test_enrich_counts_them_as_answers_of_the_instrument_and_keeps_what_was_said(tmp_path: Path) -> None:
    rows, refused = enriched(
        tmp_path,
        answer(3, "smileys", "stars"),
        answer(5, "school"),
        answer(4, None),
        answer(4, "unheard_of"),
        answer(7, "smileys"),
        scales__toml=SCALES,
    )
    shown = [(row["survey"]["instrument"], row["survey"]["score"], row["score"]) for row in rows]
    assert shown == [("csat", 5.0, 1.0), ("csat", 1.8, -0.6), ("csat", 4.0, 0.5), ("csat", 4.0, 0.5)]
    assert [[(one["key"], one["value"]) for one in row["attributes"]] for row in rows] == [
        [("scale_smileys", "3")],
        [("scale_school", "5")],
        [],
        [("scale", "unheard_of")],
    ]
    assert refused == ["bad_survey"]


def test_texts_speak_of_the_companys_aspects_in_its_words(tmp_path: Path) -> None:
    lines = "shuttle,transfer,en,hop-on van; minivan,The van\nprayer,,en,=zamzam,Its water\n"
    text = "The minivan was dirty and awful. The zamzam was wonderful."
    (row,), _ = enriched(tmp_path, {"text": text}, aspects__csv=ASPECTS + lines)
    found = {one["aspect"]: one["score"] for one in row["aspects"]}
    assert found["shuttle"] < 0 < found["prayer"]
    assert found["transfer"] == found["shuttle"]  # a part of it
    (tmp_path / "none").mkdir()
    (plain,), _ = enriched(tmp_path / "none", {"text": text})
    assert not {"shuttle", "prayer"} & {one["aspect"] for one in plain["aspects"]}


def test_a_touchpoint_may_be_about_one_and_the_version_tells(tmp_path: Path) -> None:
    head = "name,channel,milestone,prior,effort,case_role,aspect,doc\n"
    model = load(
        folder(
            tmp_path,
            aspects__csv=ASPECTS + "spa,,,,The spa\n",
            touchpoints__csv=head + "stay.spa_visited,stay,,0.4,1,,spa,Somebody was at the spa\n",
            scales__toml=SCALES,
        )
    )
    assert model.touchpoints["stay.spa_visited"].aspect == "spa"
    assert model.hash != built_in().hash
    assert [*model.scales] == ["smileys", "school"]
