"""Invariant 1 for stitch's pure core: what is published in the end depends on the set of messages alone.

The world below is the worker without Kafka: topics are lists, a batch is a slice of one of them, a group some batches,
and a crash loses what a group published after its states were stored. Then every topic is read again from where it was
last committed, in any order of topics.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.alerts.signals import Watched
from streams.guest.consent import Said, Source
from streams.model.brands import Brands
from streams.model.company import built_in
from streams.model.control import PartRow, nothing_stored
from streams.model.guests import Guests
from streams.model.identifiers import customer_id
from streams.segments.rules import Question, Segment, Segments
from streams.stitch import fold
from streams.stitch.changes import Changes
from streams.stitch.encoding import decode, encode
from streams.stitch.eviction import evict
from streams.stitch.fold import fold_messages, fold_unsaid
from streams.stitch.journey import Event
from streams.stitch.messages import Messages, Sent
from streams.stitch.observer import RuleContext
from streams.stitch.peek import unsaid

DAY = 86_400_000
START = 1_700_000_000_000
GUESTS = replace(built_in().guests, zone="America/New_York", zones=(("HTL-*", "Pacific/Kiritimati"),))
"""Whose days of one moment are two."""
SUBJECTS = ("customer:a", "customer:b", "email_sha256:e", "device:d")


SEGMENTS = Segments(
    {
        "in_house": Segment("in_house", "", ((Question("statuses", words=frozenset({"in_stay", "checked_in"})),),)),
        "unhappy": Segment(
            "unhappy",
            "",
            (
                (Question("sentiment_30d", at_most=-0.2), Question("open_cases", at_least=1)),
                (Question("nps", at_most=1),),
            ),
        ),
        "spender": Segment("spender", "", ((Question("money", "SAR", at_least=0.1),),)),
    }
)


@dataclass
class World:
    """States, topics and what is published, of one partition."""

    states: dict[bytes, bytes] = field(default_factory=dict)
    guests: Guests = field(default_factory=lambda: built_in().guests)
    brands: Brands = field(default_factory=lambda: built_in().brands)
    parts: list[PartRow] = field(default_factory=list)
    parts_read: int = 0
    recalls: list[tuple[str, int]] = field(default_factory=list)
    tables: dict[str, dict[Any, tuple[Any, ...]]] = field(default_factory=dict)
    moves: list[tuple[Any, ...]] = field(default_factory=list)
    """Observations: which there are depends on the order of things."""
    written: range = range(0)
    """Offsets of the states' changelog, since the last crash."""
    untold: list[Changes] = field(default_factory=list)
    """Of the group at hand."""
    gathered: Messages = field(default_factory=Messages)
    """What the group at hand brings, and is folded at once."""
    older: bool = False
    """Whether the worker is of a version without next actions and consents: it publishes none, and its states know of
    no next actions, and of no sources of consents."""

    def run(self, messages: Messages, crash: bool = False) -> None:
        """Fold what was gathered, if anything was, and then messages; so ends a group, with a crash or well."""
        self.fold()
        self.fold(messages)
        self.end(crash)

    def gather(self, messages: Messages) -> None:
        """Add messages to those that the group folds at once."""
        for kind in ("interactions", "identities", "parts"):
            of_kind = getattr(self.gathered, kind)
            for subject, some in getattr(messages, kind).items():
                of_kind.setdefault(subject, []).extend(some)

    def fold(self, messages: Messages | None = None) -> None:
        """Fold messages, or what was gathered; the group has others to come."""
        if messages is None:
            messages, self.gathered = self.gathered, Messages()
        changes = fold_messages(
            self.states.get, messages, RuleContext({}, START, SEGMENTS, self.guests, self.brands), self.written
        )
        if self.older:
            changes.next_actions.clear()
            changes.customers[:] = [without_consents(row) for row in changes.customers]
        self.states.update({key: self._as_written(state) for key, state in changes.states.items()})
        self.untold.append(changes)

    def end(self, crash: bool = False) -> None:
        """End the group at hand."""
        group, self.untold = self.untold, []
        end = self.written.stop + len(group)
        if crash:
            self.written = range(end + 1, end + 1)
            return
        self.written = range(self.written.start, end)
        for changes in group:
            self._publish(changes)

    def _as_written(self, encoded: bytes) -> bytes:
        if not self.older:
            return encoded
        state = decode(encoded)
        state.actions = None
        if state.own.signals is not None and state.own.signals.guest is not None:
            state.own.signals.guest.sources = {}
        return encode(state)

    def hand_over(self) -> None:
        """A worker of the other version takes the partition."""
        self.older = not self.older
        self.written = range(self.written.stop + 1, self.written.stop + 1)

    def catch_up(self, crash: bool = False) -> None:
        """The turn of states that the older version wrote. crash: before they are stored, after they were published."""
        behind = [key.decode() for key, state in self.states.items() if unsaid(state) is not None]
        changes = fold_unsaid(self.states.get, behind, self.guests)
        self._publish(changes)
        if not crash:
            self.states.update(changes.states)
            self.written = range(self.written.start, self.written.stop + 1)

    def _publish(self, changes: Changes) -> None:
        self.parts += changes.parts
        self.recalls += changes.recalls
        self.moves += changes.moves
        for table, rows, key in (
            ("journeys", changes.journeys, lambda row: row[0]),
            ("customers", changes.customers, lambda row: row[0]),
            ("cases", changes.cases, lambda row: (row[1], row[0])),
        ):
            kept = self.tables.setdefault(table, {})
            for row in rows:
                old = kept.get(key(row))
                if old is None or row[-2] >= old[-2]:
                    kept[key(row)] = row
        to_do = self.tables.setdefault("next_actions", {})
        for customer, actions, version in changes.next_actions:
            if customer not in to_do or version >= to_do[customer][-2]:
                to_do[customer] = (customer, actions, version, not actions)
        entered = self.tables.setdefault("segments", {})
        for customer, segment, member, _, version in changes.segments:
            if (customer, segment) not in entered or version >= entered[customer, segment][-2]:
                entered[customer, segment] = (version, not member)

    def next_parts(self, most: int) -> Messages:
        """The next so many parts that were sent."""
        chunk = self.parts[self.parts_read : self.parts_read + most]
        grouped: dict[str, list[Sent]] = {}
        for offset, (target, *sent) in enumerate(chunk, start=self.parts_read):
            grouped.setdefault(target, []).append((offset, *sent))
        self.parts_read += len(chunk)
        return Messages(parts=grouped)

    def evict(self, rng: Any) -> None:
        """Evict some subjects, of any age: in the worker it is only those of whom nothing is heard."""
        for key, encoded in list(self.states.items()):
            stub = evict(encoded, before=2**60) if rng.random() < 0.5 else None
            if stub is not None:
                self.states[key] = self._as_written(stub)

    def answer(self, items: list[tuple[str, int, Event]], rng: Any) -> None:
        """Send again, at the end of the log, what is stored of a subject: at least what its state had applied."""
        subject, applied = self.recalls.pop(0)
        log = items[: rng.randrange(applied, len(items) + 1)]
        stored = {number: event for name, number, event in log if name == subject}
        again = [(subject, number, restored(event)) for number, event in stored.items()]
        if again:
            items += [*again[:-1], (subject, again[-1][1], restored(again[-1][2], applied))]
        else:
            self.parts.append(nothing_stored(subject, applied))

    def exact(self) -> dict[str, dict[Any, tuple[Any, ...]]]:
        """What the views show: the last version, nothing withdrawn, floating-point figures to six digits."""
        return {
            table: {
                key: tuple(round(value, 6) if isinstance(value, float) else value for value in row[:-2])
                for key, row in rows.items()
                if not row[-1]
            }
            for table, rows in self.tables.items()
        }


CONSENTS = 15
"""Place of consents in a row of customers."""


def without_consents(row: tuple[Any, ...], found: Any = ()) -> tuple[Any, ...]:
    """A row of customers with other consents."""
    return (*row[:CONSENTS], found, *row[CONSENTS + 1 :])


def without_sources(tables: dict[str, dict[Any, Any]]) -> dict[str, dict[Any, Any]]:
    """Tables without where consent was given: what an older version has stored does not say it."""
    people = {
        key: without_consents(row, [one._replace(source=None) for one in row[CONSENTS]])
        for key, row in tables.get("customers", {}).items()
    }
    return {**tables, "customers": people} if people else tables


def consent_of(number: int, at: int) -> Watched | None:
    """What some events say of consent: given, withdrawn, and withdrawn of everything by every channel."""
    if number % 3:
        return None
    event_id, is_given = number.to_bytes(16, "big"), number % 4 > 0
    everything = not is_given and number % 8 == 0
    purpose, channel = ("any", "any") if everything else (("survey", "marketing")[number % 2], "email")
    return (), None, (Said(purpose, channel, is_given, at, event_id), Source(event_id, f"form {number}"))


def event(number: int, day: int, ref: str | None, touchpoint: int, score: int | None, case: str | None) -> Event:
    roles = ("open", "contact", "response", "resolve", "reopen")
    made = Event(
        START + day * DAY,
        number.to_bytes(16, "big"),
        ref,
        f"stay.t{touchpoint}",
        channel=number % 4,
        milestone=touchpoint % 8 - 2 if touchpoint % 8 >= 2 else -1,
        case_role=roles[number % 5] if case else None,
        case_id=case,
        score=None if score is None else score * 100_000,
        weight=1.0,
        instrument=number % 4 if score is not None else -1,
        survey_score=float(number % 5),
        amount_minor=number,
        currency="SAR" if number % 2 else None,
        preferences=(("language", f"l{number % 3}"),) if number % 3 else (),
    )
    made.watched = consent_of(number, made.at)
    return made


def restored(event: Event, ends_recall: int = -1) -> Event:
    """The event as it comes back from what was stored."""
    fields: tuple[Any, ...] = event.fields()
    twin = Event(*fields)
    twin.restored, twin.ends_recall = True, ends_recall
    return twin


events = st.lists(
    st.tuples(
        st.integers(0, len(SUBJECTS) - 1),
        st.integers(0, 150),
        st.sampled_from([None, "R1", "R2"]),
        st.integers(0, 9),
        st.one_of(st.none(), st.integers(-10, 10)),
        st.sampled_from([None, None, "c1"]),
    ),
    min_size=1,
    max_size=14,
)
roots = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=6)


def play(
    items: list[tuple[str, int, Event]],
    news: list[tuple[str, str, int]],
    rng: Any,
    *,
    shuffle: bool,
    duplicate: bool,
    crashes: bool,
    evictions: bool = False,
    versions: bool = False,
) -> World:
    """Feed everything to a new world in batches of random size, interleaved at random. versions: workers of an older
    version, and of this one, take turns; the last one is of this version."""
    items = list(items)
    if duplicate:
        items += [item for item in items if rng.random() < 0.4]
    if shuffle:
        rng.shuffle(items)
    world, at, told = World(), 0, 0
    committed = (0, 0, 0)
    left = 8 if crashes else 0
    begun = False  # a group, in which any number of batches of any topic are folded at once or one after the other
    while True:
        if not (at < len(items) or told < len(news) or world.parts_read < len(world.parts) or world.recalls or begun):
            if world.older:
                world.hand_over()
            before = len(world.parts), len(world.recalls)
            if versions:
                world.catch_up()
            if before == (len(world.parts), len(world.recalls)):
                break
        if versions and not begun and rng.random() < 0.2:
            world.hand_over()
            if not world.older and rng.random() < 0.5:
                world.catch_up(crash=rng.random() < 0.5)
        choice = rng.randrange(3 if begun else 5)
        if not begun and rng.random() < 0.3:
            committed = (at, told, world.parts_read)
        batch = Messages()
        if choice == 0 and at < len(items):
            size = rng.randrange(1, 6)
            for offset, (subject, number, value) in enumerate(items[at : at + size], start=at):
                batch.interactions.setdefault(subject, []).append((offset, number.to_bytes(8, "big"), value))
            at += len(items[at : at + size])
        elif choice == 1 and told < len(news):
            size = rng.randrange(1, 3)
            for offset, (subject, root, version) in enumerate(news[told : told + size], start=told):
                batch.identities.setdefault(subject, []).append((offset, root, version))
            told += size
        elif choice == 2:
            batch = world.next_parts(rng.randrange(1, 4))
        elif choice == 3 and world.recalls:
            world.answer(items, rng)
        elif choice == 4 and evictions and rng.random() < 0.4:
            world.evict(rng)
        world.gather(batch)
        begun = begun or batch != Messages()
        if rng.random() < 0.5:
            world.fold()
        if left and rng.random() < 0.3:
            world.run(Messages(), crash=True)
            at, told, world.parts_read = committed
            left -= 1
            begun = False
        elif rng.random() < 0.7:
            world.run(Messages())
            begun = False
    return world


@settings(max_examples=300, deadline=None)
@given(events, roots, st.integers(0, 2**32))
@example(
    [(2, 0, None, 3, 1, None), (3, 40, None, 3, 1, None), (2, 20, "R1", 4, None, "c1")], [(3, 2), (3, 0), (3, 3)], 1
)
def test_any_order_batching_duplication_crash_and_eviction_publishes_the_same(
    specs: Any, moves: Any, seed: int
) -> None:
    publishes_the_same(specs, moves, seed)


def publishes_the_same(specs: Any, moves: Any, seed: int) -> None:
    rng = Random(seed)
    items = [(SUBJECTS[s], n, event(n, *rest)) for n, (s, *rest) in enumerate(specs)]
    items_publish_the_same(items, moves, rng)


def items_publish_the_same(items: list[tuple[str, int, Event]], moves: Any, rng: Random) -> World:
    """Every way of playing the items publishes the same. Returns the world of the plainest."""
    # The identity worker tells a chain of roots per subject; only weaker subjects move to stronger ones.
    news = [
        (SUBJECTS[subject], SUBJECTS[min(root, subject)], version)
        for version, (subject, root) in enumerate(moves, start=1)
    ]
    # Roots of roots are resolved by the identity worker; here: a target that has moved itself is replaced by its root.
    final = {subject: subject for subject in SUBJECTS} | {subject: root for subject, root, _ in news}
    for subject in SUBJECTS:
        while final[final[subject]] != final[subject]:
            final[subject] = final[final[subject]]
    news += [(subject, root, 1000 + n) for n, (subject, root) in enumerate(final.items())]

    plainest = play(items, news[-len(SUBJECTS) :], rng, shuffle=False, duplicate=False, crashes=False)
    plain = plainest.exact()
    assert {*plain.get("segments", ())} == memberships(plain, items, final)
    for shuffle, duplicate, crashes, evictions, versions in (
        (True, False, False, False, False),
        (True, False, True, False, False),
        (True, True, True, False, False),
        (True, False, False, True, False),
        (True, True, True, True, False),
        (True, False, False, False, True),
        (True, True, True, True, True),
    ):
        world = play(
            items,
            news,
            rng,
            shuffle=shuffle,
            duplicate=duplicate,
            crashes=crashes,
            evictions=evictions,
            versions=versions,
        )
        other, wanted = world.exact(), plain
        if versions:
            other, wanted = without_sources(other), without_sources(wanted)
        if duplicate:  # how many duplicates were seen is told of a customer, and is the one thing that may differ
            drop = {key: row[:13] + row[14:] for key, row in other.pop("customers", {}).items()}
            same = {key: row[:13] + row[14:] for key, row in wanted.get("customers", {}).items()}
            assert drop == same
            assert other == {table: rows for table, rows in wanted.items() if table != "customers"}
        else:
            assert other == wanted
    return plainest


def memberships(
    tables: dict[str, dict[Any, tuple[Any, ...]]], items: list[tuple[str, int, Event]], roots: dict[str, str]
) -> set[tuple[str, str]]:
    """(customer, segment), from what the tables say and, of the latest answers, from the events."""
    found = {(row[1], "in_house") for row in tables["journeys"].values() if row[4] in ("in_stay", "checked_in")}
    for customer, *row in tables["customers"].values():
        if row[4] is not None and row[4] <= -0.2 and row[11] >= 1:
            found.add((customer, "unhappy"))
    money: dict[str, int] = {}
    answers: dict[str, tuple[int, bytes, float]] = {}
    for subject, _, one in {number: (subject, number, one) for subject, number, one in items}.values():
        if subject not in roots:  # a group's money and answers are its own, not its members'
            continue
        customer = customer_id(roots[subject])
        if one.currency == "SAR":
            money[customer] = money.get(customer, 0) + one.amount_minor
        if one.instrument == 0:
            latest = (one.at, one.event_id, one.survey_score)
            answers[customer] = max(latest, answers.get(customer, latest))
    found |= {(customer, "spender") for customer, amount in money.items() if amount >= 10}
    return found | {(customer, "unhappy") for customer, (_, _, answer) in answers.items() if answer <= 1}


@settings(max_examples=100, deadline=None)
@given(events, roots, st.integers(0, 2**32))
def test_the_short_way_of_a_turn_does_what_the_long_one_does(specs: Any, moves: Any, seed: int) -> None:
    items = [(SUBJECTS[s], n, event(n, *rest)) for n, (s, *rest) in enumerate(specs)]
    news = [(SUBJECTS[subject], SUBJECTS[min(root, subject)], at) for at, (subject, root) in enumerate(moves, start=1)]

    def played(crashes: bool) -> World:
        return play(items, news, Random(seed), shuffle=True, duplicate=True, crashes=crashes, evictions=True)

    for crashes in (False, True):
        short = played(crashes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fold, "takes_fast_path", lambda *_: False)
            long = played(crashes)
        assert short.states == long.states
        assert short.exact() == long.exact()


def test_what_a_crash_left_untold_is_told_though_a_record_of_another_topic_is_read_first() -> None:
    def visit(offset: int, day: int) -> Messages:
        return Messages({"customer:a": [(offset, day.to_bytes(8, "big"), event(day, day, None, 0, None, None))]})

    world, part = World(), World()
    part.run(Messages({"device:d": [(0, b"12345678", event(9, 9, "R1", 3, None, None))]}))
    part.run(Messages(identities={"device:d": [(0, "customer:a", 1)]}))
    world.run(visit(0, 5))
    assert len(world.exact()["journeys"]) == 1
    world.run(visit(1, 4), crash=True)  # the visit begins earlier, so it has another name
    ((_, *sent),) = part.parts
    world.run(Messages(parts={"customer:a": [(0, *sent)]}))
    world.run(visit(1, 4))
    assert [row[2] for row in world.exact()["journeys"].values()] == ["R1"]


# Found at random: a former root whose evicted part was dropped, told its own root nothing; so did a crash in that turn.
# The others: an answer to a recall, asked for twice after a crash, came when its subject had been evicted again.
@pytest.mark.parametrize("seed", [293, 853, 1537, 1563, 2647, 101888, 603069])
def test_counter_examples_of_evictions(seed: int) -> None:
    rng = Random(seed)
    specs = [
        (
            rng.randrange(4),
            rng.randrange(150),
            rng.choice([None, "R1", "R2"]),
            rng.randrange(10),
            rng.choice([None, rng.randint(-10, 10)]),
            rng.choice([None, None, "c1"]),
        )
        for _ in range(rng.randrange(1, 14))
    ]
    moves = [(rng.randrange(1, 4), rng.randrange(4)) for _ in range(rng.randrange(7))]
    publishes_the_same(specs, moves, seed)


@settings(max_examples=100, deadline=None)
@given(events, roots, st.integers(0, 2**32))
def test_every_event_is_counted_once(specs: Any, moves: Any, seed: int) -> None:
    rng = Random(seed)
    items = [(SUBJECTS[s], n, event(n, *rest)) for n, (s, *rest) in enumerate(specs)]
    news = [(SUBJECTS[subject], SUBJECTS[0], version) for version, (subject, _) in enumerate(moves, start=1)]
    world = play(items, news, rng, shuffle=True, duplicate=True, crashes=True).exact()
    assert sum(row[8] for row in world["customers"].values()) == len(items)
    assert sum(row[15] for row in world["journeys"].values()) == len(items)
