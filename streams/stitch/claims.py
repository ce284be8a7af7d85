"""What a root says of its customer beside the tables: the segments to which it belongs. Pure.

Entered and left are published when they change. The state remembers what was published (`Subject.posted`); what was
left stays there, as 0, until a later turn finds that the turn was published, so that it can be said again.
"""

from __future__ import annotations

from collections.abc import Collection

from streams.model.identifiers import customer_id
from streams.model.vocabulary import INSTRUMENTS
from streams.segments.rules import Known, Segments
from streams.stitch.changes import Changes
from streams.stitch.facts import BRAND, COUNTRY, TIER
from streams.stitch.journey import Journey
from streams.stitch.placement import journeys_of
from streams.stitch.rows import LARGEST, LEAST, Row
from streams.stitch.subject import NOTHING, TAKEN_BACK, Subject
from streams.stitch.summary import HIDDEN, Summary

SEGMENT = "segment:"
"""With what the keys of segments in `posted` begin."""


def begin(state: Subject) -> None:
    """At the beginning of a turn before which everything was published: forget what was left, or taken back."""
    if state.actions == TAKEN_BACK:
        state.actions = NOTHING
    if state.posted:
        state.posted = {key: held for key, held in state.posted.items() if held}


def claim(
    changes: Changes, name: str, state: Subject, row: Row, whole: Summary, segments: Segments, replay: bool
) -> None:
    """Publish the segments that a root has entered and left.

    row: its record of customer.avsc. whole: its summary, parts included. replay: whether to publish all that it is in,
    or has left.
    """
    members = segments.of(known(row, whole, segments.asked)) if segments.by_name else set()
    posted = state.posted
    if members or posted:
        _post(changes, name, state, {SEGMENT + one for one in members}, whole.last, replay)


def leave(changes: Changes, name: str, state: Subject, replay: bool) -> None:
    """Leave all segments: the subject is no customer any more."""
    if state.posted:
        _post(changes, name, state, (), state.own.last, replay)


def _post(changes: Changes, name: str, state: Subject, now: Collection[str], at: int, replay: bool) -> None:
    posted, customer = state.posted, customer_id(name)
    for key in sorted({*now, *posted}):
        is_in = key in now
        if replay or bool(posted.get(key)) != is_in:
            changes.segments.append((customer, key.removeprefix(SEGMENT), is_in, at, state.version))
        posted[key] = int(is_in)


def known(row: Row, whole: Summary, asked: Collection[str]) -> Known:
    """What the conditions of segments ask of a customer. asked: their keys."""
    stated = whole.preferences
    numbers: dict[str, float | None] = {
        "sentiment_7d": row[4],
        "sentiment_30d": row[5],
        "sentiment_90d": row[6],
        "evidence": row[7],
        "interactions": row[8],
        "journeys": row[9],
        "open_cases": row[12],
    }
    words: dict[str, Collection[str]] = {"profiles": (row[3],)}
    money: dict[str, int] = {}
    if "money" in asked or not {*INSTRUMENTS}.isdisjoint(asked):
        every = Journey()
        for booking in whole.bookings.values():
            every.absorb(booking)
        for loose in whole.loose:
            loose.join(every)
        money = {currency: min(max(amount, LEAST), LARGEST) for currency, amount in every.spend.items()}
        for index, instrument in enumerate(INSTRUMENTS):
            answer = every.surveys.get(index)
            numbers[instrument] = None if answer is None else answer[2]
    if "statuses" in asked:
        words["statuses"] = {one.journey.status for one in journeys_of(whole)}
    if "brands" in asked:
        words["brands"] = [key.removeprefix(BRAND) for key in stated if key.startswith(BRAND)]
    for key, fact in (("loyalty_tiers", TIER), ("countries", COUNTRY), ("languages", "language")):
        if key in asked and fact in stated:
            words[key] = (stated[fact][2].lower(),)
    preferences = {key: value for key, (_, _, value, _) in stated.items() if not key.startswith(HIDDEN)}
    notes = None if whole.signals is None else whole.signals.guest
    consents = () if notes is None else notes.consents
    return Known(numbers, words, money, preferences if "preferences" in asked else {}, consents)
