"""A mapping proposed from a sample of a file, `rihla map init`: a start, to be read and mended."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

import polars as pl

from streams.sources.events import SourceError
from streams.sources.files import STDIN, display_name, read_lines
from streams.sources.mapping.cells import clean
from streams.sources.mapping.headings import NAMES, NOTHING, heading, meaning, moment
from streams.sources.mapping.headings import medium as meant_medium
from streams.sources.mapping.model import NULLS, Read
from streams.sources.mapping.money import numbers
from streams.sources.mapping.rows import format_of, read_rows
from streams.sources.mapping.times import EPOCHS, ISO, milliseconds

SAMPLE: Final = 1_000
"""Rows that are looked at."""
FITS: Final = 0.9
"""Share of the cells of a column that must be of a form for the column to be of it."""
FEW: Final = 30
"""Different cells that a column of words has at most."""

_DAYS = ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%m/%d/%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y", "%Y%m%d")
_DATES = [f"{day}{clock}" for clock in (" %H:%M:%S", " %H:%M", "") for day in _DAYS]
_HIJRI_DATES = [form for form in _DATES if "%Y" in form and "%b" not in form and form != "%Y%m%d"]
_KINDS: Final = {"customer": "customer", "loyalty": "loyalty", "email": "email_sha256", "phone": "phone_sha256"}
_EARLIEST, _LATEST = 946_684_800_000, 4_102_444_800_000
"""2000 to 2100, in epoch milliseconds: what a number must be within to be a time."""


@dataclass(frozen=True, slots=True)
class _Time:
    column: str
    form: str
    doubtful: bool
    """Whether day and month could be the other way round."""
    hijri: bool = False
    clock: str | None = None
    """Column behind it that has the time of day."""

    def value(self) -> str:
        """As a value of a mapping."""
        calendar = ', calendar = "hijri"' if self.hijri else ""
        if self.clock is None:
            return f"{{ column = {_quote(self.column)}, format = {_quote(self.form)}{calendar} }}"
        sql = f"{_sql(self.column)} || ' ' || COALESCE({_sql(self.clock)}, '00:00')"
        return f"{{ sql = {_quote(sql)}, format = {_quote(self.form + ' %H:%M')}{calendar} }}"


def propose(path: str, source: str) -> str:
    """The text of a mapping for a file. Raises SourceError where the file cannot be read."""
    read = _read(path)
    rows = next(iter(read_rows(path, read, SAMPLE)), None)
    if rows is None or not rows.frame.height or not rows.frame.columns:
        raise SourceError(f"{display_name(path)}: there is no row from which a mapping could be proposed")
    return _Proposal(clean(rows.frame, NULLS), read, source, format_of(path, read)).text()


def _read(path: str) -> Read:
    form = format_of(path, Read())
    if form != "csv" or path == STDIN:
        return Read(format=form)  # type: ignore[arg-type]
    lines = next(iter(read_lines(path, SAMPLE)), (1, []))[1]
    encoding = "utf-8"
    try:
        for line in lines:
            line.decode()
    except UnicodeDecodeError:
        encoding = "cp1256" if _is_arabic(lines) else "cp1252"
    separator, header = _table([line.decode(encoding, "replace") for line in lines])
    return Read(format="csv", separator=separator, encoding=encoding, header=header)


def _is_arabic(lines: list[bytes]) -> bool:
    """Whether octets beyond ASCII are letters of Arabic in cp1256: those of Latin scripts stand alone among others."""
    high = sum(len(run) for line in lines for run in re.findall(rb"[\x80-\xff]+", line))
    return 2 * sum(len(run) for line in lines for run in re.findall(rb"[\xc0-\xff]{3,}", line)) > high


def _table(lines: list[str]) -> tuple[str, int]:
    """(separator, line of the columns' names, from 1) of lines in which a title may stand above the table."""
    best, found = 0, (",", 1)
    for separator in ",;\t|":
        counts = [_separators(line, separator) for line in lines]
        usual, often = Counter(filter(None, counts)).most_common(1)[0] if any(counts) else (0, 0)
        if usual * often > best:
            best, found = usual * often, (separator, 1 + counts.index(usual))
    return found


def _separators(line: str, separator: str) -> int:
    """How many separators a line has, but for those in quotes."""
    try:
        return max(len(next(csv.reader([line], delimiter=separator), [])) - 1, 0)
    except csv.Error:
        return line.count(separator)


class _Proposal:
    def __init__(self, frame: pl.DataFrame, read: Read, source: str, form: str) -> None:
        self._nothing = {
            one
            for name in frame.columns
            for one in frame[name].unique().to_list()
            if one is not None and one in NOTHING
        }
        self._frame = clean(frame, [*self._nothing])
        self._read, self._source, self._form = read, source, form
        self._used: set[str] = set()
        self._lines: list[str] = []

    def text(self) -> str:
        times = [time for name in self._frame.columns if (time := self._time(name)) is not None]
        found = {what: self._named(what, {time.column for time in times}) for what in NAMES}
        decimal = self._decimal(found["amount"])
        self._head(decimal)
        self._event(found, times)
        rest = [name for name in self._frame.columns if name not in self._used]
        if rest:
            self._say("", "# Columns that nothing above names. Keep those that are worth it, and no personal data:")
            self._say("# [events.attributes]")
            self._lines += [f"# {_key(name)} = {_quote(name)}" for name in rest]
        for other in times[1:]:
            self._another(other, found)
        return "\n".join(self._lines) + "\n"

    def _say(self, *lines: str) -> None:
        self._lines += lines

    def _cells(self, name: str) -> pl.Series:
        return self._frame[name].drop_nulls()

    def _share(self, name: str, read: pl.Series) -> float:
        cells = self._cells(name)
        return (len(cells) - read.null_count()) / len(cells) if len(cells) else 0.0

    def _named(self, what: str, but: set[str]) -> str | None:
        for name in self._frame.columns:
            if name not in but and self._cells(name).len() and re.search(NAMES[what], heading(name)):
                if what in ("amount", "party_size", "nights", "nps") and not self._is_number(name):
                    continue
                if what == "stars" and not self._is_stars(name):
                    continue
                if what == "customer" and not self._share(name, _with_digit(self._cells(name))) >= FITS:
                    continue  # people's names: they are no identifier, and nobody else's business
                return name
        return None

    def _is_number(self, name: str) -> bool:
        return any(self._share(name, numbers(self._cells(name), mark)) >= FITS for mark in (".", ","))

    def _is_stars(self, name: str) -> bool:
        found = numbers(self._cells(name), ",")
        return self._share(name, found.set(~found.is_between(1, 5).fill_null(False), None)) >= FITS

    def _time(self, name: str) -> _Time | None:
        cells = self._cells(name)
        if not len(cells):
            return None
        for calendar, forms in (
            ("gregorian", (ISO, *EPOCHS, *_DATES)),
            ("hijri", _HIJRI_DATES if find_spec("hijridate") else ()),
        ):
            for form in forms:
                ms = self._moments(cells, form, calendar)
                if self._share(name, ms) >= FITS:
                    other = form.replace("%d/%m", "%m/%d").replace("%d-%m", "%m-%d")
                    doubtful = other != form and self._share(name, self._moments(cells, other, calendar)) >= FITS
                    return _Time(name, form, doubtful, calendar == "hijri", self._clock(name, form))
        return None

    def _moments(self, cells: pl.Series, form: str, calendar: str) -> pl.Series:
        """Epoch milliseconds; null where they are none, or beyond all likelihood."""
        ms = milliseconds(cells, [form], "UTC", calendar)
        return ms.set((~ms.is_between(_EARLIEST, _LATEST)).fill_null(False), None)

    def _clock(self, name: str, form: str) -> str | None:
        """The column behind one of dates that has the time of day."""
        place = self._frame.columns.index(name) + 1
        if "%H" in form or "%d" not in form or place == len(self._frame.columns):
            return None
        behind = self._frame.columns[place]
        cells = self._cells(behind)
        times = cells.set(~cells.str.contains(r"^\s*\d{1,2}:\d\d\s*$"), None)
        return behind if self._share(behind, times) >= FITS else None

    def _decimal(self, amount: str | None) -> str:
        if self._form not in ("csv", "tsv"):
            return "."
        for name in [amount] if amount is not None else self._frame.columns:
            fits = {mark: self._share(name, numbers(self._cells(name), mark)) for mark in (".", ",")}
            if fits[","] >= FITS and fits[","] > fits["."]:
                return ","
        return "."

    def _head(self, decimal: str) -> None:
        self._say(
            "# Proposed by `rihla map init` from the first rows: read every line, mend it, then `rihla map check`.",
            "# A plain string is a column; docs/ways-in.md says what else a mapping can do.",
            f"source = {_quote(self._source)}  # part of every event's id: do not change it later",
            "",
            "[read]",
            f"format = {_quote(self._form)}",
        )
        if self._form == "csv" and self._read.separator not in (None, ","):
            self._say(f"separator = {_quote(self._read.separator or ',')}")
        if self._read.encoding != "utf-8":
            self._say(
                f"encoding = {_quote(self._read.encoding)}  # not UTF-8: cp1252 Western, cp1254 Turkish, cp1256 Arabic"
            )
        if self._read.header != 1:
            self._say(f"header = {self._read.header}  # the line with the names of the columns")
        if decimal == ",":
            self._say('decimal = ","')
        if nothing := sorted(self._nothing):
            words = ", ".join(_quote(one) for one in (*NULLS, *nothing))
            self._say(f"null = [{words}]  # words that are nothing")
        self._say(
            'zone = "UTC"  # of times without an offset: "Asia/Riyadh"',
            '# currency = "SAR"       # of amounts that name none',
            '# country_code = "966"   # of phone numbers without one',
            "",
        )

    def _event(self, found: dict[str, str | None], times: list[_Time]) -> None:
        status, reference = found["status"], found["booking_ref"]
        key = [name for name in (reference or found["customer"] or self._distinct(), status) if name]
        self._used |= {*key, *filter(None, (found["currency"],))}
        self._say("[[events]]", 'name = "event"')
        self._say(
            f"key = [{', '.join(map(_quote, key))}]  # columns that tell this event from every other of the source"
        )
        self._occurred_at(times)
        for name in ("booking_ref", "unit", "country", "locale", "text"):
            if (column := found[name]) is not None and (column not in self._used or name == "booking_ref"):
                self._used.add(column)
                self._say(f"{name} = {_quote(column)}")
        if (amount := found["amount"]) is not None:
            self._used.add(amount)
            currency = f", currency = {_quote(found['currency'])}" if found["currency"] else ""
            self._say(f"money = {{ amount = {_quote(amount)}{currency} }}")
        if (score := found["nps"]) is not None:
            self._used.add(score)
            self._say(f'survey = {{ instrument = {{ value = "nps" }}, score = {_quote(score)} }}')
        elif (score := found["stars"]) is not None:
            self._used.add(score)
            self._say(f'survey = {{ instrument = {{ value = "stars" }}, score = {_quote(score)} }}  # or is it "csat"?')
        self._ids(found)
        self._touchpoint(status)
        self._medium(found["medium"])
        typed = {name: found[name] for name in ("party_size", "nights") if found[name]}
        if typed:
            self._used |= set(filter(None, typed.values()))
            self._say("", "[events.fields]", *(f"{name} = {_quote(column or '')}" for name, column in typed.items()))

    def _distinct(self) -> str:
        """The first column whose cells are all there, and all different; else the first."""
        names = self._frame.columns
        height = self._frame.height
        return next((name for name in names if self._cells(name).n_unique() == height), names[0])

    def _occurred_at(self, times: list[_Time]) -> None:
        if not times:
            column = self._frame.columns[0]
            self._say("# No column of the first rows is a time: say which one is, and its format.")
            self._say(f'occurred_at = {{ column = {_quote(column)}, format = "iso" }}')
            return
        time, *others = times
        self._used |= {time.column, time.clock or time.column}
        doubt = "  # or is the month first?" if time.doubtful else ""
        self._say(f"occurred_at = {time.value()}{doubt}")
        for other in others:
            self._used |= {other.column, other.clock or other.column}
            if moment(other.column) is None:
                self._say(f"# Of an event of its own, [[events]]? occurred_at = {other.value()}")

    def _another(self, time: _Time, found: dict[str, str | None]) -> None:
        """The event that another column of times tells of, as a comment: which rows it is of is for people to say."""
        said = moment(time.column)
        if said is None:
            return
        name, touchpoint = said
        reference, status = found["booking_ref"], found["status"]
        rows = self._rows_of(touchpoint, status)
        lines = [
            "[[events]]",
            f"name = {_quote(name)}",
            *([f"when = {_quote(rows)}"] if rows else []),
            f"key = [{_quote(reference or found['customer'] or self._distinct())}]",
            f"touchpoint = {{ value = {_quote(touchpoint)} }}",
            'medium = { value = "system" }',
            f"occurred_at = {time.value()}",
            *([f"booking_ref = {_quote(reference)}"] if reference else []),
            *self._people(found),
        ]
        self._say("", f"# {time.column} tells of an event of its own; if you take it, let the first one tell another:")
        self._lines += [f"# {line}" for line in lines]

    def _rows_of(self, touchpoint: str, status: str | None) -> str | None:
        """The condition of the rows whose status says that this has happened."""
        if status is None:
            return None
        least = [touchpoint, *(["stay.checked_out"] if touchpoint == "stay.arrived" else [])]
        words = [cell for cell in self._cells(status).unique(maintain_order=True) if meaning(cell) in least]
        if touchpoint == "booking.confirmed" or not words:
            return None
        return f"{_sql(status)} IN ({', '.join(_literal(one) for one in words[:FEW])})"

    def _people(self, found: dict[str, str | None]) -> list[str]:
        pairs = [
            f"{{ kind = {_quote(kind)}, column = {_quote(found[what])} }}"
            for what, kind in _KINDS.items()
            if found[what]
        ]
        return [f"ids = [{', '.join(pairs)}]"] if pairs else []

    def _ids(self, found: dict[str, str | None]) -> None:
        taken = [(kind, column) for what, kind in _KINDS.items() if (column := found[what]) is not None]
        self._used |= {column for _, column in taken}
        if not taken and found["booking_ref"] is None:
            self._say("# No column looks like a person's name or number: say whose the rows are.")
            taken = [("customer", self._frame.columns[0])]
        if taken:
            lines = (f"    {{ kind = {_quote(kind)}, column = {_quote(column)} }}," for kind, column in taken)
            self._say("ids = [", *lines, "]")

    def _touchpoint(self, status: str | None) -> None:
        counted = [] if status is None else self._cells(status).value_counts(sort=True).rows()
        self._say("", "[events.touchpoint]  # a name of rihla's catalogue (streams/model/touchpoints.csv), or your own")
        if status is None:
            self._say('value = "booking.confirmed"')
            return
        self._say(f"column = {_quote(status)}")
        if len(counted) > FEW:
            return
        self._say("[events.touchpoint.table]")
        for cell, count in _of_any_case(counted):
            meant = meaning(cell)
            line = f"{_quote(cell)} = {_quote(meant or '?')}"
            self._say(
                f"{line}  # {count} rows" if meant else f"# {line}  {count} rows are dead letters until this is said"
            )

    def _medium(self, medium: str | None) -> None:
        counted = [] if medium is None else self._cells(medium).value_counts(sort=True).rows()
        self._say(
            "", "[events.medium]  # how customer and company met: web, app, call_centre, in_person, partner, system ..."
        )
        if medium is None or len(counted) > FEW:
            self._say('value = "system"')
            return
        self._used.add(medium)
        self._say(f"column = {_quote(medium)}", 'otherwise = "system"', "[events.medium.table]")
        for cell, _ in counted:
            said = meant_medium(cell)
            self._say(f"{_quote(cell)} = {_quote(said)}" if said else f'# {_quote(cell)} = "?"')


def _of_any_case(counted: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Words with their counts, one spelling of each: a table's words have no case."""
    found: dict[str, tuple[str, int]] = {}
    for cell, number in counted:
        first, before = found.get(cell.strip().lower(), (cell, 0))
        found[cell.strip().lower()] = (first, before + number)
    return list(found.values())


def _with_digit(cells: pl.Series) -> pl.Series:
    return cells.set(~cells.str.contains(r"\d"), None)


def _sql(column: str) -> str:
    """A column's name in an expression."""
    return '"' + column.replace('"', '""') + '"'


def _literal(text: str) -> str:
    """A text in an expression."""
    return "'" + text.replace("'", "''") + "'"


def _quote(text: str | None) -> str:
    """A basic string of TOML: that of JSON, but for the one octet that JSON leaves as it is."""
    return json.dumps(text or "", ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quote(name)
