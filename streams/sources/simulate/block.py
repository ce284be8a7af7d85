"""A block of people and everything that they do: who they are, whom they travel with, and their trips."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from streams.sources.simulate import booking, check_in, post_travel, stay
from streams.sources.simulate.options import Options
from streams.sources.simulate.people import Identifier, Person, make_person, pairs_of_customers, share_things
from streams.sources.simulate.recorder import Recorder
from streams.sources.simulate.trip import DAY, HOUR, LAST_REPORTED, MINUTE, Trip
from streams.sources.simulate.world import AIRLINE, AIRPORTS, ARAFAH, HAJJ, KINDS, UMRAH, TripKind

_LOOKS_ONLY = 0.1
_BORROWS = 0.02
_BEGINNINGS = 0.9
"""Trips begin in this first part of the time; the rest lets them end."""


@dataclass(slots=True)
class Block:
    """What a block's people did, and what the truth needs to know of them."""

    recorder: Recorder
    people: list[Person]
    shared: set[Identifier]


def make_block(options: Options, number: int) -> Block:
    """The block with this number (from 0), a function of the options and the number alone."""
    random = Random(f"rihla {options.seed} {number}")
    first = number * options.block
    count = min(options.block, options.customers - first)
    recorder = Recorder(random, options.end_ms)
    people = [
        make_person(random, first + n + 1, options.languages, looks_only=random.random() < _LOOKS_ONLY)
        for n in range(count)
    ]
    start, end = begins_at(options, number), begins_at(options, number + 1)
    shared = share_things(random, people, number)
    for thing, users in shared:
        _use(recorder, thing, users, start, end)
    for lender, borrower in pairs_of_customers(random, people, _BORROWS):
        _borrow(recorder, lender, borrower, start, end)
    travellers = [person for person in people if person.account]
    while travellers:
        lead = travellers.pop()
        kind = random.choices(KINDS, [kind.weight for kind in KINDS])[0]
        size = min(random.randint(*kind.party), len(travellers) + 1)
        companions = [travellers.pop() for _ in range(size - 1)]
        for companion in companions:
            companion.language, companion.locale, companion.country = lead.language, lead.locale, lead.country
        _travel(options, recorder, kind, [lead, *companions], random.randint(start, end))
    for person in people:
        if person.account is None:
            _only_look(recorder, person, random.randint(start, end))
    for person in people:
        _link_late(recorder, person, start)
    return Block(recorder, people, {thing for thing, _ in shared})


def blocks(options: Options) -> int:
    """How many blocks there are."""
    return -(-options.customers // options.block)


def begins_at(options: Options, number: int) -> int:
    """Nothing that a block's people do is earlier than this (epoch ms)."""
    beginnings = (options.end_ms - options.start_ms) * _BEGINNINGS
    return options.start_ms + int(beginnings * number / blocks(options))


def _travel(options: Options, recorder: Recorder, kind: TripKind, party: list[Person], looked_at: int) -> None:
    """The trips of a lead, one after the other, until they have had enough or the time is over."""
    random = recorder.random
    again = 1 - 1 / options.trips
    while looked_at < options.end_ms:
        trip = _plan(options, recorder, kind, party, looked_at)
        booking.look_around(trip)
        if booking.book(trip) and check_in.check_in(trip) and stay.stay(trip):
            post_travel.look_back(trip)
            home = trip.departure
        else:
            home = trip.booked_at
        if random.random() >= again:
            break
        # Either so soon that what they say of one trip might be about the next, or much later.
        looked_at = home + int((random.uniform(5, 45) if random.random() < 0.4 else random.uniform(60, 250)) * DAY)
        if random.random() < 0.5:
            recorder.record(
                party[0], looked_at, "post_travel.rebooked", "web", party[0].ids(random, "web"), trip.reference
            )
            looked_at += HOUR
        kind = random.choices(KINDS, [kind.weight for kind in KINDS])[0]
        party = party[: kind.party[1]]


def _plan(options: Options, recorder: Recorder, kind: TripKind, party: list[Person], looked_at: int) -> Trip:
    random = recorder.random
    booked_at = looked_at + int(random.expovariate(1 / 6) * DAY) + HOUR
    lead_days = random.randint(*kind.lead_days)
    nights = random.randint(*kind.nights)
    arrival = (booked_at // DAY + lead_days + 1) * DAY + 15 * HOUR
    if kind is HAJJ:
        pilgrimage = _next_hajj(booked_at)
        if pilgrimage is None:
            kind, nights = UMRAH, random.randint(*UMRAH.nights)
        else:
            arrival = pilgrimage - 7 * DAY + 15 * HOUR
    trip = Trip(
        recorder=recorder,
        kind=kind,
        reference=_reference(random),
        party=party,
        looked_at=looked_at,
        booked_at=booked_at,
        arrival=arrival + random.randint(0, 300) * MINUTE,
        nights=nights,
        hotel=random.choice(kind.hotels),
        flight=f"{AIRLINE}{random.randint(100, 180)}",
        airport=random.choice(AIRPORTS),
        mood=max(-1.0, min(1.0, random.gauss(0.35, 0.35))),
    )
    # Chance is asked only where it is wanted, so that a seed without these makes the events that it always made.
    trip.part_cancelled = bool(options.part_cancelled) and len(party) > 1 and trip.chance(options.part_cancelled)
    if options.unfinished and trip.chance(options.unfinished):
        trip.last_reported = random.choice(tuple(LAST_REPORTED))
    return trip


def _reference(random: Random) -> str:
    """A booking reference: 12 hexadecimal digits. Of digits alone the id of a case that has it might pass for a phone
    number, and be scrubbed."""
    drawn = f"{random.getrandbits(48):012X}"
    return f"A{drawn[1:]}" if drawn.isdecimal() else drawn


def _next_hajj(booked_at: int) -> int | None:
    """Midnight of the first Day of Arafah at least 20 days after booking and within a year of it, epoch ms."""
    for day in ARAFAH:
        at = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        if booked_at + 20 * DAY <= at <= booked_at + 365 * DAY:
            return at
    return None


def _use(recorder: Recorder, thing: Identifier, users: list[Person], start: int, end: int) -> None:
    """Each user beside the shared thing, which makes it shared; and now and then the thing by itself."""
    random = recorder.random
    medium = "kiosk" if thing[0] == "device" else "email"
    for user in users:
        assert user.account is not None
        recorder.record(user, random.randint(start, end), "booking.page_viewed", medium, [user.account, thing])
    for _ in range(random.randint(0, 3)):
        recorder.record(None, random.randint(start, end), "booking.searched", medium, [thing])


def _borrow(recorder: Recorder, lender: Person, borrower: Person, start: int, end: int) -> None:
    """A loyalty number is given with one customer's e-mail address and with another customer's id.

    It connects the two customers, which the rules forbid: whichever link is earlier decides whose number it is. The
    customer's link with their own address is earlier than both.
    """
    random = recorder.random
    assert borrower.account is not None
    assert lender.account is not None
    number = ("loyalty", f"RX{random.getrandbits(40):010X}")
    known, one, other = sorted(random.sample(range(start, end + 3), 3))
    with_email, with_customer = random.choice(((one, other), (other, one)))
    owner = lender if with_email < with_customer else borrower
    recorder.record(lender, known, "booking.page_viewed", "email", [lender.account, lender.email])
    for at, holder, names in (
        (with_email, lender, [number, lender.email]),
        (with_customer, borrower, [borrower.account, number]),
        (other, owner, [number]),
    ):
        # Whose number it is, is known here; the link of the other one with it connects nothing.
        doer = owner if names[0] == number else holder
        connected = names if holder is owner else names[:1]
        recorder.record(doer, at, "post_travel.csat_answered", "email", names, connected=connected)


def _only_look(recorder: Recorder, person: Person, at: int) -> None:
    random = recorder.random
    for _ in range(random.randint(1, 8)):
        recorder.record(person, at, random.choice(("booking.searched", "booking.page_viewed")), "web", [person.device])
        at += int(random.expovariate(1 / 12) * DAY) + MINUTE


def _link_late(recorder: Recorder, person: Person, start: int) -> None:
    """Tie up most of a person's loose ends: an event, at any later time, that carries two unconnected names."""
    random = recorder.random
    components = person.components()
    for component in components[1:]:
        if random.random() < 0.9:
            at = random.randint(start, recorder.end)
            names = [components[0][0], component[0]]
            answer = {"instrument": "csat", "score": random.randint(1, 5)}
            recorder.record(person, at, "post_travel.csat_answered", "email", names, survey=answer)
