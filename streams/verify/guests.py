"""Invitations and messages against the events. Both are logs of observations: which of them there are depends on when
it was looked. What must hold whenever it was can be recomputed, row by row:

- each has its cause, an event of the touchpoints that the model names (of a message: a resolution, or an improvement);
- it is sent, answered, approved, told if and only if an event says so, and when;
- nobody was sent anything without consent at that moment, nor a message that nobody had approved;
- of what was due, and by all that is known hindered by nothing, nothing is missing.

Not judged: what is of a customer who has another id now, and what happened within the last minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC
from typing import Any, Final
from uuid import UUID

import polars as pl

from streams.guest import consent, events
from streams.guest.quiet import open_at
from streams.model.company import Model
from streams.verify.compare import DIFFERENCE, Comparison

TABLE = "guests"
LATELY_MS: Final = 600_000
"""What is younger may be under way."""

_EVENTS = """
SELECT event_id, customer_id, touchpoint, occurred_at, booking_ref, case_id, attributes FROM interactions
WHERE touchpoint IN {names:Array(String)} ORDER BY occurred_at, event_id
"""
_INVITATIONS = (
    "SELECT invitation_id, customer_id, event_id, channel, status, decided_at, sent_at, answered_at FROM invitations"
)
_MESSAGES = "SELECT message_id, customer_id, event_id, channel, kind, status, judged_at, told_at FROM messages"

Difference = tuple[str, str, str, str | None, str | None]


def guests(client: Any, model: Model) -> Comparison:
    """What does not hold of invitations and messages. client: of clickhouse-connect, on the database of the tables."""
    invitations = client.query(_INVITATIONS).result_rows
    messages = client.query(_MESSAGES).result_rows
    moments = {name for survey in model.guests.surveys for name in survey.after}
    resolving = {name for name, point in model.touchpoints.items() if point.case_role == "resolve"}
    ours = (events.INVITED, events.TOLD, events.MADE, events.APPROVED, events.REJECTED)
    names = [*ours, *consent.TOUCHPOINTS, *moments, *resolving]
    rows = client.query(_EVENTS, {"names": names}).result_rows
    by_cause: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    said: dict[str, list[consent.Said]] = defaultdict(list)
    happened: dict[str, tuple[str, str]] = {}
    for event_id, customer, touchpoint, occurred_at, _, _, attributes in rows:
        at = _epoch_ms(occurred_at)
        happened[event_id] = (customer, touchpoint)
        if touchpoint in consent.TOUCHPOINTS:
            pairs = [{"key": key, "value": value} for key, value in attributes.items()]
            said[customer].append(consent.said(touchpoint, at, UUID(event_id).bytes, pairs))
        elif (cause := events.cause_of(attributes)) is not None:
            by_cause[touchpoint, cause].append(at)
    found: list[Difference] = []

    def check(what: str, id_: str, column: str, expected: object, shown: object) -> None:
        if expected != shown:
            found.append((what, id_, column, _text(expected), _text(shown)))

    def allowed(what: str, id_: str, customer: str, purpose: str, channel: str, at: int) -> None:
        known = [one for one in said[customer] if one.at <= at - LATELY_MS]
        later = any(at - LATELY_MS < one.at <= at for one in said[customer])
        if not later and not consent.is_allowed(known, purpose, channel, model.guests.unsaid[purpose]):
            found.append((what, id_, "consent", "given when it was sent", None))

    for id_, customer, event_id, channel, status, decided, sent, _ in invitations:
        owner, touchpoint = happened.get(event_id, (None, None))
        if owner != customer or status == "void":
            continue
        check("invitations", id_, "touchpoint", True, touchpoint in moments)
        went = by_cause.get((events.INVITED, UUID(event_id).bytes), [])
        if went or status == "sent":
            check("invitations", id_, "sent_at", min(went, default=None), _ms(sent))
            allowed("invitations", id_, customer, consent.SURVEY, channel, _ms(decided) or 0)
    for id_, customer, event_id, _channel, kind, status, judged, told in messages:
        owner, touchpoint = happened.get(event_id, (None, None))
        if owner != customer or status == "void":
            continue
        right = touchpoint == events.MADE if kind == "mended" else touchpoint in resolving
        check("messages", id_, "touchpoint", True, right)
        cause = UUID(event_id).bytes
        decisions = [*by_cause.get((events.APPROVED, cause), []), *by_cause.get((events.REJECTED, cause), [])]
        check("messages", id_, "judged_at", max(decisions, default=None), _ms(judged))
        went = by_cause.get((events.TOLD, cause), [])
        if went:
            check("messages", id_, "told_at", min(went), _ms(told))
            check("messages", id_, "approved before it was told", True, any(
                at <= min(went) for at in by_cause.get((events.APPROVED, cause), [])))  # fmt: skip
    found += _missing(client, model, rows, invitations, said)
    return Comparison(TABLE, len(invitations) + len(messages), pl.DataFrame(found, DIFFERENCE, orient="row"))


def _missing(
    client: Any, model: Model, rows: Iterable[Any], invitations: Iterable[Any], said: dict[str, list[consent.Said]]
) -> list[Difference]:
    """Invitations that must be there: of customers with one moment and consent, of whom there is no alert, no survey
    and no other invitation."""
    now = int(client.command("SELECT toUnixTimestamp64Milli(now64(3))"))
    moments: dict[str, list[Any]] = defaultdict(list)
    surveys = {name: survey for survey in model.guests.surveys for name in survey.after}
    for event_id, customer, touchpoint, at, *_ in rows:
        if touchpoint in surveys:
            moments[customer].append((event_id, touchpoint, _ms(at)))
    asked = {customer for _, customer, *_ in invitations}
    due = []
    for customer, some in moments.items():
        (event_id, touchpoint, at), *more = some
        survey = surveys[touchpoint]
        first = open_at(model.guests, None, at + survey.delay)
        given = {one.channel for one in said[customer] if one.given and one.purpose == consent.SURVEY}
        is_plain = (
            not more and customer not in asked and all(one.given for one in said[customer]) and survey.sample == 1
        )
        is_due = first + LATELY_MS < now < first + model.guests.lapses - LATELY_MS
        if (
            is_plain
            and is_due
            and not model.guests.quiet
            and not model.guests.prayer
            and given
            and customer is not None
        ):
            due.append((customer, event_id, first))
    if not due:
        return []
    asked_of = {"some": [customer for customer, _, _ in due]}
    hindered = {
        row[0]
        for query in (
            "SELECT customer_id FROM alerts WHERE customer_id IN {some:Array(String)}",
            "SELECT customer_id FROM interactions WHERE customer_id IN {some:Array(String)} AND survey.score > -1",
        )
        for row in client.query(query, asked_of).result_rows
    }
    return [("invitations", event_id, "(row)", "a row", None) for one, event_id, _ in due if one not in hindered]


def _ms(at: Any) -> int | None:
    return None if at is None else _epoch_ms(at)


def _epoch_ms(at: Any) -> int:
    return int(at.replace(tzinfo=UTC).timestamp() * 1000)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
