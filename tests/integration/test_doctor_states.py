"""`rihla doctor` says that states are of a version that kept less, and which command mends that."""

from __future__ import annotations

from sinks.clickhouse import models
from streams.doctor.clickhouse import states
from streams.doctor.finding import Finding
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, NOON, frame, journey


def test_states_of_an_older_version_are_told_with_what_mends_them(clickhouse: ClickHouse) -> None:
    def found() -> list[Finding]:
        return [*states(clickhouse.database, clickhouse.client.command)]

    clickhouse.migrated()
    ledger = "INSERT INTO schema_migrations (name, checksum, applied_at) "
    assert found() == []  # of this version from its start
    clickhouse.write("journeys", frame("journey", journey("a", "R1", NOON, NOON + DAY)))
    assert found() == []
    # The same with 0.1.0's migrations, and the others when it was upgraded.
    clickhouse.client.command("TRUNCATE TABLE schema_migrations")
    for name, at in (("0033_profile_flow", "2026-01-01 00:00:00"), ("0034_units", "2026-11-30 00:00:00")):
        clickhouse.client.command(f"{ledger} VALUES ('{name}', '', '{at}')")
    (told,) = found()
    assert told.verdict == "note"
    assert "before 2026-11-30" in told.detail
    assert "care centre" in told.detail
    assert str(told.remedy).startswith("rihla rebuild")
    models.begin(clickhouse.client, NOON, 1)  # what rihla rebuild does first
    assert found() == []
    case = {"case_id": "K", "customer_id": "a", "status": "open", "opened_at": NOON, "version": 1}
    clickhouse.write("cases", frame("case", case))
    (told,) = found()
    assert "1 open case" in told.detail
    clickhouse.write("cases", frame("case", case | {"unit_basis": "none", "version": 2}))
    assert found() == []
