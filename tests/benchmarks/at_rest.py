"""Memory of a customer at rest, of travellers as `rihla simulate` makes them: most are known by several identifiers.

Each identifier has a state of its own, and a root keeps a copy of what its parts have sent. Interactions, news of roots
and parts are folded in groups, as a worker gets them, so that states grow, and are replaced, as they are in its memory:
what is counted is the growth of the process, with whatever the allocators cannot use again.
"""

from __future__ import annotations

import gc
from itertools import islice
from typing import Any, NamedTuple

import orjson

from schemas.decode import BatchDecoder
from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from streams.alerts import rules
from streams.clock import now_ms
from streams.enrich.transform import Enricher
from streams.identity.resolver import Resolver
from streams.sources import jsonl
from streams.sources.simulate import Options, simulate
from streams.stitch.encoding import decode
from streams.stitch.events import COLUMNS, Events
from streams.stitch.fold import fold_messages
from streams.stitch.messages import Messages
from streams.stitch.observer import RuleContext
from streams.worker.process import GC_THRESHOLDS
from tests.benchmarks.identity_memory import resident_bytes
from tests.benchmarks.processes import afresh
from tests.benchmarks.sample import BATCH, EVENTS_A_CUSTOMER, REGISTRY

GROUP = 4 * BATCH
PASSES = 2
"""That count, after one that does not: it pays for the memory in which a group is handled, which is used again."""


class Group(NamedTuple):
    """What a worker gets at once."""

    payloads: list[bytes]
    subjects: list[str]
    new_links: list[tuple[str, str, int]]
    """(identifier, root, version)."""


class AtRest(NamedTuple):
    """What customers take, on average."""

    resident: float
    """Bytes that the process grows by."""
    encoded: float
    """Bytes of their states."""
    states: float
    """How many states they have."""


def measure(events: int) -> AtRest:
    """Measure with so many events of simulated travellers, in a process that has done nothing else.

    What is folded is made outside of it: memory given back by whatever else it had done would be taken again first.
    """
    return afresh(_weigh, groups_of(events))


def _weigh(groups: list[Group]) -> AtRest:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    states = fold(groups)
    customers = sum(decode(state).is_root for state in states.values())
    gc.collect()
    before = resident_bytes()
    kept = [fold(groups) for _ in range(PASSES)]
    gc.collect()
    grown = (resident_bytes() - before) / PASSES
    if any(again != states for again in kept):
        raise RuntimeError("the same messages made other states")
    return AtRest(grown / customers, sum(map(len, states.values())) / customers, len(states) / customers)


def groups_of(events: int, seed: int = 1) -> list[Group]:
    """What enrich and identity make of so many simulated events."""
    simulated = simulate(Options(customers=max(1, events // EVENTS_A_CUSTOMER), seed=seed))
    lines = map(orjson.dumps, islice(simulated, events))
    chunks = iter(lambda: (1, list(islice(lines, GROUP))), (1, []))
    encoders = {name: BatchEncoder(name, REGISTRY) for name in CHANNELS}
    enricher, resolver, links = Enricher(REGISTRY), Resolver(), 0
    groups: list[Group] = []
    group = Group([], [], [])
    for batch in jsonl.parse(chunks, "<simulation>"):
        enriched = enricher.enrich({batch.channel: encoders[batch.channel].encode(batch.frame)}, now_ms())
        group.payloads.extend(enriched.values)
        group.subjects.extend(subject.decode() for subject in enriched.subjects)
        said = [(subject.decode(), identifier.decode(), at) for (subject, identifier), at in enriched.links.items()]
        resolver.take(said, range(links, links + len(said)))
        links += len(said)
        group.new_links.extend((identifier, root, links) for identifier, root, _ in resolver.changes)
        resolver.settled()
        if len(group.payloads) >= GROUP:
            groups.append(group)
            group = Group([], [], [])
    return [*groups, group]


def fold(groups: list[Group]) -> dict[bytes, bytes]:
    """The states of a worker that has got all of these groups, and what follows from them."""
    states: dict[bytes, bytes] = {}
    decoder, events, context = BatchDecoder("interaction", REGISTRY), Events(), RuleContext(rules.load(None), now_ms())
    interactions = told = sent = 0
    waiting: list[Any] = []  # rows of parts, which a worker gets with one of the next groups
    for group in (*groups, *[Group([], [], [])] * 3):  # the last parts may have others follow
        messages = Messages()
        if group.payloads:
            frame = decoder.decode(group.payloads, COLUMNS).frame
            offsets = range(interactions, interactions + len(group.payloads))
            messages.interactions = events.by_subject(frame, group.subjects, offsets)
        for offset, (subject, root, version) in enumerate(group.new_links, told):
            messages.identities.setdefault(subject, []).append((offset, root, version))
        for offset, (target, *sent_part) in enumerate(waiting, sent):
            messages.parts.setdefault(target, []).append((offset, *sent_part))
        interactions, told, sent = interactions + len(group.payloads), told + len(group.new_links), sent + len(waiting)
        changes = fold_messages(states.get, messages, context)
        states.update(changes.states)
        waiting = changes.parts
    if waiting:
        raise RuntimeError(f"{len(waiting)} parts are still on their way")
    return states
