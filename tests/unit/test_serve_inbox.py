"""The inbox asks the model how soon alerts and cases must be answered."""

from __future__ import annotations

from pathlib import Path

from streams.model.company import built_in, load
from streams.serve.inbox import HOUR, deadlines_of


def test_deadlines_are_those_of_the_model(tmp_path: Path) -> None:
    raised = {"severity": "high", "brand": "noor", "tier": None}
    assert deadlines_of(built_in()).of_alert(raised) == HOUR
    (tmp_path / "sla.toml").write_text(
        '[[sla]]\nseverities = ["high"]\nbrands = ["Noor"]\nrespond = "10m"\nresolve = "1h"\n\n'
        '[[sla]]\nrespond = "2h"\nresolve = "9h"\n'
    )
    own = deadlines_of(load(str(tmp_path)))
    assert own.of_alert(raised) == HOUR // 6
    assert own.of_alert({"severity": "high"}) == 2 * HOUR  # a row of before alerts had brand and tier


def test_deadlines_of_cases_are_the_delays_of_their_rules() -> None:
    own = deadlines_of(built_in())
    assert (own.case_response, own.case_resolution) == (24 * HOUR, 5 * 24 * HOUR)
