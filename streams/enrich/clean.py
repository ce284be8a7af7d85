"""Cleans events: identifiers in normal form, and short fields without personal data. Pure.

- An identifier or booking reference that names nobody ("n/a") is removed if the event names something else; otherwise
  the event is refused (`no_identifier`), as one with an empty kind, value or reference is.
- An e-mail address or a phone number in clear among identifiers refuses the event (`clear_identifier`).
- Attributes, and every other text without a prescribed form, are scrubbed like free text. An attribute is judged
  together with its key, so that eight digits under "mobile" are a phone number. Ids of agents and cases must stay
  distinct: a part of the hash is appended to one that is scrubbed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

import polars as pl

from streams.model.brands import Brands, Scopes
from streams.model.identifiers import KINDS, kind_of
from streams.model.normal import HASHED, Nobody, normal, normal_pair, secrets, shows
from streams.model.scales import Scales, converted
from streams.text.scrub import EMAIL, PHONE, scrub_text

FORMED = frozenset({"event_id", "booking_ref", "country", "text"})
"""Texts with rules of their own, or that are scrubbed when they are scored."""
TELLING = frozenset({"agent_id", "case_id"})
"""Texts that distinguish agents or cases, and must still do so once scrubbed."""
CLEAR = "{} holds an e-mail address or a phone number in clear: send its SHA-256, 64 hexadecimal digits, as {}"

_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


class Clean(NamedTuple):
    """Events, cleaned. frame: of them all. clear: by row, why it is refused, and what may not be shown (in the event's
    own spelling). nobody: how many identifiers and references were taken out."""

    frame: pl.DataFrame
    clear: dict[int, tuple[str, list[str]]]
    nobody: int


def clean(frame: pl.DataFrame, nobody: Nobody, scopes: Scopes | None = None, scales: Scales | None = None) -> Clean:
    """The events of a frame in the form of a channel's schema; the customer's own text is left as it is.

    scopes: of the kinds that count within a brand, which the frame's unit and attributes tell. scales: of surveys,
    beside the instruments'.
    """
    if scales:
        frame = _on_instruments(frame, scales)
    brands = None if scopes is None else _brands(frame, scopes.brands)
    clear: dict[int, tuple[str, list[str]]] = {}
    taken = 0
    ids, changed = frame["ids"].to_list(), False
    references = frame["booking_ref"].to_list()
    for row, (some, reference) in enumerate(zip(ids, references, strict=True)):
        pairs = [(one["kind"], one["value"]) for one in some]
        found = [normal_pair(*pair) for pair in pairs]
        several = found if found == pairs else [*dict.fromkeys(found)]  # two spellings of one identifier are one now
        kept = [pair for pair in several if not _is_nobody(*pair, nobody)]
        taken += len(several) - len(kept)
        if scopes is not None and brands is not None:
            kept = [*dict.fromkeys(scopes.scoped(kept, brands[row]))]
        if kept != pairs:
            ids[row], changed = [{"kind": kind, "value": value} for kind, value in kept], True
        if reference is not None and (shown := normal(reference)) != "" and shown in nobody:
            references[row], taken = None, taken + 1
        elif reference is not None:
            references[row] = shown
        if found_clear := secrets(pairs, reference, nobody):
            clear[row] = _why(found, nobody), found_clear
    columns = [] if not changed else [pl.Series("ids", ids, frame.schema["ids"])]
    columns.append(pl.Series("booking_ref", references, pl.String))
    columns += [column for column in _scrubbed(frame) if column is not None]
    return Clean(frame.with_columns(columns), clear, taken)


def _on_instruments(frame: pl.DataFrame, scales: Scales) -> pl.DataFrame:
    """Events with the answers that were given on scales of a model turned into those of instruments."""
    surveys, attributes = frame["survey"].to_list(), frame["attributes"].to_list()
    for row, (survey, said) in enumerate(zip(surveys, attributes, strict=True)):
        if survey is None or survey["instrument"] is None:
            continue
        pairs = [(one["key"], one["value"]) for one in said]
        found = converted(scales, (survey["instrument"], survey["score"]), pairs)
        if found is not None:
            (instrument, score), pairs = found
            surveys[row] = {"instrument": instrument, "score": score}
            attributes[row] = [{"key": key, "value": value} for key, value in pairs]
    return frame.with_columns(
        pl.Series("survey", surveys, frame.schema["survey"]),
        pl.Series("attributes", attributes, frame.schema["attributes"]),
    )


def _brands(frame: pl.DataFrame, brands: Brands) -> list[str | None]:
    """The brand of each event."""
    pairs = [[(one["key"], one["value"]) for one in some] for some in frame["attributes"].to_list()]
    return [brands.of(unit, said) for unit, said in zip(frame["unit"].to_list(), pairs, strict=True)]


def _is_nobody(kind: str, value: str, nobody: Nobody) -> bool:
    """Whether a normal identifier is taken out. One that is empty, or in clear, stays, and refuses the event."""
    if not (kind and value) or not (kind in nobody or value in nobody):
        return False
    return not secrets([(kind, value)], None, nobody)


def _why(pairs: list[tuple[str, str]], nobody: Nobody) -> str:
    """The sentence on an event with something in clear. pairs: its normal identifiers."""
    for kind, value in pairs:
        if not secrets([(kind, value)], None, nobody):
            continue
        if shows(kind):
            return CLEAR.format("an identifier's kind", "a value of the kind email_sha256")
        said = kind_of(kind)
        if said.endswith(HASHED):
            return f"an identifier of the kind {said[:40]} is not 64 hexadecimal digits"
        return CLEAR.format(f"an identifier of the kind {said[:40]}", "email_sha256 or phone_sha256")
    return CLEAR.format("the booking reference", "an identifier of the kind email_sha256 or phone_sha256")


def _scrubbed(frame: pl.DataFrame) -> Iterable[pl.Series | None]:
    """The columns of a frame in which scrubbing changes something, scrubbed."""
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.List) and name != "ids":
            yield _changed(frame[name], scrub_attribute_list if name == "attributes" else scrub_records)
        elif dtype == pl.String and name not in FORMED:
            yield _changed(frame[name], scrub_telling if name in TELLING else scrub_text)


def _changed(column: pl.Series, scrub: Any) -> pl.Series | None:
    values = column.to_list()
    scrubbed = [None if value is None else scrub(value) for value in values]
    return None if scrubbed == values else pl.Series(column.name, scrubbed, column.dtype)


def scrub_attribute_list(attributes: list[dict[str, str]]) -> list[dict[str, str]]:
    """The attributes of an event, scrubbed."""
    pairs = [scrub_attribute(one["key"], one["value"]) for one in attributes]
    return [{"key": key, "value": value} for key, value in pairs]


def scrub_attribute(key: str, value: str) -> tuple[str, str]:
    """An attribute, scrubbed; its key says what its value is."""
    key = scrub_text(key)
    said = _WORDS.sub(" ", key) + ": "
    while True:
        scrubbed = scrub_text(said + value)
        rest = scrubbed.removeprefix(said) if scrubbed.startswith(said) else scrub_text(value)
        if rest == value:
            return key, value
        value = rest


def scrub_records(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of an event, each of its texts scrubbed."""
    return [{name: scrub_text(v) if isinstance(v, str) else v for name, v in one.items()} for one in records]


def scrub_telling(value: str) -> str:
    """An id, scrubbed, that still tells one from another: behind an address or a number stands a part of its hash."""
    scrubbed = scrub_text(value)
    if scrubbed == value or not (EMAIL in scrubbed or PHONE in scrubbed):
        return scrubbed  # the hash of a card's or a document's number would give it away
    digest = sha256(normal(value).casefold().encode()).hexdigest()[:12]
    return f"{scrubbed}-{digest.translate(_LETTERS)}"


_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
"""Letters only: digits could be taken for a number of somebody's."""


_ROW = pl.int_range(pl.len(), dtype=pl.UInt32).alias("row")
_PLAIN = r"^[0-9A-Za-z._/-]*[1-9A-Za-z][0-9A-Za-z._/-]*$"
_HEX = r"^[0-9a-f]{64}$"


def as_stored(events: pl.DataFrame, nobody: Nobody, scopes: Scopes | None = None) -> pl.DataFrame:
    """Events with the names that they are stored under, or that their letters show: cleaned, without what is in clear.

    For who compares what was sent with what became of it.

    events: with ids and booking_ref, and whatever else, of any channel; where there are scopes, unit and attributes.
    """
    rows = _strange(events, nobody, frozenset() if scopes is None else scopes.kinds)
    if not len(rows):
        return events
    columns = ["ids", "booking_ref"] if scopes is None else ["ids", "booking_ref", "unit", "attributes"]
    some = clean(events[rows].select(columns), nobody, scopes).frame
    ids, references = some["ids"].to_list(), some["booking_ref"].to_list()
    for row, (own, reference) in enumerate(zip(ids, references, strict=True)):
        ids[row] = [one for one in own if not secrets([(one["kind"], one["value"])], None, nobody)]
        if reference is not None and shows(reference):
            references[row] = None
    all_ids, all_references = events["ids"].to_list(), events["booking_ref"].to_list()
    for row, own, reference in zip(rows.to_list(), ids, references, strict=True):
        all_ids[row], all_references[row] = own, reference
    return events.with_columns(
        pl.Series("ids", all_ids, events.schema["ids"]), pl.Series("booking_ref", all_references, pl.String)
    )


def _strange(events: pl.DataFrame, nobody: Nobody, scoped: frozenset[str]) -> pl.Series:
    """Rows of events with a name that is not seen at once to be in order."""
    named = events.select(_ROW, "ids").explode("ids", empty_as_null=True).drop_nulls("ids").unnest("ids")
    kind, value = pl.col("kind"), pl.col("value")
    hashed = kind.str.ends_with(HASHED)
    strange = (
        ~kind.is_in([kind for kind in KINDS if kind not in scoped])
        | ~value.str.contains(_PLAIN)
        | (hashed & ~value.str.contains(_HEX))
        | value.str.to_lowercase().is_in([*nobody.words])
        | value.is_in([*nobody.hashes])
        | ((value.str.len_bytes() == 36) & (value != value.str.to_lowercase()))
    )
    reference = pl.col("booking_ref")
    odd = (~reference.str.contains(_PLAIN)) | reference.str.to_lowercase().is_in([*nobody.words])
    rows = [named.filter(strange)["row"], events.select(_ROW, "booking_ref").filter(odd.fill_null(False))["row"]]
    return pl.concat(rows).unique().sort()
