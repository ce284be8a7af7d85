"""What a mapping makes of a file, counted, before anything is sent: `rihla map check`. Memory does not grow with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from streams.clock import now_ms
from streams.sources.events import Judge, SourceError
from streams.sources.files import display_name
from streams.sources.mapping.model import Mapping
from streams.sources.mapping.reader import BATCH_ROWS, translated
from streams.sources.mapping.rows import Rows
from streams.sources.mapping.same_ids import SameIds
from streams.sources.mapping.translate import Translated, Translator
from streams.sources.spelling import Unknown

EXAMPLES = 3
"""Of dead letters, for each column and reason."""
SUSPECT_SHARE = 1 / 3
"""Share of the events with an identifier of a kind from which one value of it looks wrong."""
SUSPECT_LEAST = 5
"""Events that such a value has at least: of a handful of rows nothing can be said."""
_COUNTED = 10_000
"""Values of a kind of identifier that are counted at once. The rarest are forgotten first: what looks wrong is not."""


@dataclass
class Refused:
    """Dead letters of one column and reason."""

    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    """(line, what is wrong)"""


@dataclass(frozen=True, slots=True)
class Suspect:
    """An identifier that too many events have."""

    kind: str
    value: str
    events: int
    of: int
    """Events that have an identifier of the kind."""


@dataclass
class Report:
    """What was found."""

    rows: int = 0
    letters: int = 0
    """Rows, or what is no row, that become dead letters."""
    silent: int = 0
    """Rows that meet the condition of no event."""
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(channel, touchpoint): events"""
    unknown: Unknown = field(default_factory=Unknown)
    """Touchpoints that the catalogue does not know."""
    refused: dict[tuple[str, str], Refused] = field(default_factory=dict)
    """(column, reason): dead letters"""
    kept: Counter[str] = field(default_factory=Counter)
    """Optional cells that could not be read, by column."""
    kept_examples: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Of each, the first: (line, the cell; empty where it may not be shown)."""
    ids: SameIds = field(default_factory=SameIds)
    """Events that have the id of another event before them."""
    identifiers: Counter[str] = field(default_factory=Counter)
    """Kind: events that have an identifier of it. booking_ref is counted as one, nobody counts events with neither."""
    suspects: list[Suspect] = field(default_factory=list)
    broken: str = ""
    """Why the file could not be read to its end."""
    unused: list[str] = field(default_factory=list)
    """Columns of the file that the mapping does not name."""


def check_file(path: str, mapping: Mapping, *, batch_size: int = BATCH_ROWS, judge: Judge | None = None) -> Report:
    """Read a whole file with a mapping. judge: as for the Feeder. A file that breaks off is a sentence in the report.

    Raises SourceError where nothing of it can be read, and MappingError.
    """
    report = Report()
    translator = Translator(mapping, display_name(path))
    values: dict[str, Counter[str]] = {}
    seen: dict[str, None] = {}
    for rows, done in _parts(path, translator, batch_size, report):
        seen |= dict.fromkeys(rows.columns)
        report.rows += rows.frame.height + len(rows.unreadable)
        report.letters += len(done.bad)
        report.silent += done.silent
        report.kept.update(done.kept)
        for label, (row, cell) in done.examples.items():
            report.kept_examples.setdefault(label, (rows.lines[row], cell))
        for problem in done.problems:
            _refuse(report, problem.label, problem.reason, rows.lines[problem.row], problem.detail)
        for one in rows.unreadable:
            _refuse(report, "the whole row", one.reason, one.line, one.detail)
        for channel, frame in done.frames:
            lines = [rows.lines[row] for row in done.rows[channel]]
            if judge is not None:
                frame, lines = _judged(frame, lines, judge, translator, report)
            report.ids.add(frame, lines)
            for name, count in frame["touchpoint"].value_counts().iter_rows():
                report.events[channel, name] += count
            report.unknown.add(frame)
            _identifiers(frame, report.identifiers, values)
    for kind, counted in values.items():
        most, events = counted.most_common(1)[0]
        of = report.identifiers[kind]
        if events >= max(SUSPECT_LEAST, of * SUSPECT_SHARE):
            report.suspects.append(Suspect(kind, most, events, of))
    report.unused = [name for name in seen if name and name not in translator.columns]
    return report


def _parts(path: str, translator: Translator, batch_size: int, report: Report) -> Iterator[tuple[Rows, Translated]]:
    some = False
    try:
        for part in translated(path, translator, batch_size):
            some = some or part[0].frame.height > 0
            yield part
    except SourceError as error:
        if not some:
            raise
        report.broken = str(error)


def _judged(
    frame: pl.DataFrame, lines: list[int], judge: Judge, translator: Translator, report: Report
) -> tuple[pl.DataFrame, list[int]]:
    """The events that keep the rules, with their lines; the others are in the report."""
    out = set()
    for one in judge(frame, now_ms()):
        out.add(one.row)
        report.letters += 1
        label = translator.names.get(one.field, one.field)
        _refuse(report, label, one.reason, lines[one.row], one.detail)
    good = [row for row in range(frame.height) if row not in out]
    return (frame[good], [lines[row] for row in good]) if out else (frame, lines)


def _refuse(report: Report, label: str, reason: str, line: int, detail: str) -> None:
    refused = report.refused.setdefault((label, reason), Refused())
    refused.count += 1
    if len(refused.examples) < EXAMPLES:
        refused.examples.append((line, detail))


def _identifiers(frame: pl.DataFrame, identifiers: Counter[str], values: dict[str, Counter[str]]) -> None:
    ids = frame.select(pl.col("ids").explode(empty_as_null=True)).unnest("ids").drop_nulls()
    references = frame.select(pl.lit("booking_ref").alias("kind"), pl.col("booking_ref").alias("value")).drop_nulls()
    for kind, value, count in pl.concat([ids, references]).group_by("kind", "value").len().iter_rows():
        identifiers[kind] += count
        values.setdefault(kind, Counter())[value] += count
    for kind, counted in values.items():
        if len(counted) > _COUNTED:
            values[kind] = Counter(dict(counted.most_common(_COUNTED // 2)))
