"""Whom we ask and what we tell: from notes to invitations and messages, whatever the order of the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encode import BatchEncoder
from schemas.records import fields, polars_schema
from schemas.registry import LocalRegistry
from streams.guest import events, plan
from streams.guest.notes import Noted, Notes
from streams.guest.noting import Noter
from streams.guest.plan import Outbox, invitation_row, message_row, settle
from streams.guest.quiet import open_at
from streams.model import company
from streams.model.guests import LANGUAGES, QUESTIONS, Guests
from streams.model.prayer import Place
from streams.sources.jsonl import row_of_object
from tests.support.plain_workers import interaction

MODEL = company.built_in()
GUESTS = replace(MODEL.guests, quiet=None)
HOUR, DAY = 3_600_000, 86_400_000
T0 = interaction(1)["occurred_at"]
NOTER = Noter(GUESTS, MODEL.touchpoints)


def event(number: int, touchpoint: str, after: int = 0, **given: Any) -> dict[str, Any]:
    pairs = [{"key": key, "value": value} for key, value in given.pop("said", {}).items()]
    about = {"unit": "MAKKAH-1", "booking_ref": "R1", "attributes": pairs, **given}
    return interaction(number, touchpoint=touchpoint, after=after, **about)


def of_line(line: dict[str, Any]) -> dict[str, Any]:
    """An interaction of an event that streams.guest.events made."""
    kept = {name: value for name, value in line.items() if name in polars_schema("interaction")}
    return {**interaction(99), "score": None, **kept}


def notes(*rows: dict[str, Any]) -> Notes:
    made = Notes()
    for noted in noted_of(rows):
        made.add(noted)
    return made


def noted_of(rows: Sequence[dict[str, Any]]) -> list[Noted]:
    return [*NOTER.noted(pl.DataFrame(rows, schema=polars_schema("interaction")), T0).values()]


YES = event(2, "stay.consent_given", said={"purpose": "survey", "channel": "email"})
OUT = event(3, "stay.checked_out", HOUR, locale="ar-SA")
NO = event(4, "stay.consent_withdrawn", 9 * HOUR, said={"purpose": "survey"})


def turn(box: Outbox, said: Notes, at: int, timer: bool = True, grave: bool = False, guests: Any = GUESTS) -> Any:
    return settle(guests, "C1", said, box, grave, T0 + at, timer)


def asked(box: Outbox) -> list[tuple[str, str | None]]:
    return [(one.status, one.reason) for one in box.invitations]


def test_a_guest_who_agreed_is_asked_when_it_is_time_and_once() -> None:
    box, said = Outbox(), notes(YES, OUT)
    assert turn(box, said, 2 * HOUR, timer=False) == ([], [])
    assert box.due == T0 + 3 * HOUR
    assert turn(box, said, 3 * HOUR, timer=False) == ([], [])  # only a timer asks
    ((one,), _) = turn(box, said, 3 * HOUR)
    assert (one.status, one.language, one.channel, one.unit) == ("planned", "ar", "email", "MAKKAH-1")
    assert "{link}" in one.text
    assert turn(box, said, 4 * HOUR) == ([], [])
    again = Outbox()  # state was rebuilt
    assert turn(again, said, 5 * HOUR)[0][0].invitation_id == one.invitation_id
    row = dict(zip(fields("invitation"), invitation_row(GUESTS, "C1", one, 7), strict=True))
    went = of_line(events.sent("invitation", row, T0 + 5 * HOUR))
    for known in (box, Outbox()):
        ((sent,), _) = turn(known, notes(YES, OUT, went), 6 * HOUR, timer=False)
        assert (sent.status, sent.sent_at, sent.invitation_id) == ("sent", T0 + 5 * HOUR, one.invitation_id)
        told = of_line(events.answered(one.invitation_id, "nps", 2, None, None, T0 + 7 * HOUR, "ar"))
        ((done,), _) = turn(known, notes(YES, OUT, went, told), 8 * HOUR, timer=False)
        assert (done.status, done.answered_at) == ("answered", T0 + 7 * HOUR)


@pytest.mark.parametrize("grave", [True, False])
def test_what_hinders(grave: bool) -> None:
    box = Outbox()
    assert turn(box, notes(OUT), 3 * HOUR) == ([], [])  # nobody has agreed
    assert turn(box, notes(YES, OUT), 3 * HOUR, grave=grave) == ([], []) if grave else True
    assert len(turn(box, notes(YES, OUT), 4 * HOUR)[0]) == 1
    if grave:
        turn(box, notes(YES, OUT), 5 * HOUR, timer=False, grave=True)
        assert asked(box) == [("withheld", "a grave alert is open")]
        turn(box, notes(YES, OUT), 6 * HOUR, timer=False)
        assert asked(box) == [("planned", None)]
    turn(box, notes(YES, OUT, NO), 9 * HOUR, timer=False)
    assert asked(box) == [("withheld", "there is no consent")]
    turn(box, notes(YES, OUT), 99 * HOUR)
    assert asked(box) == [("withheld", "it has lapsed")]


def test_not_twice_in_the_time_of_the_model() -> None:
    other = event(5, "stay.checked_out", 20 * DAY)
    box = Outbox()
    turn(box, notes(YES, OUT), 3 * HOUR)
    row = dict(zip(fields("invitation"), invitation_row(GUESTS, "C1", box.invitations[0], 7), strict=True))
    went = of_line(events.sent("invitation", row, T0 + 5 * HOUR))
    for known in (box, Outbox()):
        turn(known, notes(YES, OUT, went, other), 20 * DAY + 3 * HOUR)
        assert [status for status, _ in asked(known)] == ["sent"]
    later = event(5, "stay.checked_out", 31 * DAY)
    turn(box, notes(YES, OUT, went, later), 31 * DAY + 3 * HOUR)
    assert [status for status, _ in asked(box)] == ["sent", "planned"]
    assert turn(Outbox(), notes(YES, OUT, event(6, "post_travel.nps_answered", 2 * HOUR,
                survey=("nps", 9.0))), 3 * HOUR) == ([], [])  # fmt: skip


def test_the_sample_is_a_share_and_always_the_same() -> None:
    half = replace(GUESTS, surveys=(replace(GUESTS.surveys[0], sample=0.5),))
    moments = [notes(event(number + 100, "stay.checked_out")).notes[0] for number in range(400)]
    chosen = [plan.in_sample(half.surveys[0], f"C{at}", moment) for at, moment in enumerate(moments)]
    assert 160 < sum(chosen) < 240
    assert chosen == [plan.in_sample(half.surveys[0], f"C{at}", moment) for at, moment in enumerate(moments)]


def test_quiet_hours_are_those_of_the_units_zone() -> None:
    guests = replace(GUESTS, quiet=(21 * 60, 9 * 60), zones=(("MAKKAH-*", "Asia/Riyadh"), ("LON-*", "Europe/London")))
    midnight = 1_740_960_000_000  # 2025-03-03T00:00Z
    at = [open_at(guests, "MAKKAH-1", midnight + hour * HOUR) - midnight for hour in (5, 6, 17, 18, 23)]
    assert at == [6 * HOUR, 6 * HOUR, 17 * HOUR, 30 * HOUR, 30 * HOUR]
    assert open_at(guests, "LON-1", midnight + 5 * HOUR) == midnight + 9 * HOUR
    assert open_at(replace(guests, quiet=(13 * 60, 14 * 60)), "LON-1", midnight + 13 * HOUR) == midnight + 14 * HOUR


def test_nobody_is_written_to_while_the_unit_prays() -> None:
    makkah = (("MAKKAH-*", Place(21.4225, 39.8262, "umm_al_qura", "")),)
    guests = replace(GUESTS, zones=(("MAKKAH-*", "Asia/Riyadh"),), places=makkah, prayer=HOUR // 2)
    midnight = 1_804_453_200_000  # 2027-03-08T00:00 in Makkah, where noon is prayed at 12:32, and Isha at 20:27

    def opens(guests: Guests, unit: str, minute: int) -> tuple[int, int]:
        return divmod((open_at(guests, unit, midnight + minute * 60_000) - midnight) // 60_000, 60)

    noon, isha = 12 * 60 + 32, 20 * 60 + 27
    assert [opens(guests, "MAKKAH-1", noon + after) for after in (-1, 0, 29, 30)] == [
        (12, 31), (13, 2), (13, 2), (13, 2)]  # fmt: skip
    assert opens(guests, "LON-1", noon) == (12, 32), "nobody knows where that is"
    assert opens(replace(guests, quiet=(20 * 60 + 40, 9 * 60)), "MAKKAH-1", isha) == (33, 0), "into the quiet hours"
    assert opens(replace(guests, quiet=(22 * 60, noon + 5)), "MAKKAH-1", 4 * 60) == (13, 2), "and out of them"


BAD = event(10, "stay.complaint_made", case_id="K1", locale="tr", medium="chat",
            aspects=[{"aspect": "cleanliness", "score": -0.9}])  # fmt: skip
DONE = event(11, "stay.complaint_resolved", HOUR, case_id="K1")


def test_a_resolved_case_becomes_a_draft_in_the_guests_language_and_waits_for_approval() -> None:
    box = Outbox()
    (_, (draft,)) = turn(box, notes(BAD, DONE), 2 * HOUR, timer=False)
    assert (draft.status, draft.kind, draft.case_id, draft.language, draft.channel) == (
        "draft", "resolved", "K1", "tr", "chat",
    )  # fmt: skip
    assert "temizlik" in draft.text
    assert "MAKKAH-1" in draft.text
    row = dict(zip(fields("message"), message_row("C1", draft, 7), strict=True))
    good, bad = (of_line(events.judged(row, one, "Fatima", T0 + 3 * HOUR)) for one in (True, False))
    assert turn(box, notes(BAD, DONE, bad), 4 * HOUR)[1][0].status == "rejected"
    (_, (approved,)) = turn(box, notes(BAD, DONE, good), 4 * HOUR)
    assert (approved.status, approved.judged_by, approved.text) == ("approved", "Fatima", draft.text)
    no = event(12, "stay.consent_withdrawn", 5 * HOUR)
    assert turn(box, notes(BAD, DONE, good, no), 5 * HOUR)[1][0].status == "withheld"
    again = event(13, "stay.complaint_made", 5 * HOUR, case_id="K1")
    assert turn(box, notes(BAD, DONE, good, again), 5 * HOUR)[1][0].status == "void"
    told = of_line(events.sent("message", row, T0 + 6 * HOUR))
    assert turn(box, notes(BAD, DONE, good, told), 6 * HOUR)[1][0].status == "told"
    assert turn(Outbox(), notes(BAD, DONE), 9 * DAY) == ([], [])  # it is history
    own = event(14, "post_travel.improvement_told", 2 * HOUR, case_id="K1")
    assert turn(Outbox(), notes(BAD, DONE, own), 3 * HOUR) == ([], [])  # somebody has told them already


def test_you_said_we_did() -> None:
    box = Outbox()
    mended = of_line(events.made("C1", "cleanliness", "MAKKAH-1", "2023-11-01", "yeni ekip", T0 + DAY))
    (_, (draft,)) = turn(box, notes(BAD, mended), DAY)
    assert (draft.kind, draft.language, draft.aspect) == ("mended", "tr", "cleanliness")
    assert "yeni ekip" in draft.text


def test_who_becomes_somebody_else_is_asked_and_told_under_their_new_id() -> None:
    box = Outbox()
    turn(box, notes(YES, OUT, BAD, DONE), 3 * HOUR)
    (invitations, messages) = plan.leave(box)
    assert [one.status for one in (*invitations, *messages)] == ["void", "void"]
    other = Outbox()
    settle(GUESTS, "C2", notes(YES, OUT, BAD, DONE), other, False, T0 + 3 * HOUR, True)
    assert other.invitations[0].invitation_id != invitations[0].invitation_id
    booking = Outbox()
    settle(GUESTS, "booking_ref:R1", notes(YES, OUT, BAD, DONE), booking, False, T0 + 3 * HOUR, True)
    assert booking == Outbox()  # nobody who can be written to


EVERY = [YES, OUT, NO, BAD, DONE]


@given(st.permutations(EVERY), st.integers(0, len(EVERY)))
def test_notes_of_parts_merge_in_any_order(rows: list[dict[str, Any]], at: int) -> None:
    one, other = notes(*rows[:at]), notes(*rows[at:])
    one.absorb(other)
    assert one == notes(*EVERY)


def test_events_are_lines_that_can_be_read_and_say_who() -> None:
    row = {"customer_id": "C1", "journey_id": "C1/R1", "event_id": str(UUID(int=9)), "unit": None, "survey": "stay",
           "invitation_id": events.id_of("x"), "kind": "resolved", "aspect": None, "case_id": "K1",
           "version": 3}  # fmt: skip
    made = [
        events.sent("invitation", row, T0),
        events.sent("message", row, T0),
        events.judged(row, True, "Fatima", T0),
        events.made("email_sha256:ab", "room", None, "2025-01-01", "new beds", T0),
        events.answered(events.id_of("x"), "nps", 9, "good", None, T0, "en"),
    ]
    assert len({one["event_id"] for one in made}) == len(made)
    rows = [row_of_object(one) for one in made]
    assert all(row is not None for row in rows)
    assert all(one["touchpoint"] in MODEL.touchpoints for one in made)


def test_every_text_is_there_and_fits_its_schema() -> None:
    box = Outbox()
    turn(box, notes(YES, OUT, BAD, DONE), 3 * HOUR)
    for record, rows in (
        ("invitation", [invitation_row(GUESTS, "C1", one, 1) for one in box.invitations]),
        ("message", [message_row("C1", one, 1) for one in box.messages]),
    ):
        assert BatchEncoder(record, LocalRegistry()).encode(rows)
    assert set(GUESTS.aspects) == set(GUESTS.words) == set(LANGUAGES)
    assert set(GUESTS.surveys[0].ask) <= set(QUESTIONS)
    assert len({frozenset(one) for one in GUESTS.aspects.values()}) == 1
