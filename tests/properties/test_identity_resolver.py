"""In whatever step the identity worker dies, however its input is batched again: the right identities are published."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.identity.graph import Link
from streams.identity.resolver import Resolver
from streams.verify.identity import Identity, who_is_who
from tests.properties.test_identity_graph import CHAIN, LIMIT_PASSED_LATE, SETS

JOINED_THEN_PARTED = [("loyalty:b", "device:e", 1), *LIMIT_PASSED_LATE]
"""Loyalty b: published alone, then joined with a, then alone again."""


@dataclass
class Durable:
    """What survives a crash."""

    committed: int = 0
    announced: int = 0
    links: dict[tuple[str, str], int] = field(default_factory=dict)
    published: dict[str, tuple[int, Identity]] = field(default_factory=dict)

    def publish(self, identifier: str, version: int, identity: Identity) -> None:
        known = self.published.get(identifier)
        if known is None or version >= known[0]:
            self.published[identifier] = version, identity


@dataclass
class Life:
    """One run of the worker.

    batches: their sizes.
    durable_part: how much (0 to 1) of the last batch's writes reaches the broker.
    commits: whether the last acks before the crash were committed.
    """

    batches: list[int]
    durable_part: float
    commits: bool


def run(log: list[Link], durable: Durable, life: Life) -> None:
    resolver = Resolver()
    resolver.announced = durable.announced
    resolver.restore([(*pair, time) for pair, time in durable.links.items()])
    at, committed = durable.committed, durable.committed
    for number, size in enumerate(life.batches):
        last = number == len(life.batches) - 1
        end = min(at + size, len(log))
        resolver.take(log[at:end], range(at, end))
        writes: list[tuple[str, object]] = []
        if resolver.changes:
            resolver.announced = max(resolver.announced, end)
            writes.append(("announce", resolver.announced))
        writes += [("publish", change) for change in resolver.changes]
        writes += [("record", link) for link in resolver.new_links]
        for what, item in writes[: int(life.durable_part * len(writes))] if last else writes:
            if what == "announce":
                durable.announced = item
            elif what == "publish":
                durable.publish(item.identifier, end, Identity(item.root, item.shared))
            else:
                subject, identifier, time = item
                durable.links[subject, identifier] = min(time, durable.links.get((subject, identifier), time))
        if last and life.durable_part < 1:
            break
        resolver.settled()
        at = end
        if not last:
            committed = at
    if life.commits:
        durable.committed = committed


LIVES = st.lists(
    st.builds(
        Life, st.lists(st.integers(1, 8), min_size=1, max_size=4), st.sampled_from([0, 0.3, 0.6, 0.9, 1]), st.booleans()
    ),
    max_size=4,
)


@settings(max_examples=1500, deadline=None)
@given(log=SETS, lives=LIVES)
@example(JOINED_THEN_PARTED, [Life([1, 2], 0.75, True)])  # joined is published and not recorded
@example(
    JOINED_THEN_PARTED, [Life([1, 2], 0.75, True), Life([1], 0.75, False)]
)  # and the next life does not get as far
@example([*CHAIN, ("customer:2", "device:d", 0), ("customer:1", "device:d", 0)], [Life([5], 1, False)])
def test_the_last_published_identities_are_right(log: list[Link], lives: list[Life]) -> None:
    durable = Durable()
    for life in lives:
        run(log, durable, life)
    run(log, durable, Life([len(log)], 1, True))
    assert {identifier: identity for identifier, (_, identity) in durable.published.items()} == who_is_who(log)
