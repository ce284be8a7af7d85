"""Calls and uplift in ClickHouse: who is a candidate, what is logged, what followed, what verify decides again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from streams.uplift import store, study
from streams.uplift.calls import Candidate, allocate
from streams.verify.calls import calls as verified
from tests.support.clickhouse import ClickHouse
from tests.support.sink_rows import DAY, frame, interaction, journey

NOW = int(time.time() * 1000)
TODAY = datetime.fromtimestamp(NOW / 1000, UTC).date()


def test_candidates_log_and_what_followed(clickhouse: ClickHouse) -> None:
    clickhouse.migrated()
    opened = {"opened_at": NOW - 6 * DAY, "status": "open", "touchpoint": "stay.complaint_made"}
    who = [f"C{number}" for number in range(4)]
    known = {"first_event_at": NOW - 9 * DAY, "last_event_at": NOW}
    spoken = [{"key": "language", "value": "ar", "evidence": 1, "last_at": NOW}]
    clickhouse.write(
        "customers",
        frame("customer", *({"customer_id": one, "value": one, "preferences": spoken, **known} for one in who)),
    )
    clickhouse.write("cases", frame("case", *({"customer_id": one, "case_id": f"K{one}", **opened} for one in who)))
    about = {"action": "call_about_case", "reason": "", "begins_at": NOW - 4 * DAY, "ends_at": None}
    todo = ({"customer_id": one, "actions": [{**about, "evidence": f"case K{one}"}]} for one in who)
    clickhouse.write("next-actions", frame("next_action", *todo))
    calling = TODAY - timedelta(days=40)
    begun = NOW - 40 * DAY
    events = [interaction(f"customer:{one}", begun - DAY, unit="MAK-1") for one in who]
    # After the calls of that day C0 felt well, and C1 badly; the others said nothing.
    events += [
        interaction(f"customer:{one}", begun + 5 * DAY, score=score, score_weight=1.0)
        for one, score in (("C0", 0.8), ("C1", -0.6))
    ]
    clickhouse.write("interactions", frame("interaction", *events))
    clickhouse.write(
        "journeys",
        frame("journey", journey("C0", "R", begun + 9 * DAY, begun + 9 * DAY, booked_at=begun + 9 * DAY)),
    )
    with clickhouse.connect() as client:
        found = store.candidates(client)
        assert [(one.customer_id, one.unit, one.action, one.language, one.case) for one in found] == [
            (one, "MAK-1", "call_about_case", "ar", "stay.complaint_made") for one in who
        ]
        made = allocate(found, {"MAK-*": 2}, calling)
        store.save(client, calling, made, {"MAK-1": 2})
        assert store.decided(client, calling) == {"MAK-1"}
        assert [row[2] for row in store.chosen(client, calling)] == [
            call.candidate.customer_id for call in made if call.chosen
        ]
        assert verified(client).differences.height == 0
        calls = store.followed(client, TODAY, 30)
        by = {bool(row["chosen"]): [] for row in calls.iter_rows(named=True)}
        for row, call in zip(calls.iter_rows(named=True), made, strict=True):
            expected = {"C0": 0.4, "C1": -0.3}.get(call.candidate.customer_id, 0.0)
            assert abs(row["sentiment"] - expected) < 1e-9
            assert row["returned"] == float(call.candidate.customer_id == "C0")
            by[row["chosen"]].append(expected)
        (felt,) = (one for one in study.uplifts(calls) if one.outcome == "sentiment")
        assert (felt.draws, felt.called, felt.not_called) == (1, 2, 2)
        assert abs(felt.uplift - (sum(by[True]) - sum(by[False])) / 2) < 1e-9
        assert store.followed(client, calling + timedelta(days=5), 30)["sentiment"].null_count() == 4
        clickhouse.client.command("ALTER TABLE calls_store UPDATE propensity = 0.9 WHERE 1 SETTINGS mutations_sync = 2")
        assert verified(client).differences.height == 4
        other = [Candidate("D", "JED-1", "manager_call", 3, "x")]
        store.save(client, calling, allocate(other, {}, calling), {"JED-1": 0})
        assert store.chosen(client, calling, ["JED-1"]) == []
