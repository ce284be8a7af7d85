"""The graph with identifiers scoped by brand equals the plain pass, whatever the order and the batches."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.identity.graph import Graph
from streams.model.identifiers import Kinds
from streams.verify.identity import Identity, who_is_who

KINDS = Kinds(
    ("customer", "loyalty", "pass", "device"), {"customer": 1, "loyalty": 2, "pass": 2}, 3, ("customer", "pass")
)
NAMES = st.sampled_from(
    [f"customer:{brand}/{n}" for brand in "abc" for n in (1, 2)]
    + [f"pass:{brand}/{n}" for brand in "ab" for n in (1, 2, 3)]
    + ["customer:plain", "loyalty:l", "loyalty:m", "device:d", "device:e", "crm:x"]
)
LINKS = st.lists(
    st.one_of(
        st.tuples(NAMES, NAMES, st.integers(0, 6)),
        st.tuples(NAMES, st.just("booking_ref:R"), st.integers(0, 6)),
        st.just(("booking_ref:R", "booking_ref:R", 0)),
    ),
    max_size=20,
)


def held(graph: Graph) -> dict[str, Identity]:
    return {identifier: Identity(root, shared) for identifier, root, shared in graph.identities()}


@settings(max_examples=150, deadline=None)
@given(links=LINKS, cut=st.integers(0, 20), data=st.data())
def test_as_one_plain_pass(links: list[tuple[str, str, int]], cut: int, data: st.DataObject) -> None:
    expected = who_is_who(links, KINDS)
    graph, known = Graph(KINDS), dict[str, Identity]()
    for some in (links[:cut], links[cut:]):
        for identifier, root, shared in graph.apply(some).changes:
            known[identifier] = Identity(root, shared)
    assert held(graph) == expected == known
    one_by_one = Graph(KINDS)
    for link in data.draw(st.permutations(links + links[:4])):
        one_by_one.apply([link])
    assert held(one_by_one) == expected
    for name in {one.root for one in expected.values()}:
        together = [i for i, one in expected.items() if one.root == name and i.startswith("customer:")]
        assert len({KINDS.group(i) for i in together}) == len(together), "two customers of one brand are never joined"
