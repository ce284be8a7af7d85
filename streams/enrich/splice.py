"""Makes interactions from channel events, one datum at a time, by copying bytes instead of decoding and encoding them.

Both schemas begin with the same fields, and a channel's own fields follow in the same order in both. So an interaction
consists of stretches of its event with new bytes in between. An event is accepted if it keeps the rules
(streams.enrich.validate) and is encoded as this package encodes; any other is left to streams.enrich.transform, which
also says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from mypy_extensions import i64

from schemas import records
from schemas.numbers import UnfitError, varint
from schemas.spans import Array, Double, Enum, Long, Nullable, Record, Span, Text, record
from streams.enrich.clean import FORMED
from streams.enrich.enriched import Enriched
from streams.enrich.names import Names
from streams.enrich.score import FIELDS, Aspects, Opinions, survey_score
from streams.enrich.stretches import stretches_of
from streams.enrich.validate import (
    DAY_MS,
    EARLIEST_MS,
    HIGHEST_RATING,
    LOWEST_RATING,
    MONEY_LIMIT,
    NAME_LIMIT_BYTES,
    TEXT_LIMIT_BYTES,
)
from streams.model.catalogue import Touchpoint
from streams.model.identifiers import BOOKING_PREFIX, GROUP_PREFIX, UNKNOWN_RANK, Kinds
from streams.model.scales import ATTRIBUTE, Scales
from streams.text.scorer import Scorer
from streams.text.scrub import scrub_text

_BOOKING: Final = BOOKING_PREFIX.encode()
_GROUP: Final = GROUP_PREFIX.encode()
_UUID_SIZE: Final = 36


class Touchpoints:
    """The catalogue, by the touchpoint's name in UTF-8."""

    def __init__(self, catalogue: Mapping[str, Touchpoint]) -> None:
        known = [*catalogue.values()]
        self.opinions = Opinions(records.inlined("interaction")["fields"])
        self._places: dict[bytes, int] = {touchpoint.name.encode(): place for place, touchpoint in enumerate(known)}
        self.unknown = len(known)
        self.harmless: list[bool] = [scrub_text(touchpoint.name) == touchpoint.name for touchpoint in known] + [False]
        # all unknown touchpoints share the last place
        self.priors: list[float | None] = [touchpoint.prior for touchpoint in known] + [None]
        self.about: list[Aspects] = [[(t.aspect, t.prior)] if t.aspect else [] for t in known] + [[]]
        self.plain: list[bytes] = [
            self.opinions.write(None, None, 0.0, prior, None, about)
            for prior, about in zip(self.priors, self.about, strict=True)
        ]
        """The encoded opinion of each touchpoint for an event without survey and text."""

    def place(self, name: bytes) -> int:
        """The position of a touchpoint in the lists."""
        return self._places.get(name, self.unknown)


class Splicer:
    """Splices the events of one channel. Holds the catalogue and the text scorer, and no state of the stream."""

    def __init__(
        self,
        channel: str,
        header: bytes,
        touchpoints: Touchpoints,
        scorer: Scorer,
        known: Names,
        kinds: Kinds,
        scales: Scales,
    ) -> None:
        """header: of interactions."""
        self._scales: set[bytes] = {name.encode() for name in scales}
        self._scale = ATTRIBUTE.encode()
        event = records.inlined(channel)["fields"]
        interaction = records.inlined("interaction")["fields"]
        self._channel = channel
        self._scorer = scorer
        self._known = known
        self._head = header + varint(_UUID_SIZE)
        self._touchpoints = touchpoints
        self._event = record(event)
        fields = self._event.fields
        self._event_id = cast(Text, fields["event_id"])
        self._occurred_at = cast(Long, fields["occurred_at"])
        self._ids = cast(Array, fields["ids"])
        identifier = cast(Record, self._ids.items)
        self._kind = cast(Text, identifier.fields["kind"])
        self._value = cast(Text, identifier.fields["value"])
        self._booking_ref = cast(Nullable, fields["booking_ref"])
        self._booking = cast(Text, self._booking_ref.of)
        self._touchpoint = cast(Text, fields["touchpoint"])
        self._locale = cast(Nullable, fields["locale"])
        self._tag = cast(Text, self._locale.of)
        self._country = cast(Nullable, fields["country"])
        self._letters = cast(Text, self._country.of)
        self._survey = cast(Nullable, fields["survey"])
        survey = cast(Record, self._survey.of)
        self._instrument = cast(Enum, survey.fields["instrument"])
        self._answer = cast(Double, survey.fields["score"])
        self._text = cast(Nullable, fields["text"])
        self._words = cast(Text, self._text.of)
        self._money = cast(Nullable, fields["money"])
        free = [span for name, span in fields.items() if name not in FORMED and _is_text(span)]
        self._free = [span for span in free if isinstance(span, Text) and span is not self._touchpoint]
        self._free_or_null = [(span, cast(Text, span.of)) for span in free if isinstance(span, Nullable)]
        bounded = [cast(Nullable, fields[name]) for name in ("case_id", "unit", "agent_id")]
        self._bounded = [(nullable, cast(Text, nullable.of)) for nullable in bounded]
        self._attributes = cast(Array, fields["attributes"])
        attribute = cast(Record, self._attributes.items)
        self._key = cast(Text, attribute.fields["key"])
        self._content = cast(Text, attribute.fields["value"])
        lists = [span for name, span in fields.items() if name not in ("ids", "attributes") and isinstance(span, Array)]
        self._lists = [(span, _texts(span)) for span in lists if _texts(span)]
        money = cast(Record, self._money.of)
        self._amount = cast(Long, money.fields["amount_minor"])
        self._currency = cast(Text, money.fields["currency"])
        self._is_rated = "aspect_ratings" in fields
        if self._is_rated:
            self._ratings = cast(Array, fields["aspect_ratings"])
            self._rating = cast(Double, cast(Record, self._ratings.items).fields["rating"])
        self._last_common = fields[records.INTERACTION_FIELDS[-1]]
        names = [field["name"] for field in interaction]
        symbols: list[str] = _named(interaction, "channel")["type"]["symbols"]
        self._channel_code = varint(symbols.index(channel))
        self._present = varint(_named(interaction, "text")["type"].index("string"))
        self._own = stretches_of(fields, event, interaction[names.index(FIELDS[-1]) + 1 :])
        self._ranks: dict[bytes, int] = {kind.encode(): rank for kind, rank in kinds.ranks.items()}

    def take(self, values: Sequence[bytes | None], header: bytes, now_ms: int, enriched: Enriched) -> list[int]:
        """Splice the events among some values into `enriched`; returns the rows of those that are left to others.

        header: of the channel's own schema. now_ms: the worker's clock, epoch milliseconds.
        """
        left: list[int] = []
        latest: i64 = now_ms + DAY_MS
        size: i64 = len(header)
        before = len(enriched.values)
        for row, value in enumerate(values):
            try:
                if value is None or not value.startswith(header) or not self._take(value, size, latest, enriched):
                    left.append(row)
            except (UnfitError, IndexError, UnicodeDecodeError):
                left.append(row)
        count = len(enriched.values) - before
        if count:
            enriched.channels[self._channel] = enriched.channels.get(self._channel, 0) + count
        return left

    def _take(self, data: bytes, at: i64, latest: i64, enriched: Enriched) -> bool:
        """Splice the event at a place. False: it is left to others."""
        if self._event.find(data, at) != len(data) or not self._is_fit(data, latest):
            return False
        touchpoints = self._touchpoints
        place = touchpoints.place(data[self._touchpoint.start : self._touchpoint.end])
        if not self._is_harmless(data, place):
            return False
        survey: float | None = None
        if self._survey.there:
            if self._scales and self._is_on_a_scale(data):
                return False
            survey = survey_score(self._instrument.symbols[self._instrument.index], self._answer.value)
            if survey is None:
                return False
        others: list[bytes] = []
        subject = self._only(data) if self._ids.count == 1 else self._strongest(data, others, enriched.reserved)
        if subject is None:
            return False
        booking = b""
        if self._booking_ref.there:
            if not self._known.fits_booking(data, self._booking.start, self._booking.end):
                return False
            booking = _BOOKING + data[self._booking.start : self._booking.end]
        subject = subject or booking
        if not subject:
            return False

        if place == touchpoints.unknown:
            enriched.unknown += 1
        event_id = self._event_id
        parts = [self._head, data[event_id.start : event_id.end].lower()]
        if self._text.there and self._words.start < self._words.end:
            opinion = self._scored(data, place, survey, parts, enriched)
        else:
            parts.append(data[event_id.end : self._last_common.end])
            if survey is None:
                opinion = touchpoints.plain[place]
            else:
                opinion = touchpoints.opinions.write(survey, None, 0.0, None, None, touchpoints.about[place])
            if self._text.there:
                enriched.texts.append((None, False))
        parts.append(self._channel_code)
        parts.append(varint(len(subject)))
        parts.append(subject)
        parts.append(opinion)
        for stretch in self._own:
            parts.append(stretch.before)
            if stretch.first is not None and stretch.last is not None:
                parts.append(data[stretch.first.begin : stretch.last.end])
        enriched.values.append(b"".join(parts))
        enriched.subjects.append(subject)
        if booking and not subject.startswith(_GROUP):
            _note(enriched.links, subject, booking, self._occurred_at.value)
        for other in others:
            if other != subject:
                _note(enriched.links, subject, other, self._occurred_at.value)
        return True

    def _is_fit(self, data: bytes, latest: i64) -> bool:
        """Whether the event keeps the rules; surveys and identifiers are checked later."""
        return (
            EARLIEST_MS <= self._occurred_at.value <= latest
            and _is_uuid(data, self._event_id.start, self._event_id.end)
            and not (self._booking_ref.there and self._booking.start == self._booking.end)
            and not (self._country.there and not _is_capitals(data, self._letters, 2))
            and not (self._money.there and not self._is_sum(data))
            and not (self._text.there and self._words.end - self._words.start > TEXT_LIMIT_BYTES)
            and self._are_short()
            and not (self._is_rated and self._ratings.count and not self._are_ratings(data))
        )

    def _are_short(self) -> bool:
        """Whether no name, identifiers and booking reference aside, is over its bound."""
        if self._touchpoint.end - self._touchpoint.start > NAME_LIMIT_BYTES:
            return False
        for nullable, text in self._bounded:
            if nullable.there and text.end - text.start > NAME_LIMIT_BYTES:
                return False
        return True

    def _is_harmless(self, data: bytes, place: int) -> bool:
        """Whether no text holds personal data to scrub; the customer's own words, which are scrubbed anyway, aside."""
        known = self._known
        touchpoint = self._touchpoint
        if not self._touchpoints.harmless[place] and not known.is_harmless(data, touchpoint.start, touchpoint.end):
            return False
        for text in self._free:
            if not known.is_harmless(data, text.start, text.end):
                return False
        for nullable, text in self._free_or_null:
            if nullable.there and not known.is_harmless(data, text.start, text.end):
                return False
        if self._attributes.count:
            at = self._attributes.start
            key, content = self._key, self._content
            for _ in range(self._attributes.count):
                at = self._attributes.items.find(data, at)
                if not known.is_harmless_attribute(data, key, content):
                    return False
        for listed, texts in self._lists:
            at = listed.start
            for _ in range(listed.count):
                at = listed.items.find(data, at)
                for text in texts:
                    if not known.is_harmless(data, text.start, text.end):
                        return False
        return True

    def _is_on_a_scale(self, data: bytes) -> bool:
        """Whether the survey was answered on a scale of the model."""
        at = self._attributes.start
        key, content = self._key, self._content
        for _ in range(self._attributes.count):
            at = self._attributes.items.find(data, at)
            if data[key.start : key.end] == self._scale and data[content.start : content.end] in self._scales:
                return True
        return False

    def _is_sum(self, data: bytes) -> bool:
        """Whether amount and currency are valid."""
        return -MONEY_LIMIT <= self._amount.value <= MONEY_LIMIT and _is_capitals(data, self._currency, 3)

    def _are_ratings(self, data: bytes) -> bool:
        """Whether all ratings are on their scale."""
        at = self._ratings.start
        items, rating = self._ratings.items, self._rating
        for _ in range(self._ratings.count):
            at = items.find(data, at)
            if not LOWEST_RATING <= rating.value <= HIGHEST_RATING:
                return False
        return True

    def _scored(self, data: bytes, place: int, survey: float | None, parts: list[bytes], enriched: Enriched) -> bytes:
        """The encoded opinion of an event with a text. Appends the scrubbed text, and the fields around it, to
        `parts`."""
        words = self._words
        text = scrub_text(data[words.start : words.end].decode())
        octets = text.encode()
        parts.append(data[self._event_id.end : self._text.begin])
        parts.append(self._present)
        parts.append(varint(len(octets)))
        parts.append(octets)
        parts.append(data[words.end : self._last_common.end])
        locale = data[self._tag.start : self._tag.end].decode() if self._locale.there else None
        found = self._scorer.score_one(text, locale, by_sentence=False)
        enriched.texts.append((found.language, survey is None and found.score is not None))
        touchpoints = self._touchpoints
        aspects = touchpoints.about[place]
        if found.aspects:  # what the event is about is among them where the text does not say it
            named = {aspect for aspect, _ in found.aspects}
            aspects = found.aspects + [own for own in aspects if own[0] not in named]
        return touchpoints.opinions.write(
            survey, found.score, found.confidence, touchpoints.priors[place], found.language, aspects
        )

    def _only(self, data: bytes) -> bytes | None:
        """The only identifier; empty if it names a booking, None if it is invalid."""
        kind, value = self._kind, self._value
        if not self._known.fits(data, kind.start, kind.end, value.start, value.end):
            return None
        identifier = data[kind.start : kind.end] + b":" + data[value.start : value.end]
        return b"" if identifier.startswith(_BOOKING) else identifier

    def _strongest(self, data: bytes, others: list[bytes], reserved: list[bytes]) -> bytes | None:
        """The strongest of several identifiers, as `_only` returns it; of groups alone the smallest. Appends those that
        name bookings to `reserved`, and the weaker ones of people to `others`."""
        at = self._ids.start
        items, kind, value = self._ids.items, self._kind, self._value
        strongest = b""
        group = b""
        least = 0
        for _ in range(self._ids.count):
            at = items.find(data, at)
            if not self._known.fits(data, kind.start, kind.end, value.start, value.end):
                return None
            identifier = data[kind.start : kind.end] + b":" + data[value.start : value.end]
            if identifier.startswith(_BOOKING):
                reserved.append(identifier)
                continue
            if identifier.startswith(_GROUP):
                if not group or identifier < group:
                    group = identifier
                continue
            rank = self._ranks.get(identifier[: identifier.find(b":")], UNKNOWN_RANK)
            if not strongest:
                strongest, least = identifier, rank
            elif rank < least or (rank == least and identifier < strongest):
                others.append(strongest)
                strongest, least = identifier, rank
            else:
                others.append(identifier)
        return strongest or group


def _is_text(span: Span) -> bool:
    return isinstance(span, Text) or (isinstance(span, Nullable) and isinstance(span.of, Text))


def _texts(listed: Array) -> list[Text]:
    """The texts of an array's records."""
    record = listed.items
    return [span for span in record.fields.values() if isinstance(span, Text)] if isinstance(record, Record) else []


def _note(links: dict[tuple[bytes, bytes], int], subject: bytes, identifier: bytes, at: i64) -> None:
    link = subject, identifier
    known = links.get(link)
    if known is None or at < known:
        links[link] = at


def _is_uuid(data: bytes, start: i64, end: i64) -> bool:
    """Whether there are hexadecimal digits, 8-4-4-4-12, with a hyphen between."""
    if end - start != _UUID_SIZE:
        return False
    for place in range(start, end):
        octet = data[place]
        if 48 <= octet <= 57 or 97 <= octet <= 102 or 65 <= octet <= 70:
            continue
        if octet != 45:
            return False
        gap = place - start
        if gap != 8 and gap != 13 and gap != 18 and gap != 23:
            return False
    return data[start + 8] == data[start + 13] == data[start + 18] == data[start + 23] == 45


def _is_capitals(data: bytes, text: Text, count: i64) -> bool:
    """Whether a text consists of exactly `count` letters from A to Z."""
    place = text.start
    while place < text.end and 65 <= data[place] <= 90:
        place += 1
    return place == text.end and place - text.start == count


def _named(fields: Sequence[dict[str, Any]], name: str) -> Any:
    return next(field for field in fields if field["name"] == name)
