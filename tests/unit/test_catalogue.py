"""The touchpoint catalogue, and what is refused in it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from schemas import records
from streams.model import catalogue, vocabulary
from streams.model.catalogue import CatalogueError

HEADER = "name,channel,milestone,prior,effort,case_role,aspect,doc"


def test_the_catalogue_covers_every_channel_milestone_role_and_aspect() -> None:
    touchpoints = catalogue.load().values()
    assert len(touchpoints) >= 100
    for channel in records.CHANNELS:
        assert sum(touchpoint.channel == channel for touchpoint in touchpoints) >= 20
    assert {touchpoint.case_role for touchpoint in touchpoints} == {None, *vocabulary.CASE_ROLES}
    top = {name for name, parent in vocabulary.ASPECT_PARENTS.items() if parent is None}
    spoken = {"smell", "ambience", "facilities", "entertainment", "general"}  # texts alone tell of these
    assert {touchpoint.aspect for touchpoint in touchpoints} == {None, *top} - spoken


def test_the_parents_of_aspects_are_aspects_without_parents() -> None:
    parents = {parent for parent in vocabulary.ASPECT_PARENTS.values() if parent is not None}
    assert all(vocabulary.ASPECT_PARENTS[parent] is None for parent in parents)


def test_each_milestone_is_one_touchpoint() -> None:
    milestones = {t.milestone: t.name for t in catalogue.load().values() if t.milestone}
    assert milestones == {
        "booked": "booking.confirmed",
        "cancelled": "booking.cancelled",
        "no_show": "check_in.no_show",
        "checked_in": "check_in.completed",
        "in_stay": "stay.arrived",
        "completed": "stay.checked_out",
    }
    assert sorted(vocabulary.MILESTONES.values()) == [1, 2, 3, 4, 5, 6]
    statuses = {f["name"]: f for f in records.inlined("journey")["fields"]}["status"]["type"]["symbols"]
    assert set(vocabulary.MILESTONES) == set(statuses) - {"exploring"}


def test_milestones_and_surveys_presume_no_sentiment() -> None:
    for touchpoint in catalogue.load().values():
        survey = touchpoint.name.endswith(("survey_answered", "nps_answered", "csat_answered", "ces_answered"))
        if touchpoint.milestone or survey:
            assert touchpoint.prior is None, touchpoint.name


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("booking.payment_failed", -1),
        ("check_in.denied_boarding", -1),
        ("check_in.baggage_lost", -1),
        ("check_in.upgraded", 1),
        ("stay.halal_breach", -1),
        ("stay.complaint_made", -1),
        ("stay.complaint_resolved", 1),
        ("post_travel.referral_made", 1),
        ("post_travel.improvement_told", 1),
    ],
)
def test_what_happened_speaks_for_itself(name: str, sign: int) -> None:
    prior = catalogue.load()[name].prior
    assert prior is not None
    assert prior * sign > 0


def test_every_opened_case_can_be_answered_and_resolved_in_its_channel() -> None:
    by_channel: dict[str, set[str | None]] = {}
    for touchpoint in catalogue.load().values():
        by_channel.setdefault(touchpoint.channel, set()).add(touchpoint.case_role)
    for roles in by_channel.values():
        assert {"open", "contact", "response", "resolve"} <= roles


def test_the_frame_is_the_catalogue_to_join_with() -> None:
    frame = catalogue.frame()
    assert frame.height == len(catalogue.load())
    assert frame.columns == ["touchpoint", *HEADER.split(",")[1:]]
    assert frame.schema["prior"] == pl.Float64
    row = frame.filter(pl.col("touchpoint") == "stay.halal_breach").row(0, named=True)
    assert (row["case_role"], row["aspect"], row["prior"]) == ("open", "halal_food", -1.0)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["stay.a,stay,,,,,,Once", "stay.a,stay,,,,,,Twice"], "line 3: stay.a is there twice"),
        (["spa.a,spa,,,,,,Doc"], "line 2: channel 'spa' is none of booking"),
        (["stay.a,booking,,,,,,Doc"], "'stay.a' is not booking. and then words"),
        (["stay.A b,stay,,,,,,Doc"], "'stay.A b' is not stay. and then words"),
        (["stay.,stay,,,,,,Doc"], "'stay.' is not stay. and then words"),
        (["stay.a,stay,,,,,,"], "stay.a has no doc"),
        (["stay.a,stay,lunch,,,,,Doc"], "milestone 'lunch' is none of booked"),
        (["stay.a,stay,,-1.5,,,,Doc"], "prior -1.5 is not from -1 to 1"),
        (["stay.a,stay,,bad,,,,Doc"], "prior 'bad' is no number"),
        (["stay.a,stay,,nan,,,,Doc"], "prior nan is not from -1 to 1"),
        (["stay.a,stay,,,8,,,Doc"], "effort 8 is not from 1 to 7"),
        (["stay.a,stay,,,,closes,,Doc"], "case_role 'closes' is none of open"),
        (["stay.a,stay,,,,,weather,Doc"], "aspect 'weather' is none of halal_food"),
        (["stay.a,stay,in_stay,0.5,,,,Doc"], "stay.a is a milestone, which has no prior"),
        (["stay.a,stay,,,,,Doc"], "8 values are due"),
        (["stay.a,stay,,,,,,Doc,more"], "8 values are due"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    path = tmp_path / "touchpoints.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    with pytest.raises(CatalogueError, match=rf"touchpoints\.csv, .*{message}"):
        catalogue.load(path)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "touchpoints.csv"
    path.write_text("name,doc\nstay.a,Doc\n")
    with pytest.raises(CatalogueError, match="the first line must be name,channel"):
        catalogue.load(path)
