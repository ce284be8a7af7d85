"""Next actions to people and systems: what is told, to whom, from when, and what is taken back."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from streams.deliver import proposals, routes, state, template
from streams.deliver.courier import Held
from streams.deliver.gatherings import Told
from streams.deliver.intake import targets_for, with_version
from streams.deliver.message import message
from streams.deliver.state import Entry
from streams.model.actions import of_form
from streams.model.forms import ActionForm, ActionsFile
from tests.support.deliveries import AT, NEXT

DAY = 86_400_000
MODEL = of_form(ActionsFile())
FILE = """
[targets.crm]
type = "log"

[targets.manager]
type = "log"

[[routes]]
to = ["crm"]
kinds = ["next_action"]
identifiers = true

[[routes]]
to = ["manager"]
kinds = ["next_action"]
actions = ["call_about_case"]
identifiers = true
"""
LATER, SOON = NEXT["actions"][1], NEXT["actions"][0]


def book(text: str, tmp_path: Path) -> routes.Book:
    (tmp_path / "routes.toml").write_text(text)
    return routes.load(str(tmp_path / "routes.toml"))


class Desk:
    """What deliver does with the versions of one customer."""

    def __init__(self, tmp_path: Path) -> None:
        self.routes, self.version = book(FILE, tmp_path).routes, 0
        self.entry: Entry | None = None

    def take(self, actions: list[dict[str, Any]], now: int = AT) -> bool:
        """Take in a record; whether something that waited was withheld."""
        self.version += 1
        row = {"customer_id": "C-1001", "actions": actions, "version": self.version}
        told = Told(0, "next_action", self.version, proposals.thing_of(row, MODEL, now))
        targets = targets_for(self.routes, self.entry, told, now)
        if targets is None:
            return False
        taken = with_version(self.routes, self.entry, told, targets, now, now)
        if taken is None:
            return False
        self.entry = taken
        return proposals.supersede(taken, now)

    def due(self, now: int) -> list[tuple[str, int]]:
        """Which deliveries may be sent."""
        found = []
        for one in [] if self.entry is None else self.entry.unsent():
            with contextlib.suppress(Held):
                proposals.check(self.entry, one, now)
                found.append((one.target, one.version))
        return found

    def send(self, now: int) -> None:
        """Send all that may be."""
        assert self.entry is not None
        for target, version in self.due(now):
            one = self.entry.of(target, version)
            assert one is not None
            one.changed(state.DELIVERED, now, 1)
            self.entry.delivered(one)
        self.entry.settle()


def test_what_the_model_proposes_the_most_urgent_first() -> None:
    thing = proposals.thing_of(NEXT, MODEL, AT)
    assert [one["action"] for one in thing["actions"]] == ["call_about_case", "follow_up_detractor"]
    assert (thing["action"], thing["begins_at"]) == ("call_about_case", AT + 2 * DAY)
    without = of_form(ActionsFile(call_about_case=ActionForm(propose=False)))
    assert [one["action"] for one in proposals.thing_of(NEXT, without, AT)["actions"]] == ["follow_up_detractor"]


def test_the_message() -> None:
    told = message("next_action", "C-1001", 7, proposals.thing_of(NEXT, MODEL, AT), clear=True)
    assert told.body["type"] == "next_action.proposed"
    assert told.body["timestamp"] == "2025-03-03T14:05:00.000Z"
    assert "C-1001" not in told.key
    assert told.fields["customer_id"] == "C-1001"
    assert told.fields["actions"][0]["begins_at"] == "2025-03-05T14:05:00.000Z"
    assert told.text.splitlines()[1] == (
        "1. call_about_case: Case K-9 of MAKKAH-01 is open since 2025-03-03, without any answer "
        "(from 2025-03-05T14:05:00.000Z)"
    )
    assert template.fill({"next": "{{ action }}"}, told.fields) == {"next": "call_about_case"}
    over = message("next_action", "C-1001", 8, proposals.thing_of({**NEXT, "actions": []}, MODEL, AT), clear=True)
    assert (over.body["type"], over.subject) == ("next_action.withdrawn", "Next for C-1001: nothing")


def test_routes_name_actions_and_who_was_told_hears_of_each_change(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take([SOON])
    assert desk.due(AT) == [("crm", 1)]
    desk.take([SOON, {**LATER, "begins_at": None}])
    assert desk.due(AT) == [("crm", 1), ("crm", 2), ("manager", 2)]
    desk.send(AT)
    desk.take([SOON])
    assert desk.due(AT) == [("crm", 3), ("manager", 3)], "that the case is no longer to be called about"


def test_the_same_again_is_no_news(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take([SOON])
    desk.send(AT)
    desk.take([SOON])
    assert desk.due(AT) == []
    assert desk.entry is not None
    assert desk.entry.top == 2


def test_what_is_not_due_waits_and_is_replaced(tmp_path: Path) -> None:
    desk, due = Desk(tmp_path), AT + 2 * DAY
    desk.take([LATER])
    assert desk.due(due - 1) == []
    assert desk.due(due) == [("crm", 1), ("manager", 1)]
    assert desk.take([{**LATER, "begins_at": due + DAY}]), "answered: it is due later"
    assert desk.due(due) == []
    assert desk.due(due + DAY) == [("crm", 2), ("manager", 2)]
    assert desk.take([]), "resolved in time"
    assert desk.due(due + DAY) == []
    desk.take([SOON])
    assert desk.due(AT) == [("crm", 4)], "nobody but the CRM wants to know of that"


def test_what_was_under_way_when_it_ended_is_taken_back(tmp_path: Path) -> None:
    desk, due = Desk(tmp_path), AT + 2 * DAY
    desk.take([LATER])
    assert not desk.take([], due), "it may be on its way"
    assert sorted(desk.due(due)) == [("crm", 1), ("crm", 2), ("manager", 1), ("manager", 2)]


def test_nobody_is_told_that_nothing_is_to_be_done_for_somebody_unheard_of(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take([])
    assert desk.entry is None


def test_who_is_erased_has_nothing_to_be_done(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.take([SOON])
    desk.send(AT)
    assert desk.entry is not None
    assert not desk.entry.is_over(1 << 60), "the target has it for as long"
    desk.entry.withdraw(AT + 1)
    (left,) = desk.entry.unsent()
    told = message("next_action", "C-1001", left.version, desk.entry.things[left.version], clear=True)
    assert (left.target, told.body["type"]) == ("crm", "next_action.withdrawn")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("identifiers = true", "", "identifiers = true"),
        ('"call_about_case"', '"call_them"', "is no next action"),
        ('kinds = ["next_action"]\nactions', 'kinds = ["case"]\nactions', 'kinds is \\["next_action"\\]'),
        ('actions = ["call_about_case"]', 'units = ["MAKKAH-*"]', "no unit"),
    ],
)
def test_mistakes(old: str, new: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(routes.RoutesError, match=says):
        book(FILE.replace(old, new), tmp_path)
