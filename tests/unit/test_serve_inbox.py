"""The inbox: how soon alerts and cases must be answered, and by whom."""

from __future__ import annotations

from pathlib import Path

from streams.model.company import built_in, load
from streams.serve import view
from streams.serve.inbox import HOUR, deadlines_of, inbox
from streams.serve.store import Store


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


def test_a_case_without_a_unit_waits_for_who_has_to_act_on_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    case = {"touchpoint": "post_travel.complaint_made", "status": "open", "opened_at": 1, "reopened_at": None}
    case |= {"first_response_at": None, "contacts": 1, "unit": None, "withdrawn": False, "customer_id": "a"}
    told = [
        case | {"case_id": "K", "unit_basis": "last_stay", "owner": "MAK-1", "version": 1},
        case | {"case_id": "L", "unit_basis": "none", "owner": "CARE-NOOR", "version": 1},
        case | {"case_id": "M", "unit": "JED-1", "version": 1},  # of a version that did not say
    ]

    def lines(unit: str) -> list[tuple[str, str]]:
        with store.reading() as reading:
            found = inbox(reading, deadlines_of(built_in()), [unit])["items"]
        return [(one["id"], one["owner"]) for one in found]

    with store.writing() as writing:
        for row in told:
            view.case(writing, row)
    assert lines("MAK-1") == [("K", "MAK-1")]
    assert lines("CARE-NOOR") == [("L", "CARE-NOOR")]
    assert lines("JED-1") == [("M", "JED-1")]
    with store.writing() as writing:  # an event came late: it was another hotel
        view.case(writing, told[0] | {"owner": "JED-1", "version": 2})
        view.case(writing, told[2] | {"owner": "JED-1", "unit_basis": "own", "version": 2})
    assert lines("MAK-1") == []
    assert sorted(lines("JED-1")) == [("K", "JED-1"), ("M", "JED-1")]
