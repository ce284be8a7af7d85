"""Pictures of answers: what is drawn, where on the scale, and what each named query says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.named import load
from sinks.clickhouse.plots import PLOTS, TIMES, plot_of
from streams.cli.query_plot import Mark, chart, draw, fitting, lines, picture, strip, suited, target
from streams.errors import RihlaError

NPS = [
    {"segment": "web", "nps": 20.0, "margin": 5.0, "n": 1200},
    {"segment": "kiosk", "nps": -40.0, "margin": None, "n": 3},
    {"segment": "", "nps": None, "margin": None, "n": 0},
]


@pytest.mark.parametrize("name", PLOTS)
def test_a_picture_names_columns_that_its_query_has(name: str) -> None:
    assert PLOTS[name].columns() <= {column for column, _ in load()[name].columns}


def test_times_make_a_line_and_what_no_picture_suits_says_what_does() -> None:
    assert [plot_of("nps", by).kind for by in (None, "channel", *TIMES)] == ["bars", "bars", "line", "line", "line"]
    with pytest.raises(click.UsageError, match=r"no picture suits people: its rows are a list to read.*nps"):
        suited("people", None)
    with pytest.raises(click.UsageError, match=r"ends in \.png or \.svg"):
        target("nps.txt")
    assert target("-") is None


def test_bars_in_a_terminal() -> None:
    shown = [str(line) for line in lines(picture("NPS of all", PLOTS["nps"], NPS, "by channel"), 80)]
    assert shown[0] == "NPS of all"
    web, kiosk, unknown = shown[2:5]
    assert web.startswith("web ")
    assert "20 ± 5" in web
    assert web.endswith("n 1,200")
    assert "├" in web
    assert "├" not in kiosk
    assert "-40 " in kiosk
    assert web.index("█") > kiosk.index("█")
    assert unknown.startswith("(not known)")
    assert "unknown" in unknown
    assert "█" not in unknown
    assert {len(line) for line in shown[2:5]} == {80}
    assert shown[5] == "by channel"


def test_a_funnel_says_shares_and_rows_alike_are_added_up() -> None:
    funnel = picture(
        "Funnel", PLOTS["funnel"], [{"stage": "booked", "journeys": 8}, {"stage": "completed", "journeys": 2}]
    )
    assert "25 %" in str(lines(funnel, 60)[3])
    weeks = [
        {"week": week, "advocate": more} for week, more in (("2024-01-08", 3), ("2024-01-01", 1), ("2024-01-08", -1))
    ]
    marks = picture("Net flow", PLOTS["net_flow"], weeks).marks
    assert [(mark.label, mark.value) for mark in marks] == [("2024-01-01", 1), ("2024-01-08", 2)]
    many = picture("Many", PLOTS["nps"], [{**NPS[0], "segment": str(at)} for at in range(50)])
    assert (len(many.marks), many.notes[0]) == (40, "the first 40 of 50 are drawn")
    with pytest.raises(RihlaError, match="nothing to draw"):
        picture("None", PLOTS["nps"], [])


def test_answers_by_several_things_and_compared_ones_are_drawn_as_well() -> None:
    several = fitting(PLOTS["nps"], ("unit", "channel", "n", "nps", "margin"), "unit,channel")
    row = {**NPS[0], "unit": "M1", "channel": "stay"}
    assert picture("NPS", several, [row]).marks[0].label == "M1 / stay"
    compared = fitting(PLOTS["csat"], ("segment", "n", "csat", "difference", "difference_low", "difference_high"), "")
    row = {"segment": "all", "n": 9, "csat": 43.0, "difference": -8.0, "difference_low": -20.0, "difference_high": 4.0}
    [mark] = picture("CSAT", compared, [row]).marks
    assert (mark.value, mark.low, mark.high, compared.axis) == (-8, -20, 4, "difference of CSAT, per cent")
    with pytest.raises(RihlaError, match="no column margin"):
        fitting(PLOTS["nps"], ("segment", "n", "nps"), "")


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(10, 200), st.booleans())
def test_a_strip_is_as_wide_as_asked_and_its_ends_are_in_order(
    value: float, margin: float, width: int, dots: bool
) -> None:
    low, high = value - margin, value + margin
    drawn = strip(Mark("a", value, low, high), (min(0.0, low), max(0.0, high)), width, dots)
    assert len(drawn) == width
    if "├" in drawn and "┤" in drawn:
        assert drawn.index("├") < drawn.index("┤")
    assert ("●" in drawn) == dots


def test_files_hold_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = picture("Net Promoter Score", PLOTS["nps"], NPS)
    draw(shown, tmp_path / "nps.svg")
    svg = (tmp_path / "nps.svg").read_text("utf-8")
    assert [
        text for text in ("Net Promoter Score", "20 ± 5", "(n 1,200)", "kiosk", "(not known)") if text not in svg
    ] == []
    draw(shown, tmp_path / "nps.png")
    assert (tmp_path / "nps.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nps.png", "nps.svg"]
    months = [{**NPS[0], "segment": f"2024-0{at}"} for at in (3, 1, 2)]
    line = json.loads(chart(picture("NPS", plot_of("nps", "month"), months)).to_json())
    assert {layer["mark"]["type"] for layer in line["layer"]} == {"rule", "area", "line"}
    assert [row["label"] for row in line["layer"][1]["data"]["values"]] == ["2024-01", "2024-02", "2024-03"]
