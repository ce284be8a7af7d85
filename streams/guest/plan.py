"""Decides on invitations and messages in a customer's state. Pure: it is given the time.

An **invitation** follows from a moment (a touchpoint that the model names), `delay` later and outside quiet hours, if
the journey is in the sample, the person was asked nothing else for `every`, has agreed, has not answered by themselves,
and no grave alert about them is open. If a condition ceases to hold before it was sent, it is withheld; if it could not
be sent for `lapses`, it is dropped. A **message** is drafted when a case is resolved, or when the subject of a
complaint was improved; after a person has approved it, it may be sent.

Which of these exist depends on when they were decided (their tables are logs of observations, like that of alerts).
Their progress follows from events: sent, answered, approved, told. An id is a hash of customer and cause, the event
that led to it, and events name the cause: so nobody is asked twice after the customer_id has changed or state was
rebuilt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from streams.guest import notes as of
from streams.guest.consent import ANY, FOLLOW_UP, SURVEY, is_allowed
from streams.guest.events import id_of
from streams.guest.notes import Note, Notes
from streams.guest.quiet import open_at
from streams.guest.wording import written
from streams.model.guests import Guests, Survey
from streams.model.identifiers import BOOKING_PREFIX

PLANNED, SENT, ANSWERED_, WITHHELD, VOID = "planned", "sent", "answered", "withheld", "void"
"""Statuses of an invitation; `void`: its customer was merged into another, or the moment is now another's."""
DRAFT, APPROVED_, TOLD_, REJECTED_ = "draft", "approved", "told", "rejected"
"""Statuses of a message besides WITHHELD and VOID, which here also means that the case was opened again."""
KEPT: Final = 32
"""Most invitations, and most messages, that a state keeps: the newest."""
FRESH_MS: Final = 7 * 86_400_000
"""A resolution older than this (ms) no longer leads to a draft."""


class Invitation(msgspec.Struct, array_like=True, frozen=True):
    """An invitation as it was last published. Times are epoch ms; None: not yet."""

    invitation_id: str
    survey: str
    cause: bytes
    at: int
    """Time of the moment that led to it."""
    decided_at: int
    status: str
    reason: str | None
    booking_ref: str | None
    unit: str | None
    language: str
    channel: str
    text: str
    expires_at: int
    sent_at: int | None = None
    answered_at: int | None = None


class Message(msgspec.Struct, array_like=True, frozen=True):
    """A message as it was last published. Times are epoch ms."""

    message_id: str
    kind: str
    cause: bytes
    at: int
    status: str
    booking_ref: str | None
    case_id: str | None
    unit: str | None
    aspect: str | None
    language: str
    channel: str
    text: str
    judged_by: str | None = None
    judged_at: int | None = None
    told_at: int | None = None


class Outbox(msgspec.Struct, array_like=True):
    """The invitations and messages in a root's state. due: when they must be decided on again, epoch ms; 0: never."""

    invitations: list[Invitation] = []
    messages: list[Message] = []
    due: int = 0


def settle(
    guests: Guests, customer_id: str, said: Notes | None, box: Outbox, is_grave: bool, now: int, timer: bool
) -> tuple[list[Invitation], list[Message]]:
    """Bring an outbox up to date. Returns what is new or has changed.

    said: notes of the whole customer. is_grave: whether a grave alert is open. now: epoch ms. timer: whether this is a
    turn of a timer: only those issue invitations, because events that are still on their way may speak against one.
    """
    told = Notes() if said is None else said
    if customer_id.startswith(BOOKING_PREFIX):
        told = Notes()  # no way to contact them
    asked, due = _invitations(guests, customer_id, told, box, is_grave, now, timer)
    messages = _messages(guests, customer_id, told, box, now)
    before = {one.invitation_id: one for one in box.invitations}, {one.message_id: one for one in box.messages}
    changed = (
        [one for one in asked if before[0].get(one.invitation_id) != one],
        [one for one in messages if before[1].get(one.message_id) != one],
    )
    box.invitations, box.messages, box.due = asked[-KEPT:], messages[-KEPT:], due
    return changed


def leave(box: Outbox) -> tuple[list[Invitation], list[Message]]:
    """Void and return what is open for a customer that became part of another one."""
    box.invitations = [_with(one, VOID) if one.status in (PLANNED, WITHHELD) else one for one in box.invitations]
    box.messages = [_with(one, VOID) if one.status in (DRAFT, APPROVED_, WITHHELD) else one for one in box.messages]
    box.due = 0
    return [one for one in box.invitations if one.status == VOID], [one for one in box.messages if one.status == VOID]


def _invitations(
    guests: Guests, customer_id: str, told: Notes, box: Outbox, is_grave: bool, now: int, timer: bool
) -> tuple[list[Invitation], int]:
    known = {one.cause: one for one in box.invitations}
    sent = {one.about: one for one in reversed(told.notes) if one.what == of.INVITED}
    answers = [one for one in told.notes if one.what == of.ANSWERED]
    found: list[Invitation] = []
    due = 0
    for moment in (one for one in told.notes if one.what == of.MOMENT):
        survey = next((one for one in guests.surveys if moment.touchpoint in one.after), None)
        old = known.pop(moment.event_id, None)
        if survey is None:
            found += [] if old is None else [old]
            continue
        id_ = id_of("invitation", customer_id, str(UUID(bytes=moment.event_id)))
        went = sent.get(moment.event_id)
        ids = {id_, None if went is None else went.text}  # under the customer_id of that time
        answered = min((one.at for one in answers if one.text is not None and one.text in ids), default=None)
        first = open_at(guests, moment.unit, moment.at + survey.delay)
        lapses = first + guests.lapses
        if went is not None or answered is not None:
            at = answered or now if went is None else went.at
            new = old or _new(guests, survey, moment, id_, at, told)
            found.append(_with(new, SENT if answered is None else ANSWERED_, sent_at=at, answered_at=answered))
            continue
        if now > lapses:
            found += [] if old is None else [old if old.status == VOID else _with(old, WITHHELD, "it has lapsed")]
            continue
        if old is None and (now < first or not timer):
            due = min(due or first, first)
            continue
        others = [one.at for cause, one in sent.items() if cause != moment.event_id]
        others += [one.decided_at for one in found if one.status == PLANNED]
        channel = _channel_of(guests, told, moment, SURVEY) if old is None else old.channel
        reason = _hindrance(guests, survey, moment, customer_id, told, answers, others, is_grave, now, channel)
        if old is not None:
            found.append(_with(old, PLANNED if reason is None else WITHHELD, reason))
        elif reason is None:
            found.append(_new(guests, survey, moment, id_, now, told))
        else:
            continue  # when it has passed, that is an event, whose turn sets the timer again
        due = min(due or lapses + 1, lapses + 1)
    for one in known.values():  # its moment is somebody else's now, or too long ago to be remembered
        if now - one.at <= of.KEPT_MS:
            found.append(_with(one, VOID) if one.status in (PLANNED, WITHHELD) else one)
    return sorted(found, key=lambda one: (one.at, one.cause)), due


def _hindrance(
    guests: Guests, survey: Survey, moment: Note, customer_id: str, told: Notes, answers: Sequence[Note],
    others: Sequence[int], is_grave: bool, now: int, channel: str,
) -> str | None:  # fmt: skip
    """Why an invitation must not be sent; None: it may."""
    if not in_sample(survey, customer_id, moment):
        return "it is not in the sample"
    if not is_allowed(told.consents, SURVEY, channel, guests.unsaid[SURVEY]):
        return "there is no consent"
    if is_grave:
        return "a grave alert is open"
    if any(abs(now - at) < guests.every for at in others):
        return "another invitation was sent too lately"
    own = {None, moment.booking_ref}
    if any(one.text is None and one.at >= moment.at and one.booking_ref in own for one in answers):
        return "the guest has answered already"
    return None


def in_sample(survey: Survey, customer_id: str, moment: Note) -> bool:
    """Whether a journey is in the sample: by a hash of its id, so the same on every worker and after every restart."""
    journey = f"{customer_id}/{moment.booking_ref or moment.event_id.hex()}"
    digest = hashlib.blake2b(f"{survey.name}\0{journey}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < survey.sample * 2.0**64


def _new(guests: Guests, survey: Survey, moment: Note, id_: str, now: int, told: Notes) -> Invitation:
    language = _language_of(guests, told, moment)
    text = written(guests, "invitation", language, moment.unit, moment.aspect, moment.at, None)
    channel = _channel_of(guests, told, moment, SURVEY)
    where = (moment.booking_ref, moment.unit, language, channel)
    return Invitation(
        id_, survey.name, moment.event_id, moment.at, now, PLANNED, None, *where, text, now + survey.expires
    )


def _messages(guests: Guests, customer_id: str, told: Notes, box: Outbox, now: int) -> list[Message]:
    known = {one.cause: one for one in box.messages}
    found: list[Message] = []
    for kind, cause, opened in _occasions(told.notes):
        old = known.pop(cause.event_id, None)
        reached = [one for one in told.notes if one.what == of.TOLD and _is_of(one, cause, kind)]
        judged = [one for one in told.notes if one.what in (of.APPROVED, of.REJECTED) and one.about == cause.event_id]
        channel = _channel_of(guests, told, opened, FOLLOW_UP) if old is None else old.channel
        allowed = is_allowed(told.consents, FOLLOW_UP, channel, guests.unsaid[FOLLOW_UP])
        if old is None and (now - cause.at > FRESH_MS or not allowed) and not judged:
            continue
        if old is None and reached and not any(one.about == cause.event_id for one in reached):
            continue  # somebody else has written to them
        new = old or _draft(guests, customer_id, kind, cause, opened, told)
        last = judged[-1] if judged else None
        again = kind == "resolved" and any(
            one.what == of.OPENED and one.case_id == cause.case_id and one.at > cause.at for one in told.notes
        )
        status = (
            TOLD_ if reached
            else VOID if again
            else REJECTED_ if last is not None and last.what == of.REJECTED
            else WITHHELD if not allowed
            else APPROVED_ if last is not None
            else DRAFT
        )  # fmt: skip
        found.append(
            msgspec.structs.replace(
                new,
                status=status,
                judged_by=None if last is None else last.text,
                judged_at=None if last is None else last.at,
                told_at=reached[0].at if reached else None,
            )
        )
    found += [
        _with(one, VOID) if one.status in (DRAFT, APPROVED_, WITHHELD) else one
        for one in known.values()
        if now - one.at <= of.KEPT_MS
    ]
    return sorted(found, key=lambda one: (one.at, one.cause))


def _occasions(notes: Sequence[Note]) -> list[tuple[str, Note, Note]]:
    """Reasons for a message: kind, cause, and the complaint that it is about (else the cause)."""
    found: list[tuple[str, Note, Note]] = []
    for at, one in enumerate(notes):
        if one.what == of.MADE:
            about = [two for two in notes if two.what == of.OPENED and two.aspect == one.aspect and two.at <= one.at]
            found.append(("mended", one, about[-1] if about else one))
        elif one.what == of.RESOLVED and one.case_id is not None:
            before = [two for two in notes[:at] if two.case_id == one.case_id]
            opened = [two for two in before if two.what == of.OPENED]
            # of several resolutions in a row the first is the cause
            if opened and not any(two.what == of.RESOLVED and two.at >= opened[-1].at for two in before):
                found.append(("resolved", one, opened[-1]))
    return found


def _is_of(told: Note, cause: Note, kind: str) -> bool:
    """Whether a guest was informed of a cause: by our message, or by anybody about its case."""
    if told.about is not None:
        return told.about == cause.event_id
    return kind == "resolved" and told.case_id == cause.case_id and told.at >= cause.at


def _draft(guests: Guests, customer_id: str, kind: str, cause: Note, opened: Note, told: Notes) -> Message:
    language = _language_of(guests, told, opened)
    aspect, unit = opened.aspect or cause.aspect, opened.unit or cause.unit
    done = cause.text if kind == "mended" else None
    text = written(guests, kind, language, unit, aspect, opened.at, done)
    id_ = id_of("message", customer_id, str(UUID(bytes=cause.event_id)))
    about = (opened.booking_ref, cause.case_id, unit, aspect, language, _channel_of(guests, told, opened, FOLLOW_UP))
    return Message(id_, kind, cause.event_id, cause.at, DRAFT, *about, text)


def _language_of(guests: Guests, told: Notes, about: Note) -> str:
    """The language of a complaint, else the guest's latest, else the company's."""
    own = (about.language, *(one.language for one in reversed(told.notes)))
    return next((one for one in own if one is not None), guests.language)


def _channel_of(guests: Guests, told: Notes, about: Note, purpose: str) -> str:
    """The channel for a guest: the first that is allowed of those by which they wrote (the latest first), the company's
    default and those that they agreed to; if none is allowed, the first."""
    own = (about.channel, *(one.channel for one in reversed(told.notes)), guests.channel)
    agreed = (one.channel for one in reversed(told.consents) if one.given and one.channel != ANY)
    ways = [one for one in dict.fromkeys((*own, *agreed)) if one is not None]
    unsaid = guests.unsaid[purpose]
    return next((one for one in ways if is_allowed(told.consents, purpose, one, unsaid)), ways[0])


def _with(one: Any, status: str, reason: str | None = None, **more: Any) -> Any:
    said = {"reason": reason} if isinstance(one, Invitation) else {}
    return msgspec.structs.replace(one, status=status, **said, **more)


def invitation_row(guests: Guests, customer_id: str, one: Invitation, version: int) -> tuple[Any, ...]:
    """A record of invitation.avsc."""
    asks = next((survey.ask for survey in guests.surveys if survey.name == one.survey), ())
    return (
        one.invitation_id,
        customer_id,
        None if one.booking_ref is None else f"{customer_id}/{one.booking_ref}",
        one.survey,
        list(asks),
        one.unit,
        one.language,
        one.channel,
        one.text,
        str(UUID(bytes=one.cause)),
        one.at,
        one.status,
        one.reason,
        one.decided_at,
        one.sent_at,
        one.answered_at,
        one.expires_at,
        version,
    )


def message_row(customer_id: str, one: Message, version: int) -> tuple[Any, ...]:
    """A record of message.avsc."""
    return (
        one.message_id,
        customer_id,
        None if one.booking_ref is None else f"{customer_id}/{one.booking_ref}",
        one.kind,
        one.case_id,
        one.aspect,
        one.unit,
        one.language,
        one.channel,
        one.text,
        str(UUID(bytes=one.cause)),
        one.at,
        one.status,
        one.judged_by,
        one.judged_at,
        one.told_at,
        version,
    )
