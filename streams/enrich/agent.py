"""The enrich worker: channel events in, interactions, links and dead letters out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.records import CHANNELS
from streams import metrics, topology
from streams.clock import now_ms
from streams.enrich.enriched import Enriched
from streams.enrich.link_cache import Pair, SentLinks
from streams.enrich.transform import Enricher
from streams.kafka.batch_producer import larger_than, too_long
from streams.kafka.fetch import NO_TRANSACTIONS, TRANSACTIONAL
from streams.kafka.progress import RecordBatch, Records
from streams.model import company, dead_letter
from streams.model.control import LINK
from streams.model.mask import masked
from streams.settings import Settings
from streams.spans import Headers, passed_on
from streams.text.language import SCORED
from streams.worker.agent import Agent, Grouping
from streams.worker.io import WorkerIO
from streams.worker.sift import Fault, sift
from streams.worker.verdict import Refusal, Verdict

BYTES_AT_ONCE = 16 << 20
LINGER_SECONDS = 0.1
"""Between two groups of batches at most: each is sent, fetched and waited for by itself, however few events it has."""
READ_AHEAD = 16
"""Batches: a poll brings one of each channel and partition."""
UNKNOWN = "unknown"
"""Label of a text whose language was not recognised or has no scorer."""
LINKS_REMEMBERED = 1_000_000
"""How many links the worker remembers having sent; an older one is sent again, which is harmless."""

log = logging.getLogger(__name__)


class Work(NamedTuple):
    """Some records, enriched, and what is to be sent of them."""

    enriched: Enriched
    read: Mapping[str, Records]
    """The records, by channel."""
    links: list[tuple[Pair, int]]
    """Links that were not sent before, each with the time of its earliest event."""
    encoded: list[bytes]
    """Their records."""


def create(app: Any, settings: Settings) -> WorkerIO:
    """Register the agent with the app."""
    io = WorkerIO(app, settings, "enrich")
    agent = EnrichAgent(io)
    agent.register("enrich", list(agent.channels))
    return io


class EnrichAgent(Agent):
    """Events of the channels into interactions and links. Its only state is a cache of the links that it has sent."""

    begins_traces = True

    def __init__(self, io: WorkerIO) -> None:
        settings = io.settings
        super().__init__(io, Grouping(settings.max_poll_records, BYTES_AT_ONCE, LINGER_SECONDS, READ_AHEAD))
        io.count_from_zero(
            {"channel": CHANNELS, "language": (*SCORED, UNKNOWN), "result": ("scored", "null")},
        )
        self.channels = {settings.topic(topology.channel_topic(channel)): channel for channel in CHANNELS}
        """By full name of the topic."""
        model = company.load(settings.model)
        nobody = model.nobody(settings.nobody_values)
        self._enricher = Enricher(io.registry, settings.wire, io.erased, nobody, model)
        self._sent = SentLinks(LINKS_REMEMBERED)

    async def handle(self, batches: list[RecordBatch]) -> Verdict:
        """Interactions and links are acknowledged when it returns."""
        io, now, read = self.io, now_ms(), dict[str, Records]()
        for topic, channel in self.channels.items():
            records = Records(batch for batch in batches if batch.topic == topic)
            if records:
                read[channel] = records
        room = await io.room("interactions")
        sifted = sift(sum(map(len, read.values())), lambda some: self._work(_between(read, some), now, room))
        verdict = Verdict()
        for at, error in sifted.faults:
            for one in _between(read, range(at, at + 1)).values():
                verdict.refused += io.unprocessable("enrich", one, [Fault(0, error)])
        for _, (enriched, some, _, _) in sifted.done:
            refused = list(_refused(enriched, some))
            verdict.refused += [one for one in refused if not _is_tombstone(one)]
            tombstones = sum(map(_is_tombstone, refused))
            metrics.TOMBSTONES.inc(tombstones)
            verdict.erased += tombstones
            verdict.accepted += len(enriched.values)
            verdict.erased += enriched.erased
        await io.refuse(verdict.refused)
        since = min(batch.since for batch in batches)
        for _, (enriched, some, links, encoded) in sifted.done:
            traced = _traced(enriched, some)
            if enriched.values:
                await io.send("interactions", enriched.subjects, enriched.values, since, traced=traced)
            if links:
                subjects = [subject for (subject, _), _ in links]
                await io.send("links", subjects, encoded, since, traced=_of_links(subjects, enriched, traced))
        await io.flush()
        for _, (enriched, *_) in sifted.done:
            _count(enriched)
        return verdict

    def _work(self, read: Mapping[str, Records], now: int, room: int) -> Work:
        """Enrich some records and encode their links. Where it raises, it has changed nothing.

        now: the worker's clock, epoch ms. room: bytes that key and value of an interaction may have together.
        """
        values = {channel: _plain(records) for channel, records in read.items()}
        enriched = self._enricher.enrich(values, now)
        if large := larger_than(room, enriched.subjects, enriched.values):
            details = {enriched.rows[row]: too_long("interactions", enriched.values[row], room) for row in large}
            enriched = self._enricher.enrich(_without(values, details), now)
            enriched.refused = [
                (at, dead_letter.TOO_LONG, details[at]) if at in details else (at, reason, detail)
                for at, reason, detail in enriched.refused
            ]
        links = self._sent.new(enriched.links)
        try:
            rows = [(subject.decode(), identifier.decode(), at, LINK) for (subject, identifier), at in links]
            return Work(enriched, read, links, self.io.encode("link", rows) if rows else [])
        except BaseException:
            self._sent.forget(links)
            raise


def _between(read: Mapping[str, Records], some: range) -> dict[str, Records]:
    """Those of the records of channels that are at these positions, where they follow each other channel by channel."""
    found, base = dict[str, Records](), 0
    for channel, records in read.items():
        begin, end = max(some.start - base, 0), min(some.stop - base, len(records))
        if begin < end:
            found[channel] = records.between(begin, end)
        base += len(records)
    return found


def _without(values: Mapping[str, list[bytes | None]], positions: Collection[int]) -> dict[str, list[bytes | None]]:
    """The values of all channels, but for those at some positions."""
    left, base = {}, 0
    for channel, some in values.items():
        left[channel] = [None if at in positions else value for at, value in enumerate(some, base)]
        base += len(some)
    return left


def _is_transactional(records: Records, at: int) -> bool:
    return TRANSACTIONAL in records.headers.get(at, ())


def _plain(records: Records) -> list[bytes | None]:
    """The values that may be events: none of a record that nobody knows not to be aborted."""
    if not any(_is_transactional(records, at) for at in records.headers):
        return records.values
    log.error("%s: %s", records.topic, NO_TRANSACTIONS)
    return [None if _is_transactional(records, at) else value for at, value in enumerate(records.values)]


def _refused(enriched: Enriched, read: Mapping[str, Records]) -> Iterator[Refusal]:
    """The refusals of events, each with the record of its channel's topic."""
    for position, reason, detail in enriched.refused:
        at = position
        for records in read.values():
            if at < len(records):
                if position in enriched.clear:
                    payload, secrets = enriched.clear[position]
                    key = records.keys[at]
                    records.shown[at] = None if key is None else masked(key, secrets), payload
                if _is_transactional(records, at):
                    reason, detail = dead_letter.TRANSACTIONAL, NO_TRANSACTIONS
                yield Refusal(records, at, reason, detail)
                break
            at -= len(records)


def _traced(enriched: Enriched, read: Mapping[str, Records]) -> dict[int, Headers]:
    """By row, the headers of the interactions of traced events."""
    traced, base = dict[int, Headers](), 0
    for records in read.values():
        traced.update((base + at, headers) for at, headers in passed_on(records).items())
        base += len(records)
    return {row: traced[at] for row, at in enumerate(enriched.rows) if at in traced} if traced else traced


def _of_links(
    subjects: Sequence[bytes], enriched: Enriched, traced: Mapping[int, Headers]
) -> dict[int, Headers] | None:
    """By row, the headers of the links of traced events: a link has its event's subject."""
    if not traced:
        return None
    of = {enriched.subjects[row]: headers for row, headers in traced.items()}
    return {at: of[subject] for at, subject in enumerate(subjects) if subject in of}


def _is_tombstone(refusal: Refusal) -> bool:
    """Whether a record has no value: it says nothing, as where a topic is compacted, and is nobody's fault."""
    records, at, reason, _ = refusal
    return records.values[at] is None and reason != dead_letter.TRANSACTIONAL


def _count(enriched: Enriched) -> None:
    for channel, count in enriched.channels.items():
        metrics.EVENTS_ACCEPTED.labels(channel).inc(count)
    for channel, count in enriched.lost.items():
        metrics.FIELDS_LOST.labels(channel).inc(count)
    metrics.UNKNOWN_TOUCHPOINTS.inc(enriched.unknown)
    metrics.NOBODY.inc(enriched.nobody)
    metrics.ERASED_REFUSED.labels("enrich").inc(enriched.erased)
    for (language, scored), count in Counter(enriched.texts).items():
        metrics.TEXT_SCORED.labels(language or UNKNOWN, "scored" if scored else "null").inc(count)
