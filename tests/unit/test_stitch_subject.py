"""The encoding of stitch's states: what earlier versions wrote into changelogs, and what is left out."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.alerts.moves import Cause, move_row
from streams.alerts.owner import NOBODY
from streams.model.identifiers import customer_id
from streams.stitch.encoding import decode, decode_summary, encode, encode_summary, without_cause
from streams.stitch.journey import Event, Journey
from streams.stitch.peek import watch_of
from streams.stitch.publications import publications
from streams.stitch.rolling import Rolling
from streams.stitch.subject import Subject
from streams.stitch.summary import Loose, Summary

WRITTEN: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "stitch_states.json").read_text())
"""States of commit d84c1a5, of every kind: encoded, and what followed from them there."""
AT = 1_700_000_000_000
CAUSE: Cause = (AT, b"0123456789abcdef", "stay.complaint", "spa", None, None)


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written["kind"])
def test_a_state_written_before_says_what_it_said(written: dict[str, Any]) -> None:
    encoded = b64decode(written["state"])
    state = decode(encoded)
    for again in (state, decode(encode(state))):
        if written["says"] is not None:
            said = publications(written["name"], again)
            # they were written before cases said who has to act, and customers what they have consented to
            records = {
                key: row if key.startswith("journey:") else (*row[:-5], *row[-2:]) for key, row in said.records.items()
            }
            customer = (*said.customer[:-3], *said.customer[-2:])
            assert json.loads(json.dumps({**records, "customer": customer})) == written["says"]
        moves = [] if again.watch is None else again.watch.moves
        rows = [move_row(customer_id(written["name"]), moved, lambda _: NOBODY) for moved in moves]
        assert [[*row[:-4], row[-1]] for row in rows] == written["moves"]
        assert watch_of(encode(again)) == watch_of(encoded)


def test_states_of_every_kind_were_kept() -> None:
    states = [decode(b64decode(written["state"])) for written in WRITTEN]
    assert any(state.root is not None and not state.own.interactions for state in states)
    assert any(state.parts and state.watch is not None and state.watch.moves for state in states)
    assert any(isinstance(loose.channel, Journey) for state in states for loose in state.own.loose)
    assert any(state.own.cause is not None for state in states)


EVENTS = (
    Event(AT, b"a" * 16, None, "stay.service_request", 2),
    Event(AT, b"b" * 16, None, "check_in.arrived", 1, milestone=3, score=-250_000, weight=0.5),
    Event(AT, b"c" * 16, None, "post_travel.nps_answer", 3, instrument=0, survey_score=9.0),
    Event(AT, b"d" * 16, None, "stay.spa", 2, amount_minor=12_900, currency="MYR"),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.touchpoint)
def test_a_loose_event_is_kept_whole(event: Event) -> None:
    own = Summary()
    own.add(event)
    assert decode_summary(encode_summary(own)).loose == own.loose
    journey, joined = Journey(), Journey()
    journey.add(event)
    Loose.of(event).join(joined)
    assert joined == journey


def test_a_root_keeps_a_part_without_its_cause() -> None:
    own = Summary()
    own.add(EVENTS[1])
    kept = encode_summary(own)
    own.cause = CAUSE
    assert without_cause(encode_summary(own), own, CAUSE) == kept
    own.cause = of_a_brand = (*CAUSE[:5], "noor")
    sent = encode_summary(own)
    assert decode_summary(sent).cause == of_a_brand
    own.cause = None
    assert without_cause(sent, own, of_a_brand) == kept


def test_a_part_with_brands_is_read_by_a_version_that_knows_none() -> None:
    """Brands stand after all that it reads; what it reads is as it was."""
    own, plain = Summary(), Summary()
    said = (AT, b"e" * 16, "B1", "stay.complaint_made", 2)
    own.add(Event(*said, case_role="open", case_id="K", brand="noor"))
    plain.add(Event(*said, case_role="open", case_id="K"))
    own.cause, plain.cause = (*CAUSE[:5], "safa"), CAUSE
    fields = msgspec.msgpack.decode(encode_summary(own))
    brands = fields.pop()
    assert brands == [{"K": "noor"}, "safa"]
    assert fields[:11] == msgspec.msgpack.decode(encode_summary(plain))
    assert decode_summary(encode_summary(own)) == own != plain


def test_one_opinion_is_kept_once() -> None:
    one, other = Rolling(), Rolling()
    one.add(AT, 0.7, -0.4)
    assert one.scores(AT) == pytest.approx((-0.28 / 1.7,) * 3)
    assert one.evidence() == 1.0
    assert one.fields()[3:] == (None,) * 5
    other.absorb(one)
    assert other == one
    other.add(AT, 0.7, 0.4)
    assert other.scores(AT) == pytest.approx((0.0, 0.0, 0.0))
    assert other.evidence() == pytest.approx(2.0)


def test_what_is_encoded_stays_as_it_is() -> None:
    first = encode(Subject(root="customer:C1"))
    again = bytes(bytearray(first))
    encode(Subject(root="customer:C2"))
    assert first == again
