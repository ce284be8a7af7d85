"""Customer 360 out of the view, on rows as the topics have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streams.loop.answers import letters
from streams.model.company import built_in, load
from streams.serve.customer import document, find, open_alerts, search, to_do, unit_day
from streams.serve.inbox import deadlines_of, inbox
from streams.serve.store import Memory
from streams.serve.view import APPLY, CONTACTS_KEPT, bury, forget
from tests.support.serving import DAY, NOON, alert, case, customer, identity, interaction, journey


def viewed(**rows: Any) -> Memory:
    view = Memory()
    for record, several in rows.items():
        for row in several:
            APPLY[record](view, row)
    return view


def test_a_customer_is_found_by_every_name_and_booking() -> None:
    view = viewed(
        identity=[identity("loyalty:L7", "C1"), identity("email_sha256:ab", "C1"), identity("booking_ref:B9", "C1")],
        customer=[customer("C1"), customer("device:d1")],
        journey=[journey("C1", "B1")],
    )
    for name in ("C1", "customer:C1", "L7", "loyalty:L7", "ab", "email_sha256:ab", "B1", "booking_ref:B1", "B9"):
        assert find(view, name) == ["C1"], name
    assert find(view, "d1") == find(view, "device:d1") == ["device:d1"]
    assert find(view, "L8") == []


def test_who_moved_to_another_customer_is_found_there_alone() -> None:
    view = viewed(
        identity=[identity("loyalty:L7", "loyalty:L7"), identity("loyalty:L7", "C1", 2)],
        customer=[customer("loyalty:L7"), customer("loyalty:L7", 2, withdrawn=True), customer("C1")],
        interaction=[interaction("loyalty:L7", "e1"), interaction("customer:C1", "e2", NOON + 1)],
        alert=[alert("loyalty:L7", "a1")],
    )
    assert find(view, "L7") == ["C1"]
    told = document(view, "C1")
    assert told is not None
    assert [one["event_id"] for one in told["last_contacts"]] == ["e2", "e1"]
    assert [one["alert_id"] for one in told["open_alerts"]] == ["a1"]  # raised under the name of then
    assert document(view, "loyalty:L7") is None


def test_a_document_says_what_matters_first() -> None:
    view = viewed(
        customer=[customer("C1", profile="negative", sentiment_7d=-0.6, sentiment_90d=0.1)],
        journey=[journey("C1", "B1", status="in_stay"), journey("C1", "B0", status="completed")],
        case=[case("C1", "K1", touchpoint="refund.requested"), case("C1", "K2", status="resolved")],
        alert=[alert("C1", "a1"), alert("C1", "a2", severity="critical"), alert("C1", "a3", closed_at=NOON)],
        interaction=[
            interaction("customer:C1", "e1", score=-0.8, booking_ref="B1", unit="Towers", arrival_date="2026-03-01"),
            interaction("customer:C1", "e2", NOON + DAY, booking_ref="B1", nights=4),
        ],
    )
    told = document(view, "C1")
    assert told is not None
    assert told["profile"]["trend"] == "declining"
    assert [(one["booking_ref"], one["next_milestone"]) for one in told["open_journeys"]] == [
        ("B1", "stay.checked_out")
    ]
    assert told["open_journeys"][0]["plan"] == {"unit": "Towers", "arrival_date": "2026-03-01", "nights": 4}
    assert [one["alert_id"] for one in told["open_alerts"]] == ["a2", "a1"]
    assert [one["case_id"] for one in told["open_cases"]] == ["K1"]
    assert told["lowest_point"]["event_id"] == "e1"
    assert told["cautions"] == ["open_case", "refund_pending", "critical_alert", "last_contact_negative"]
    assert told["last_contacts"][0]["occurred_at"] == "2026-03-02T12:00:00.000Z"


def test_the_morning_meeting_follows_a_changed_arrival() -> None:
    said = {"booking_ref": "B1", "unit": "Towers"}
    view = viewed(
        customer=[customer("C1")],
        journey=[journey("C1", "B1")],
        interaction=[
            interaction("customer:C1", "e1", arrival_date="2026-03-01", **said),
            interaction("customer:C1", "e2", NOON + 5, arrival_date="2026-03-03", **said),
            interaction("customer:C1", "e0", NOON - 5, arrival_date="2026-02-01", **said),
        ],
    )
    assert [unit_day(view, "Towers", day)["arrivals"] != [] for day in ("2026-02-01", "2026-03-01", "2026-03-03")] == [
        False,
        False,
        True,
    ]
    (arrival,) = unit_day(view, "Towers", "2026-03-03")["arrivals"]
    assert (arrival["booking_ref"], arrival["status"], arrival["needs_care"]) == ("B1", "booked", False)


def test_alerts_of_a_unit_leave_when_they_are_closed() -> None:
    view = viewed(
        alert=[
            alert("C1", "a1", unit="Towers", occurred_at=NOON + 1),
            alert("C1", "a2", unit="Towers"),
            alert("C2", "a3", unit="Desk"),
            alert("C2", "a4", severity="critical"),
        ]
    )
    assert [one["alert_id"] for one in open_alerts(view, ["Towers"], 9)] == ["a2", "a1"]
    assert [one["alert_id"] for one in open_alerts(view, None, 9)] == ["a4", "a2", "a3", "a1"]
    APPLY["alert"](view, alert("C9", "a2", 2, unit="Towers", closed_at=NOON))
    assert [one["alert_id"] for one in open_alerts(view, ["Towers"], 9)] == ["a1"]


def test_search_finds_what_begins_so_whatever_the_case() -> None:
    view = viewed(customer=[customer("C17"), customer("C18")], journey=[journey("C17", "c1-abc")])
    assert [one["customer_id"] for one in search(view, "c1")] == ["C17", "C17", "C18"]
    assert search(view, "c1-")[0]["kind"] == "booking_ref"
    assert search(view, " ") == search(view, "x") == []


def test_only_the_last_contacts_of_a_subject_are_kept() -> None:
    rows = [interaction("customer:C1", f"e{n:03}", NOON + n) for n in range(CONTACTS_KEPT + 20)]
    view = viewed(customer=[customer("C1")], interaction=rows)
    again = viewed(customer=[customer("C1")], interaction=[*reversed(rows), *rows])
    assert view.values == again.values
    told = document(view, "C1")
    assert told is not None
    assert told["last_contacts"][0]["event_id"] == "e069"


def test_a_case_without_an_alert_shows_who_took_it() -> None:
    """Under whatever name the customer was known when somebody answered, and gone with the person."""
    told = [{"key": "assigned_to", "value": "Layla"}]
    taken = {"case_id": "K1", "touchpoint": "stay.case_taken", "agent_id": "Omar"}
    given = {"case_id": "K1", "touchpoint": "stay.case_assigned", "agent_id": "Omar", "attributes": told}
    view = viewed(
        identity=[identity("loyalty:L7", "C1")],
        customer=[customer("C1"), customer("C2")],
        case=[case("C1", "K1", unit="Towers"), case("C2", "K1", unit="Desk")],
        interaction=[
            interaction("loyalty:L7", "e2", NOON + 2, **given),
            interaction("customer:C1", "e1", NOON + 1, **taken),
        ],
    )

    def takers() -> dict[str, Any]:
        return {one["customer_id"]: one["handler"] for one in inbox(view, deadlines_of(built_in()), None)["items"]}

    assert takers() == {"C1": "Layla", "C2": None}  # another customer's case has the same number
    assert [one["handler"] for one in (document(view, "C1") or {})["open_cases"]] == ["Layla"]
    declined = {**given, "touchpoint": "stay.case_declined", "agent_id": "Layla"}
    APPLY["interaction"](view, interaction("customer:C1", "e3", NOON + 3, **declined))
    assert takers()["C1"] is None


def test_the_last_word_on_a_text_counts_and_is_found_under_any_of_the_identifiers() -> None:
    text = interaction(
        "loyalty:L7", "0a" * 4 + "-0000-4000-8000-" + "0" * 12, text="not bad", score=-0.4, score_source="text"
    )
    other = interaction("customer:C1", "e2", NOON + 1, score=0.1)
    said = [
        interaction("customer:C1", f"c{at}", NOON + at, touchpoint="stay.sentiment_corrected", agent_id=who,
                    attributes=[{"key": "about", "value": about}, {"key": "right", "value": right}])
        for at, who, about, right in (
            (9, "Omar", letters(text["event_id"]), "0.6"), (5, "Layla", text["event_id"], "-1"),
            (12, "Hacker", text["event_id"], "7"), (13, "Hacker", "no id", "1"),
            (14, "Omar", letters(text["event_id"]), "nan"),
        )
    ]  # fmt: skip
    for rows in (said, said[::-1]):
        view = viewed(
            identity=[identity("loyalty:L7", "C1")], customer=[customer("C1")], interaction=[text, other, *rows]
        )
        told = (document(view, "C1") or {})["last_contacts"]
        assert {
            one["event_id"]: one.get("corrected") for one in told if not one["touchpoint"].endswith("corrected")
        } == {
            text["event_id"]: {"verdict": "positive", "who": "Omar", "at": "2026-03-01T12:00:00.009Z"},
            "e2": None,
        }


def test_tombstones_and_erasures_leave_nothing_behind() -> None:
    rows: dict[str, Any] = {
        "identity": [identity("loyalty:L7", "C1")],
        "customer": [customer("C1")],
        "journey": [journey("C1", "B1")],
        "case": [case("C1", "K1")],
        "alert": [alert("C1", "a1", unit="Towers")],
        "message": [{"message_id": "m1", "customer_id": "C1", "status": "draft", "version": 1}],
        "interaction": [
            interaction("customer:C1", "e1", case_id="K1", touchpoint="stay.case_taken", agent_id="Omar"),
            interaction("loyalty:L7", "e2"),
            interaction("customer:C1", "e3", touchpoint="stay.sentiment_corrected", agent_id="Omar", attributes=[
                {"key": "about", "value": "0a0a0a0a-0000-4000-8000-000000000000"}, {"key": "right", "value": "1"}]),
        ],
    }  # fmt: skip
    view = viewed(**rows)
    bury(view, "journey", b"C1/B1")
    assert find(view, "B1") == []
    bury(view, "case", b"C1/K1")
    bury(view, "identity", b"loyalty:L7")
    assert find(view, "L7") == []
    bury(view, "customer", b"C1")
    assert find(view, "C1") == []
    view = viewed(**rows)
    forget(view, ["customer:C1", "loyalty:L7"])
    left = {key[:1] for key in view.values}
    assert left <= {b"y", b"q", b"w"}, left  # digests, names of units, and the booking's own reference
    assert search(view, "L7") == search(view, "C1") == search(view, "B1") == []
    assert open_alerts(view, None, 9) == []


def may(version: int, *actions: str, begins: int | None = None) -> dict[str, Any]:
    """A record of what may be done for C1."""
    some = [{"action": one, "reason": "why", "evidence": one, "begins_at": begins, "ends_at": None} for one in actions]
    return {"customer_id": "C1", "version": version, "actions": some}


def test_what_to_do_next_follows_the_clock_and_the_model(tmp_path: Path) -> None:
    view = viewed(customer=[customer("C1")], next_action=[may(1, "ask_for_review", "follow_up_detractor", begins=NOON)])
    model = built_in().actions
    assert to_do(view, "C1", model, NOON - 1) == []
    assert [one["priority"] for one in to_do(view, "C1", model, NOON)] == [4, 7]
    (tmp_path / "actions.toml").write_text("[follow_up_detractor]\npropose = false\n\n[ask_for_review]\nuplift = 0.2\n")
    measured = load(str(tmp_path)).actions
    assert [(one["priority"], one["action"]) for one in to_do(view, "C1", measured, NOON)] == [(2, "ask_for_review")]
    # A timer publishes under the version of before; an older one changes nothing.
    for record in (may(1, "answer_alert", "ask_for_review"), may(0, "manager_call")):
        APPLY["next_action"](view, record)
    assert [one["action"] for one in to_do(view, "C1", measured, NOON)] == ["answer_alert", "ask_for_review"]
    assert to_do(view, "nobody", model, NOON) == []


def test_what_to_do_goes_with_its_customer() -> None:
    for gone in (lambda view: bury(view, "next_action", b"C1"), lambda view: forget(view, ["customer:C1"])):
        view = viewed(customer=[customer("C1")], next_action=[may(1, "manager_call")])
        gone(view)
        assert not any(key.startswith(b"f") for key in view.values)


def test_groups_and_a_bereavement() -> None:
    """When somebody is in which group, of any identifier."""

    def event(name: str, at: int, subject: str = "customer:C1", ids: Any = None, **given: str) -> dict[str, Any]:
        pairs = [{"key": key, "value": value} for key, value in given.items()]
        return interaction(subject, f"{name}{at}", NOON + at, touchpoint=f"booking.{name}", attributes=pairs, ids=ids)

    group = [{"kind": "customer", "value": "C1"}, {"kind": "group", "value": "HAJJ-7"}]
    rows = [
        event("group_joined", 5, ids=group, bus="12", guide="salim", valid_from="2026-03-02"),
        event("group_left", 6, "loyalty:L7", ids=group, valid_until="2026-03-09"),
        event("bereavement_told", 7),
    ]
    for some in (rows, rows[::-1], rows + rows[1:]):
        view = viewed(identity=[identity("loyalty:L7", "C1")], customer=[customer("C1")], interaction=some)
        told = document(view, "C1") or {}
        day = {"since": "2026-03-02T00:00:00.000Z", "until": "2026-03-09T00:00:00.000Z"}
        assert told["groups"] == [{"group": "HAJJ-7", **day, "bus": "12", "guide": "salim"}]
        assert told["cautions"] == ["bereavement"]
    forget(view, ["customer:C1", "loyalty:L7"])
    assert not {key[:1] for key in view.values} & {b"e", b"z", b"s"}


def test_consent_is_what_the_record_holds_however_long_ago() -> None:
    held = {"purpose": "survey", "channel": "email", "given": True, "source": "form", "since": NOON - 400 * DAY}
    unsaid = {"purpose": "any", "channel": "any", "given": False, "source": "", "since": NOON}
    view = viewed(customer=[customer("C1"), customer("C1", consents=[held])])  # as after an upgrade: of one version
    told = document(view, "C1") or {}
    assert told["consent"] == [
        {"purpose": "survey", "channel": "email", "given": True, "source": "form", "at": "2025-01-25T12:00:00.000Z"}
    ]
    APPLY["customer"](view, customer("C1", 2, consents=[unsaid, {**held, "source": None}]))
    assert [one["source"] for one in (document(view, "C1") or {})["consent"]] == [None, None]
    APPLY["customer"](view, customer("C1", consents=[held]))
    assert len((document(view, "C1") or {})["consent"]) == 2, "what is older changes nothing"
    forget(view, ["customer:C1"])
    assert document(view, "C1") is None
