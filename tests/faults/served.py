"""Judges what Customer 360 answered under faults, by two things that it does not know: what stitch published and when,
and what `rihla verify` makes of the events.

- **Published**: an answer is a row of cx.customers, whole; and not an older one than its `as_of` allows: whatever an
  observer had seen of the customer by then must be in it. So an age that is too small is found out.
- **Recomputed**: the state after n interactions is a function of which these are. Events of one subject come in the
  order of their partition, so a customer of k subjects has been through some of the sets that are made of a beginning
  of each subject's events. An answer must be what `verify` computes of one of these sets of n. Its subjects are all
  that were ever said to be the customer's: who is who changes meanwhile, too.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from streams.verify.names import Names
from streams.verify.recompute import recompute

CLOSE = 1e-6
"""How far two sums of the same scores may lie apart."""
SETS = 400
"""Sets of events that are tried for one state; a state of which there are more is not judged."""


class State(NamedTuple):
    """What was answered of a customer. last_event_at: epoch ms."""

    customer_id: str
    interactions: int
    profile: str
    sentiment_30d: float | None
    last_event_at: int


class Published:
    """Rows of cx.customers as an observer saw them come: by customer, each with the moment (epoch s) it was seen at."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[float, State | None]]] = defaultdict(list)
        self._versions: dict[str, int] = {}
        self.rows = 0
        self.owners: set[tuple[str, str]] = set()
        """(identifier, customer_id) as was ever said."""

    def take(self, row: Mapping[str, Any], now: float) -> None:
        """A row, in the order of its partition; one that is older than what was there before changes nothing."""
        name = row["customer_id"]
        self.rows += 1
        if row["version"] <= self._versions.get(name, -1):
            return
        self._versions[name] = row["version"]
        parts = (name, row["interactions"], row["profile"], row["sentiment_30d"], row["last_event_at"])
        self._seen[name].append((now, None if row["withdrawn"] else State(*parts)))

    def known(self) -> Iterable[str]:
        """Customers of whom something has been published."""
        return self._seen.keys()

    def fault(self, said: State, as_of: float) -> str | None:
        """What is wrong with an answer; None: nothing. as_of: epoch s, as it says."""
        known = self._seen.get(said.customer_id, [])
        places = [at for at, (_, one) in enumerate(known) if one is not None and same(one, said)]
        if not places:
            return f"{said}: nobody has published this"
        due = bisect_left([at for at, _ in known], as_of) - 1
        if places[-1] < due:
            return f"{said}: as of {as_of:.3f} it was {known[due][1]}, seen {as_of - known[due][0]:.3f} s before that"
        return None

    def nobody(self, customer_id: str, as_of: float) -> str | None:
        """What is wrong with "nobody is known by this"; None: nothing."""
        known = self._seen.get(customer_id, [])
        due = bisect_left([at for at, _ in known], as_of) - 1
        if due < 0 or any(one is None for _, one in known):
            return None
        return f"{customer_id}: nobody, where {known[due][1]} had been published {as_of - known[due][0]:.3f} s before"


def same(one: State, other: State) -> bool:
    """Whether two states are one, up to rounding."""
    if one._replace(sentiment_30d=None) != other._replace(sentiment_30d=None):
        return False
    a, b = one.sentiment_30d, other.sentiment_30d
    return a is b if a is None or b is None else math.isclose(a, b, abs_tol=CLOSE)


class Judged(NamedTuple):
    """states: different ones that were answered. recomputed: of those, how many the oracle judged. sets: of events that
    it computed for them. wrong: sentences."""

    states: int
    recomputed: int
    sets: int
    wrong: list[str]


def judged(seen: set[State], log: pl.DataFrame, owners: Iterable[tuple[str, str]]) -> Judged:
    """Compare answered states with what verify computes of the events that they can be of.

    log: the topic cx.interactions, each partition in order. owners: (identifier, customer_id) as was ever said.
    """
    log = Names(log).with_subjects(log).unique(["subject", "event_id"], keep="first", maintain_order=True)
    log = log.with_columns(at=pl.int_range(1, pl.len() + 1).over("subject"), row=pl.int_range(pl.len()))
    lengths = dict(log.group_by("subject").len().iter_rows())
    ever: dict[str, set[str]] = defaultdict(set)
    for subject in lengths:  # until something is said of it, a subject is a customer of its own
        ever[subject.removeprefix("customer:")].add(subject)
    for subject, customer in owners:
        if subject in lengths:
            ever[customer].add(subject)
    subjects = {customer: sorted(some) for customer, some in ever.items()}
    asked = sorted({(one.customer_id, one.interactions) for one in seen})
    tried: list[tuple[str, str, str, int]] = []  # name of the set, customer, subject, events of it
    sets: dict[tuple[str, int], list[str]] = {}
    for customer, n in asked:
        names = subjects.get(customer, [])
        some = list(itertools.islice(_beginnings([lengths[one] for one in names], n), SETS + 1))
        if not some or len(some) > SETS:
            continue
        sets[customer, n] = [f"{customer}#{n}#{number}" for number in range(len(some))]
        for name, counts in zip(sets[customer, n], some, strict=True):
            tried += [(name, customer, of, count) for of, count in zip(names, counts, strict=True) if count]
    frame = pl.DataFrame(tried, schema=["name", "customer", "subject", "upto"], orient="row")
    events = frame.join(log, on="subject").filter(pl.col("at") <= pl.col("upto")).sort("name", "row")
    renamed = events.with_columns(
        ids=pl.concat_list(pl.struct(kind=pl.lit("customer"), value=pl.col("name"))),
        booking_ref=pl.format("{}#{}", "booking_ref", "name"),
        subject="customer:" + pl.col("name"),
    ).select(log.drop("at", "row").columns)
    computed = {row["customer_id"]: row for row in recompute(renamed).customers.iter_rows(named=True)}
    wrong, found = [], 0
    for one in sorted(seen, key=str):
        candidates = sets.get((one.customer_id, one.interactions))
        if candidates is None:
            continue
        found += 1
        rows = [computed[name] for name in candidates if name in computed]
        if not any(same(_state(one.customer_id, row), one) for row in rows):
            near = ", ".join(f"{row['profile']} {row['sentiment_30d']}" for row in rows[:3])
            wrong.append(f"{one}: verify computes {near} of what it can be of")
    return Judged(len(seen), found, sum(map(len, sets.values())), wrong)


def _state(customer: str, row: Mapping[str, Any]) -> State:
    return State(customer, row["interactions"], row["profile"], row["sentiment_30d"], row["last_event_at"])


def _beginnings(lengths: Sequence[int], n: int) -> Iterator[tuple[int, ...]]:
    """Ways to take n from the beginnings of lists of these lengths."""
    if not lengths:
        if n == 0:
            yield ()
        return
    rest = sum(lengths[1:])
    for count in range(max(0, n - rest), min(lengths[0], n) + 1):
        for others in _beginnings(lengths[1:], n - count):
            yield (count, *others)
