"""Consent is a function of the set of what was said, whatever the order."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import msgspec
import pytest

from streams.guest.consent import ANY, TOUCHPOINTS, Held, Said, Source, is_allowed, said, source, word
from streams.guest.notes import KEPT_CONSENTS, Noted, Notes
from streams.model.catalogue import load


def one(given: bool, at: int, purpose: str = "survey", channel: str = "email", event: bytes = b"\1") -> Said:
    return Said(purpose, channel, given, at, event)


def test_the_catalogue_has_them_and_they_are_no_opinion() -> None:
    catalogue = load()
    assert all(catalogue[name].prior is None for name in TOUCHPOINTS)
    assert TOUCHPOINTS["stay.consent_given"]
    assert not TOUCHPOINTS["post_travel.consent_withdrawn"]


def test_the_latest_holds_in_any_order() -> None:
    every = [one(True, 1), one(False, 3), one(True, 2), one(True, 3, event=b"\0")]
    assert {is_allowed(some, "survey", "email", True) for some in permutations(every)} == {False}
    every.append(one(True, 3, event=b"\2"))  # at the same moment the greater id is the later one
    assert {is_allowed(some, "survey", "email", False) for some in permutations(every)} == {True}


@pytest.mark.parametrize("unsaid", [True, False])
def test_nothing_said_is_what_the_model_says(unsaid: bool) -> None:
    assert is_allowed([], "survey", "email", unsaid) is unsaid
    assert is_allowed([one(not unsaid, 1, "marketing")], "survey", "email", unsaid) is unsaid
    assert is_allowed([one(not unsaid, 1, channel="sms")], "survey", "email", unsaid) is unsaid


def test_a_withdrawal_may_be_of_everything_and_consent_may_not() -> None:
    for purpose, channel in product(("survey", ANY), ("email", ANY)):
        assert not is_allowed([one(True, 1), one(False, 2, purpose, channel)], "survey", "email", True)
        assert is_allowed([one(False, 1, purpose, channel), one(True, 2)], "survey", "email", False)
    assert is_allowed([one(True, 1, channel=ANY)], "survey", "email", False)
    assert not is_allowed([one(True, 1, ANY)], "survey", "email", False)


def test_what_an_event_says() -> None:
    pairs = [{"key": "purpose", "value": " Survey "}, {"key": "channel", "value": "*"}]
    assert said("stay.consent_given", 5, b"\1", pairs) == ("survey", ANY, True, 5, b"\1")
    assert said("stay.consent_withdrawn", 5, b"\1", []) == (ANY, ANY, False, 5, b"\1")
    assert [word("ALL"), word("İ"), len(word("x" * 99))] == [ANY, "İ", 40]


def noted(*some: Noted) -> Notes:
    notes = Notes()
    for each in some:
        notes.add(each)
    return notes


def heard(given: bool, at: int, purpose: str = "survey", channel: str = "email", where: str = "") -> Noted:
    event_id = at.to_bytes(16, "big")
    return one(given, at, purpose, channel, event_id), Source(event_id, where)


def test_what_holds_is_by_the_statement_that_decides_with_its_source() -> None:
    every = [
        heard(True, 1, where="form"),
        heard(True, 2, "marketing", "sms", "desk"),
        heard(False, 3, channel=ANY, where="call"),
        heard(True, 4, ANY),  # for nothing in particular: no consent
    ]
    expected = [
        Held("marketing", "sms", True, "desk", 2),
        Held("survey", ANY, False, "call", 3),
        Held("survey", "email", False, "call", 3),
    ]
    for some in permutations(every):
        assert noted(*some, *some).held() == expected
        for cut in range(len(some)):
            merged = noted(*some[:cut])
            merged.absorb(noted(*some[cut:]))
            assert merged.held() == expected
    again = noted(*every, heard(True, 9, where="form"))
    assert again.held()[-1] == Held("survey", "email", True, "form", 9)
    assert len(again.sources) == len(again.consents), "that of what does not hold any more is forgotten"


def test_consents_do_not_grow_without_end() -> None:
    notes = noted(*(heard(at % 9 > 0, at, f"p{at}", where="form") for at in range(300)))
    assert len(notes.held()) == len(notes.sources) == KEPT_CONSENTS
    assert all(not held.given for held in notes.held() if int(held.purpose[1:]) % 9 == 0)


class NotesOf02(msgspec.Struct, array_like=True):
    """Notes as 0.2.0 reads and writes them; its statements have five fields, neither more nor less."""

    notes: list[Any] = []
    consents: list[tuple[str, str, bool, int, bytes]] = []


def test_a_release_that_keeps_no_sources_reads_them_and_is_read() -> None:
    notes = noted(heard(True, 1, where="form"), heard(False, 2, "marketing", "sms", "desk"))
    before = msgspec.msgpack.decode(msgspec.msgpack.encode(notes), type=NotesOf02)
    assert before.consents == notes.consents
    back = msgspec.msgpack.decode(msgspec.msgpack.encode(before), type=Notes)
    assert back.held() == [one._replace(source=None) for one in notes.held()], "its source is not known"
    back.add(heard(True, 3, where=""))
    assert [(one.since, one.source) for one in back.held()] == [(2, None), (3, "")]


def test_the_source_of_an_event() -> None:
    assert source(b"1", [{"key": "source", "value": " front desk " + "x" * 99}]).text == "front desk " + "x" * 29
    assert source(b"1", [{"key": "purpose", "value": "survey"}]) == Source(b"1", "")
