"""What another model would make of the same events, told without writing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streams.cli.main import cli
from streams.model.company import built_in, load
from streams.verify import store
from streams.verify.whatif import columns, differences
from tests.integration.test_attribution import event, stored
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON

HOUR = DAY // 24
HEAD = "name,channel,milestone,prior,effort,case_role,aspect,doc\n"
RULES = """
[noise]
severity = "low"
reason = "{touchpoint}"
scope = "event"
when = [{ touchpoints = ["stay.noise_reported"], units = ["LON-*"] }]
close.case_roles = ["resolve"]
[case_unanswered]
severity = "high"
reason = "{touchpoint}"
scope = "case"
after = "2h"
when = [{ case_roles = ["open"] }]
close.case_roles = ["response", "resolve"]
"""


def said(who: str, after: int, touchpoint: str, unit: str, **given: Any) -> dict[str, Any]:
    """An event of a booking of the customer's name, so long after NOON."""
    channel = touchpoint.partition(".")[0]
    return event(who, NOON + after, channel, booking_ref=who.upper(), touchpoint=touchpoint, unit=unit, **given)


def test_what_differs(clickhouse: ClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clickhouse.migrated()
    stored(
        clickhouse,
        # the key is something good under the other model
        said("a", 0, "booking.confirmed", "LON-1"),
        *(said("a", n, "stay.key_collected", "LON-1") for n in range(1, 9)),
        said("a", DAY, "stay.noise_reported", "LON-1"),
        said("b", DAY, "stay.noise_reported", "PAR-1"),
        # answered after five hours: in time by Rihla's rule of a day, late by the other one of two hours; not resolved
        said("c", 0, "stay.complaint_made", "PAR-1", case_id="K"),
        said("c", 5 * HOUR, "stay.complaint_answered", "PAR-1", case_id="K"),
        # answered after 30 hours: late by either, and told 22 hours earlier
        said("d", 0, "stay.complaint_made", "PAR-1", case_id="L"),
        said("d", 30 * HOUR, "stay.complaint_answered", "PAR-1", case_id="L"),
    )
    (tmp_path / "touchpoints.csv").write_text(HEAD + "stay.key_collected,stay,,0.9,1,,,The key\n", "utf-8")
    (tmp_path / "stages.toml").write_text('[booked]\nlasts = "3650d"\nthen = "lapsed"\n', "utf-8")
    (tmp_path / "alerts.toml").write_text(RULES, "utf-8")
    other = load(str(tmp_path))
    log = store.log(clickhouse.client, columns(built_in(), other))
    found = {one.title: one.rows.rows() for one in differences(log, built_in(), other, NOON + 600 * DAY)}
    assert found["journeys by status"] == []
    assert found["journeys by what holds now"] == [
        ("booked", 0, 1),
        ("dormant", 3, 0),
        ("exploring", 0, 3),
        ("lapsed", 1, 0),
    ]
    assert found["customers by profile"] == [("advocate", 0, 1), ("non_committal", 4, 3)]
    assert found["identifiers by customer"] == []
    rows = found["alerts a day by rule and unit"]
    assert all(owner == unit for _, unit, owner, _, _ in rows)
    alerts = {(rule, unit): (before, after) for rule, unit, _, before, after in rows}
    # in five days, from the first to the last: overdue cases are told after five days, and by one model only
    assert alerts[("noise", "LON-1")] == (0, 0.2)
    assert ("noise", "PAR-1") not in alerts
    assert alerts[("case_unanswered", "PAR-1")] == (0.2, 0.4)
    assert alerts[("case_overdue", "PAR-1")] == (0.4, 0)
    assert found["customers reached by an alert"] == [(1, 0, 2, 70.0, 0)]  # a newly; c 118 hours earlier, d 22
    assert found["NPS by unit"] == []
    same = differences(log, built_in(), built_in(), NOON)
    assert all(one.rows.is_empty() for one in same)

    before = clickhouse.rows("SELECT count() FROM models_store")
    monkeypatch.setenv("RIHLA_MODEL", str(tmp_path))
    run = CliRunner().invoke(
        cli, ["whatif", "--model", str(tmp_path), "--clickhouse", clickhouse.url, "--database", clickhouse.database]
    )
    assert run.exit_code == 0, run.output
    assert run.output.count("no difference") == len(same)
    assert clickhouse.rows("SELECT count() FROM models_store") == before
