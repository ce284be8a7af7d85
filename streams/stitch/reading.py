"""Decodes the records of a group of batches into messages for the subjects of each partition."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec
import numpy as np
import polars as pl

from streams.alerts import match
from streams.alerts.signals import Watched
from streams.guest.noting import COLUMNS as NOTED
from streams.guest.noting import Noter
from streams.kafka.batch_producer import RAISED, RECALLED, RESTORED, last_recalled
from streams.kafka.progress import RecordBatch, Records
from streams.model.company import Model
from streams.model.control import ERASE, part_kind
from streams.model.linked import LINKED
from streams.model.vocabulary import UUID
from streams.stitch.events import COLUMNS, Events
from streams.stitch.membership import GroupSaid, may_be_about_groups, said_of_groups
from streams.stitch.messages import IDENTITY, INTERACTION, PART, Message, Messages, RootChange, Sent
from streams.stitch.observer import RuleContext
from streams.text import deep
from streams.worker.io import WorkerIO
from streams.worker.sift import sift
from streams.worker.verdict import Refusal

VERSION_LIMIT = 1 << 44
"""Largest version accepted. Versions grow with offsets; only a foreign writer makes a larger one, and it would win for
ever."""
NOTHING: Watched = (), None, ()
_raised = msgspec.json.Decoder(dict[str, tuple[int, str]]).decode


@dataclass(slots=True)
class Group:
    """The messages of a group of batches, and what else it holds."""

    messages: dict[int, Messages] = field(default_factory=dict)
    """By partition."""
    since: dict[int, int] = field(default_factory=dict)
    """By partition: arrival of the oldest raw event that caused its records, epoch ms."""
    erased: dict[int, set[str]] = field(default_factory=dict)
    """By partition: subjects that are to be forgotten."""
    newest: dict[int, int] = field(default_factory=dict)
    """By partition: the time of the latest interaction, epoch ms."""
    restored: bool = False
    """Whether some interactions were sent again from ClickHouse to rebuild state."""
    refused: list[Refusal] = field(default_factory=list)
    """Records that cannot be read."""
    dropped: int = 0
    """Number of records about erased people, and of tombstones."""
    records: dict[str, Records] = field(default_factory=dict)
    """By kind (streams.stitch.messages): where the messages come from."""

    def of(self, partition: int) -> Messages:
        """The messages of a partition, to add to."""
        found = self.messages.get(partition)
        if found is None:
            found = self.messages[partition] = Messages()
        return found

    def record_of(self, partition: int, message: Message) -> tuple[Records, int]:
        """The records that a message of a partition came with, and its position among them. Searches all of them."""
        _, kind, (offset, *_) = message
        records = self.records[kind]
        both = zip(records.partitions, records.offsets, strict=True)
        return records, next(at for at, one in enumerate(both) if one == (partition, offset))

    def add(self, part: Group) -> None:
        """Add the messages of records that follow the earlier ones, or are of another topic."""
        for partition, messages in part.messages.items():
            self.of(partition).add(messages)
        for partition, subjects in part.erased.items():
            self.erased.setdefault(partition, set()).update(subjects)
        for partition, at in part.newest.items():
            self.newest[partition] = max(at, self.newest.get(partition, at))
        self.restored |= part.restored
        self.refused += part.refused
        self.dropped += part.dropped


class Reader:
    """Reads groups.

    io: of the worker. topics: full names of those of interactions, identities and parts, in this order. model: what
    events mean. Raises MissingEncoder where the settings ask for a second reader of texts and there is none.
    """

    def __init__(self, io: WorkerIO, topics: Sequence[str], context: RuleContext, model: Model) -> None:
        self._io, self._decode, self._context = io, io.decode, context
        read = deep.reader(io.settings.deep)
        self._events = Events(model)
        self._matcher = match.Matcher(context.rules, model.touchpoints, model.brands, read)
        self._noter = Noter(model.guests, model.touchpoints)
        self._columns = tuple(dict.fromkeys(("subject", *COLUMNS, *self._matcher.columns, *NOTED)))
        kinds = (INTERACTION, self._interactions), (IDENTITY, self._identities), (PART, self._parts)
        self._read = dict(zip(topics, kinds, strict=True))

    def read(self, batches: Iterable[RecordBatch]) -> Group:
        """The messages of batches of one assignment. The clock of RuleContext decides what is due."""
        group, of_topic = Group(), dict[str, list[RecordBatch]]()
        for batch in batches:
            of_topic.setdefault(batch.topic, []).append(batch)
        for topic, some in of_topic.items():
            records = Records(some)
            kind, read = self._read[topic]
            group.records[kind] = records
            sifted = sift(len(records), partial(self._part, read, records))
            for _, part in sifted.done:
                group.add(part)
            group.refused += self._io.unprocessable("decode", records, sifted.faults)
            for batch in some:
                at = batch.since
                group.since[batch.partition] = min(at, group.since.get(batch.partition, at))
        return group

    @staticmethod
    def _part(read: Callable[[Records, Group], None], records: Records, some: range) -> Group:
        """The messages of some records of a topic."""
        part = Group()
        read(records.between(some.start, some.stop), part)
        return part

    def _interactions(self, records: Records, group: Group) -> None:
        decoded = self._decode("interaction", records, self._columns)
        frame, positions, errors = decoded.frame, decoded.rows.tolist(), decoded.errors
        group.dropped += len(records) - frame.height - len(errors)
        named = frame["event_id"].str.contains(UUID)
        if not named.all():  # enrich writes no such record; one from another producer must not stop the worker
            keep = named.to_list()
            errors += [(at, "event_id is not a UUID") for at, good in zip(positions, keep, strict=True) if not good]
            frame, positions = frame.filter(named), [at for at, good in zip(positions, keep, strict=True) if good]
        _refuse(group, records, errors)
        linked = frame["touchpoint"] == LINKED  # their links are in cx.links; nothing else is said
        if linked.any():
            keep = (~linked).to_list()
            frame, positions = frame.filter(~linked), [at for at, good in zip(positions, keep, strict=True) if good]
        if not positions:
            return
        headed = {
            row: dict(headers)
            for at, headers in records.headers.items()
            if (row := bisect_left(positions, at)) < len(positions) and positions[row] == at
        }
        restored = {row for row, headers in headed.items() if headers.get(RESTORED[0]) == RESTORED[1]}
        recalled = {row for row, headers in headed.items() if RECALLED[0] in headers}
        last = {row: at for row in recalled if (at := last_recalled(headed[row][RECALLED[0]])) is not None}
        raised = {row: _raised(headers[RAISED]) for row, headers in headed.items() if RAISED in headers}
        watched = self._matcher.watched(frame, self._context.now, restored | recalled, raised)
        for row, noted in self._noter.noted(frame, self._context.now, bool(restored or recalled)).items():
            signals, answer, _ = watched.get(row, NOTHING)
            watched[row] = signals, answer, noted
        # A subject in two partitions, as a foreign producer may have it, is two subjects.
        partitions = [records.partitions[at] for at in positions]
        subjects: list[str] = frame["subject"].to_list()
        keys = list(zip(partitions, subjects, strict=True))
        offsets = [records.offsets[at] for at in positions]
        said: dict[int, GroupSaid] = {}
        if may_be_about_groups(frame["touchpoint"].to_list(), subjects):
            ids = self._decode("interaction", records, ("event_id", "ids"))  # which nothing else needs
            of = dict(zip(ids.rows.tolist(), ids.frame["ids"].to_list(), strict=True))
            named_by = pl.Series("ids", [of[at] for at in positions], ids.frame.schema["ids"])
            said = said_of_groups(frame.with_columns(named_by))
        grouped = self._events.by_subject(frame, keys, offsets, watched, restored | recalled, last, said)
        for (partition, subject), events in grouped.items():
            group.of(partition).interactions[subject] = events
        group.restored |= bool(restored)
        starts = np.flatnonzero(np.diff(partitions, prepend=-1))  # those of a partition are next to each other
        newest = np.maximum.reduceat(frame["occurred_at"].to_numpy(), starts).tolist()
        group.newest.update(zip((partitions[at] for at in starts), newest, strict=True))

    def _identities(self, records: Records, group: Group) -> None:
        decoded = self._decode("identity", records, ("kind", "value", "root", "version"))
        group.dropped += len(records) - decoded.frame.height - len(decoded.errors)
        _refuse(group, records, decoded.errors)
        partition, root_changes = -1, dict[str, list[RootChange]]()
        for at, (kind, value, root, version) in zip(decoded.rows.tolist(), decoded.frame.rows(), strict=True):
            if records.partitions[at] != partition:
                partition = records.partitions[at]
                root_changes = group.of(partition).identities
            if not 0 <= version < VERSION_LIMIT:
                group.refused.append(Refusal(records, at, "undecodable", f"version {version} is none"))
                continue
            root_changes.setdefault(f"{kind}:{value}", []).append((records.offsets[at], root, version))

    def _parts(self, records: Records, group: Group) -> None:
        decoded = self._decode("part", records, None)
        group.dropped += len(records) - decoded.frame.height - len(decoded.errors)
        _refuse(group, records, decoded.errors)
        for at, (target, part, version, summary, said) in zip(decoded.rows.tolist(), decoded.frame.rows(), strict=True):
            partition, kind = records.partitions[at], part_kind(said, version)
            if kind == ERASE:
                group.erased.setdefault(partition, set()).add(target)
            elif kind is None or version >= VERSION_LIMIT:
                group.refused.append(Refusal(records, at, "undecodable", f"version {version} is none"))
            else:
                sent: Sent = (records.offsets[at], part, version, summary, kind)
                group.of(partition).parts.setdefault(target, []).append(sent)


def _refuse(group: Group, records: Records, errors: Iterable[tuple[int, str]]) -> None:
    group.refused += [Refusal(records, at, "undecodable", detail) for at, detail in errors]
