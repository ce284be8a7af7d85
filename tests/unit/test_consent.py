"""Consent is a function of the set of what was said, whatever the order."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from streams.guest.consent import ANY, TOUCHPOINTS, Said, is_allowed, said, word
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
