"""The incremental graph says after every batch what one plain pass over the whole set of links says."""

from __future__ import annotations

import itertools
import random
from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.identity.graph import Applied, Graph, Link
from streams.model.identifiers import names_booking, strength
from streams.verify.identity import Identity, links_of, who_is_who

PEOPLE = st.sampled_from(
    [
        ("customer", "1"),
        ("customer", "2"),
        ("customer", "3"),
        ("loyalty", "a"),
        ("loyalty", "b"),
        ("loyalty", "c"),
        ("guest_profile", "g"),
        ("email_sha256", "e0" * 32),
        ("email_sha256", "e1" * 32),
        ("device", "7f3c0a52-64a1-4dd0-8d5e-0d1f0a9be5aa"),
        ("device", "d2"),
        ("device", "d3"),
        ("passport", "p1"),
        ("passport", "p2"),
        ("frequent renter", "fr"),
    ]
)
EVENTS = st.tuples(
    st.lists(PEOPLE, max_size=3), st.one_of(st.none(), st.sampled_from(["R1", "R2", "R3"])), st.integers(0, 5)
)
LINKS = st.one_of(
    st.tuples(
        PEOPLE.map(":".join),
        st.one_of(PEOPLE.map(":".join), st.sampled_from(["booking_ref:R1", "booking_ref:R2"])),
        st.integers(-2, 5),
    ),
    st.sampled_from([("booking_ref:R1", "booking_ref:R1", 0), ("booking_ref:R2", "booking_ref:R2", 3)]),
    st.sampled_from([("booking_ref:R1", "booking_ref:R2", 1), ("booking_ref:R1", "device:d2", 1)]),
)
FROM_EVENTS = st.lists(EVENTS, max_size=14).map(lambda events: [link for event in events for link in links_of(*event)])
SETS = st.one_of(FROM_EVENTS, st.lists(LINKS, max_size=24))

C1, C2, C3 = "customer:1", "customer:2", "customer:3"
A, B, C = "email_sha256:a", "email_sha256:b", "email_sha256:c"
D, E, F = "device:d", "device:e", "device:f"
R1 = "booking_ref:R1"

CHAIN = [(C1, A, 1), (C2, B, 2), (A, D, 3), (B, D, 4)]
"""Two customers at the ends of a chain: the last link in order is refused."""
CHAIN_EARLIER_AFTERWARDS = [*CHAIN, (B, D, 0)]
"""A link's earlier time arrives late: now another one is refused, and the device changes sides."""
CHAIN_TAKEN_OUT_OF_TURN = [*CHAIN, (C, D, 10), (C2, C, 6)]
"""After a late link was taken, an earlier one arrives that would have been taken before it."""
CHAIN_IN_ONE_INSTANT = [(C1, A, 1), (C2, B, 1), (A, D, 1), (B, D, 1)]
"""Equal times: the stronger, then the weaker side decide."""
KIOSK = [(f"customer:{n}", "device:kiosk", n) for n in range(8)] + [("customer:1", "email_sha256:a", 3)]
"""A device that everybody uses joins nobody."""
LIMIT_PASSED_LATE = [
    ("loyalty:a", "guest_profile:g", 1),
    ("loyalty:b", "guest_profile:g", 2),
    ("loyalty:c", "guest_profile:g", 9),
]
"""The third loyalty number takes the two apart again that the profile had joined."""
SHARED_IN_THE_MIDDLE = [
    *[("customer:1", "email_sha256:a", 1), ("email_sha256:a", "device:d", 2), ("device:d", "passport:p", 2)],
    *[(f"email_sha256:{n}", "device:d", 3) for n in range(5)],
]
"""A shared device no longer joins what is weaker than it either."""
SAME_KIND = [(C1, C2, 1), (C1, C3, 1), (C2, C3, 1)]
"""Events that name several customers: never joined, the third one shared."""
LEAD = [(R1, R1, 5), (A, R1, 5), (C1, A, 7), (B, R1, 5), (C2, R1, 3), (C1, R1, 3)]
"""The lead of a booking changes with an earlier event, and with a stronger subject at the same time."""
LEAD_SHARED = [
    ("customer:1", "device:kiosk", 1),
    ("device:kiosk", R1, 1),
    (R1, R1, 2),
    ("customer:2", "device:kiosk", 2),
]
"""A booking led by an identifier that becomes shared belongs to that identifier alone."""
SPLIT_OF_THREE = [*CHAIN, (B, E, 5), ("loyalty:x", E, 6), (C3, "loyalty:x", 7), (A, B, 2)]
"""Three customers in one component, and a late link in the middle."""


def as_dict(graph: Graph) -> dict[str, Identity]:
    return {identifier: Identity(root, shared) for identifier, root, shared in graph.identities()}


def follow(known: dict[str, Identity], applied: Applied) -> None:
    """What a reader of the published changes then holds; no change may be idle or come twice."""
    assert len({change.identifier for change in applied.changes}) == len(applied.changes)
    for identifier, root, shared in applied.changes:
        assert known.get(identifier) != Identity(root, shared)
        known[identifier] = Identity(root, shared)


@settings(max_examples=500, deadline=None)
@given(links=SETS, cuts=st.lists(st.integers(0, 24), max_size=5))
@example(CHAIN, [])
@example(CHAIN, [3])
@example(CHAIN_EARLIER_AFTERWARDS, [4])
@example(CHAIN_TAKEN_OUT_OF_TURN, [4, 5])
@example(CHAIN_IN_ONE_INSTANT, [1, 2, 3])
@example(KIOSK, [2, 7])
@example(LIMIT_PASSED_LATE, [2])
@example(SHARED_IN_THE_MIDDLE, [3, 6])
@example(SAME_KIND, [1, 2])
@example(LEAD, [1, 2, 3, 4, 5])
@example(LEAD_SHARED, [3])
@example(SPLIT_OF_THREE, [4, 6, 7])
def test_after_every_batch_it_equals_the_plain_pass_and_its_changes_say_so(links: list[Link], cuts: list[int]) -> None:
    graph, known = Graph(), {}
    edges = sorted({0, len(links), *(cut for cut in cuts if cut < len(links))})
    for start, end in itertools.pairwise(edges):
        follow(known, graph.apply(links[start:end]))
        expected = who_is_who(links[:end])
        assert as_dict(graph) == expected
        assert known == expected


@settings(max_examples=300, deadline=None)
@given(links=SETS, data=st.data())
@example(CHAIN_EARLIER_AFTERWARDS, None)
@example(SHARED_IN_THE_MIDDLE, None)
@example(SPLIT_OF_THREE, None)
def test_order_duplicates_and_batches_do_not_matter(links: list[Link], data: st.DataObject | None) -> None:
    if data is None:
        orders = [links, links[::-1], random.Random(1).sample(links, len(links))]
    else:
        repeated = links + data.draw(st.lists(st.sampled_from(links), max_size=6)) if links else links
        orders = [data.draw(st.permutations(repeated))]
    expected = who_is_who(links)
    for order in orders:
        one_by_one, known = Graph(), {}
        for link in order:
            follow(known, one_by_one.apply([link]))
        assert as_dict(one_by_one) == expected == known
        at_once = Graph()
        follow({}, at_once.apply(order))
        assert as_dict(at_once) == expected


@settings(max_examples=300, deadline=None)
@given(links=SETS, cut=st.integers(0, 24))
@example(KIOSK, 5)
@example(LEAD, 3)
def test_the_news_alone_build_the_same_graph(links: list[Link], cut: int) -> None:
    graph = Graph()
    news = graph.apply(links[:cut]).new_links + graph.apply(links[cut:]).new_links
    again = Graph()
    assert again.apply(news).new_links == news
    assert as_dict(again) == as_dict(graph)
    assert graph.apply(links) == Applied([], [])


@settings(max_examples=200, deadline=None)
@given(links=SETS)
@example([*KIOSK, *LEAD])
def test_it_knows_the_earliest_time_of_every_link_that_matters(links: list[Link]) -> None:
    graph = Graph()
    graph.apply(links)
    expected = who_is_who(links)
    for subject, identifier, _ in links:
        if names_booking(subject):
            assert graph.time(subject, identifier) == (0 if subject == identifier else None)
        elif subject != identifier:
            pair = {subject, identifier}
            earliest = min(
                link[2]
                for link in links
                if set(link[:2]) == pair and (names_booking(link[0]) <= names_booking(link[1]))
            )
            time = graph.time(subject, identifier)
            weaker = max(pair, key=strength)
            if names_booking(identifier):
                assert time in (earliest, None)
            else:
                assert time == (0 if expected[weaker].shared else earliest) == graph.time(identifier, subject)
    assert graph.time("customer:1", "device:unseen") is None


@settings(max_examples=300, deadline=None)
@given(links=SETS, data=st.data())
def test_removing_links_is_as_if_they_had_never_been(links: list[Link], data: st.DataObject) -> None:
    """Where the graph can tell: not of shared identifiers, nor of bookings with several candidates for their lead."""
    before = who_is_who(links)
    leads = Counter(identifier for _, identifier in {link[:2] for link in links if link[0] != link[1]})

    def can_tell(link: Link) -> bool:
        shared = any(before.get(identifier, Identity("", False)).shared for identifier in link[:2])
        return not shared and (not link[1].startswith("booking_ref:") or leads[link[1]] < 2)

    candidates = [link[:2] for link in links if can_tell(link) and (not names_booking(link[0]) or link[0] == link[1])]
    removed = set(data.draw(st.lists(st.sampled_from(candidates))) if candidates else [])
    removed |= {(identifier, subject) for subject, identifier in removed}
    graph = Graph()
    known: dict[str, Identity] = {}
    follow(known, graph.apply(links))
    for identifier, root, shared in graph.remove(removed):
        assert known.pop(identifier) != (root, shared)
        known[identifier] = Identity(root, shared)
    expected = who_is_who(link for link in links if link[:2] not in removed)
    for identifier, identity in as_dict(graph).items():
        assert identity == expected.get(identifier, (identifier, False))
    assert expected.keys() <= as_dict(graph).keys()
    assert {**{name: Identity(name, False) for name in known}, **expected} == known
    if links:
        assert graph.apply(links).changes or as_dict(graph) == before
        assert as_dict(graph) == before


def test_long_random_histories() -> None:
    """Larger components than Hypothesis makes: many customers, long chains, limits passed, in batches of all sizes."""
    for seed in range(30):
        rng = random.Random(seed)
        kinds = ["customer", "loyalty", "guest_profile", "email_sha256", "device", "social"]
        people = [f"{kind}:{n}" for kind in kinds for n in range(rng.choice([4, 12, 24]))]
        links: list[Link] = []
        graph, known = Graph(), {}
        while len(links) < 120:
            batch = []
            for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
                time = rng.randrange(len(links) + 5) if rng.random() < 0.2 else len(links) + len(batch)
                other = f"booking_ref:{rng.randrange(4)}" if rng.random() < 0.1 else rng.choice(people)
                subject = other if rng.random() < 0.3 and other.startswith("booking") else rng.choice(people)
                batch.append((subject, other, time))
            links += batch
            follow(known, graph.apply(batch))
            assert as_dict(graph) == who_is_who(links) == known
