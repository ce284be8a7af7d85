"""The summary of a set of events of one subject: booking journeys, loose events, cases, rolling sentiment."""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from mypy_extensions import mypyc_attr

from streams.alerts.moves import Cause
from streams.alerts.signals import Signals
from streams.model.membership import Said
from streams.model.whose import Place, both, place
from streams.stitch.case import Case
from streams.stitch.content import Content
from streams.stitch.journey import CHANNELS, MICRO, Event, Journey
from streams.stitch.rolling import Rolling


@mypyc_attr(acyclic=True)
class Loose(Content):
    """An event without a booking reference. Its journey depends on bookings that may still arrive, so the event is kept
    by itself, with only the fields that it has."""

    def __init__(
        self,
        at: int,
        event_id: bytes,
        channel: int | Journey,
        milestone: int = -1,
        scored: tuple[int, str] | None = None,
        survey: tuple[int, float] | None = None,
        spent: tuple[str, int] | None = None,
    ) -> None:
        """An event.

        Args:
            channel: index into CHANNELS. States of earlier versions have a Journey here, which is the whole event.
            scored: (score, touchpoint). survey: (instrument, score). spent: (currency, amount).
        """
        self.at = at
        self.event_id = event_id
        self.channel = channel
        self.milestone = milestone
        self.scored = scored
        self.survey = survey
        self.spent = spent
        self.visit = ""  # cache: the key of the visit that begins with this event

    def fields(self) -> tuple[object, ...]:
        if isinstance(self.channel, Journey):
            return self.at, self.event_id, self.channel.fields()
        return self.at, self.event_id, self.channel, self.milestone, self.scored, self.survey, self.spent

    @staticmethod
    def of(event: Event) -> Loose:
        """The fields of an event that a summary keeps."""
        return Loose(
            event.at,
            event.event_id,
            event.channel,
            event.milestone,
            None if event.score is None else (event.score, event.touchpoint),
            None if event.instrument < 0 else (event.instrument, event.survey_score),
            None if event.currency is None else (event.currency, event.amount_minor),
        )

    def join(self, journey: Journey) -> None:
        """Add this event to a journey."""
        channel, at = self.channel, self.at
        if isinstance(channel, Journey):
            journey.absorb(channel)
            return
        journey.extend(at, channel, self.milestone)
        if self.scored is not None:
            score, touchpoint = self.scored
            journey.add_score(score, at, self.event_id, touchpoint)
        if self.survey is not None:
            instrument, answer = self.survey
            journey.add_answer(instrument, at, self.event_id, answer)
        if self.spent is not None:
            currency, amount = self.spent
            journey.add_amount(currency, amount)


HIDDEN: Final = "."
"""With what the keys begin of facts that are kept as preferences are, and are none (streams.stitch.facts)."""

Preference = tuple[int, bytes, str, int]
"""(occurred_at, event id, value, evidence) of one thing that a customer asked for or chose: its latest value, and how
many events stated any value of it. A tuple, because nearly every turn reads and writes some without using them."""


NamedBrands = tuple[dict[str, str], str | None]
"""(case id -> brand that its earliest event names, brand that the cause names). Stored after all other fields, so that
an older version reads the summary without it."""


@mypyc_attr(acyclic=True)
class Summary(Content):
    """The summary of a set of events. Summaries of disjoint sets merge, in any order, to that of their union."""

    def __init__(
        self,
        interactions: int = 0,
        first: int = 0,
        last: int = 0,
        bookings: dict[str, Journey] | None = None,
        loose: list[Loose] | None = None,
        cases: dict[str, Case] | None = None,
        rolling: Rolling | None = None,
        preferences: dict[str, Preference] | None = None,
        duplicates: int = 0,
        signals: Signals | None = None,
        cause: Cause | None = None,
        groups: dict[str, frozenset[Said]] | None = None,
        places: dict[str, dict[str, Place]] | None = None,
        loose_units: dict[bytes, str] | None = None,
    ) -> None:
        """An empty summary, except for the fields given.

        Args:
            duplicates: records whose event was known already. No figure uses them; they balance records read and
                stored.
            signals: the events as the rules of alerts see them.
            cause: the event for which this summary was last sent to its root as a part. Not merged.
            groups: what was said of each group's membership.
            places: booking reference -> the units that its events name.
            loose_units: event id -> its unit, of loose events that name one.
        """
        self.interactions = interactions
        self.first = first
        self.last = last
        self.bookings: dict[str, Journey] = {} if bookings is None else bookings
        self.loose: list[Loose] = [] if loose is None else loose
        self.cases: dict[str, Case] = {} if cases is None else cases
        self.rolling: Rolling = Rolling() if rolling is None else rolling
        self.preferences: dict[str, Preference] = {} if preferences is None else preferences
        self.duplicates = duplicates
        self.signals = signals
        self.cause = cause
        self.groups = groups
        self.places = places
        self.loose_units = loose_units

    def fields(self) -> tuple[object, ...]:
        after = self.after_cause()
        return self._fields() + after if after else self._fields()

    def after_cause(self) -> tuple[object, ...]:
        """The last fields: those after the cause, as far as they are there."""
        groups = self.groups
        said = None if groups is None else {group: sorted(groups[group]) for group in sorted(groups)}
        brands = self._brands()
        if brands is not None:
            return said, self.places, self.loose_units, brands
        if self.loose_units is not None:
            return said, self.places, self.loose_units
        if self.places is not None:
            return said, self.places
        return () if said is None else (said,)

    def _brands(self) -> NamedBrands | None:
        """The brands that attributes of events name; None: no event of a case, and no cause, names any."""
        caused = None if self.cause is None else self.cause[5]
        of_cases: dict[str, str] | None = None
        for case_id, case in self.cases.items():
            if case.brand is not None:
                if of_cases is None:
                    of_cases = {}
                of_cases[case_id] = case.brand
        return None if of_cases is None and caused is None else (of_cases or {}, caused)

    def _fields(self) -> tuple[object, ...]:
        """All fields up to the cause."""
        return (
            self.interactions,
            self.first,
            self.last,
            {ref: journey.fields() for ref, journey in self.bookings.items()},
            [loose.fields() for loose in self.loose],
            {case_id: case.stored() for case_id, case in self.cases.items()},
            self.rolling.fields(),
            self.preferences,
            self.duplicates,
            self.signals,
            None if self.cause is None else self.cause[:5],
        )

    def add(self, event: Event) -> str | None:
        """Add one event that is not in the set yet. Returns the id of its case, or None."""
        at = event.at
        self.interactions += 1
        if not self.first or at < self.first:
            self.first = at
        if at > self.last:
            self.last = at
        if event.booking_ref is None:
            self.loose.append(Loose.of(event))
            if event.unit:
                if self.loose_units is None:
                    self.loose_units = {}
                self.loose_units[event.event_id] = event.unit
        else:
            journey = self.bookings.get(event.booking_ref)
            if journey is None:
                journey = self.bookings[event.booking_ref] = Journey()
            journey.add(event)
            if event.unit:
                self._locate(event.booking_ref, event.unit, place(CHANNELS[event.channel], at))
        # A complaint without a case id is a case of its own; a contact or an answer without one belongs to none.
        case_id = None
        if event.case_role is not None and (event.case_id is not None or event.case_role == "open"):
            case_id = event.case_id or str_of(event.event_id)
            case = self.cases.get(case_id)
            if case is None:
                case = self.cases[case_id] = Case()
            case.add(event)
        if event.score is not None:
            self.rolling.add(at, event.weight, event.score / MICRO)
        for key, value in event.preferences:
            self._prefer(key, at, event.event_id, value, 1)
        if event.watched is not None:
            if self.signals is None:
                self.signals = Signals()
            self.signals.add(event.watched)
        if event.group is not None:
            groups, said, _ = event.group
            if said is not None:
                self._join({group: frozenset((said,)) for group in groups})
        return case_id

    def _join(self, groups: dict[str, frozenset[Said]]) -> None:
        """Merge what was said of memberships. Makes new sets, because copies of the summary share them."""
        mine = {} if self.groups is None else {**self.groups}
        for group, said in groups.items():
            mine[group] = mine[group] | said if group in mine else said
        self.groups = mine

    def _locate(self, ref: str, unit: str, said: Place) -> None:
        """Merge what was said of a unit of a booking."""
        if self.places is None:
            self.places = {}
        units = self.places.get(ref)
        if units is None:
            self.places[ref] = {unit: said}
        else:
            known = units.get(unit)
            units[unit] = said if known is None else both(known, said)

    def _prefer(self, key: str, at: int, event_id: bytes, value: str, evidence: int) -> None:
        """Merge a statement of a key."""
        known = self.preferences.get(key)
        if known is not None:
            known_at, known_id, known_value, known_evidence = known
            evidence += known_evidence
            if at < known_at or (at == known_at and (event_id, value) < (known_id, known_value)):
                at, event_id, value = known_at, known_id, known_value
        self.preferences[key] = (at, event_id, value, evidence)

    def absorb(self, other: Summary, only: Set[str] | None = None) -> None:
        """Merge the summary of a disjoint set of events into this one; `other` stays as it is.

        only: the bookings to take over; None: all.
        """
        self.interactions += other.interactions
        self.duplicates += other.duplicates
        if other.first and (not self.first or other.first < self.first):
            self.first = other.first
        self.last = max(self.last, other.last)
        # Most of these are empty in most summaries, and a root with parts merges summaries at every turn: test first.
        if other.bookings:
            for ref, journey in other.bookings.items():
                if only is not None and ref not in only:
                    continue
                mine = self.bookings.get(ref)
                if mine is None:
                    self.bookings[ref] = journey.copy()
                else:
                    mine.absorb(journey)
        if other.loose:
            self.loose.extend(other.loose)
        if other.cases:
            for case_id, case in other.cases.items():
                known = self.cases.get(case_id)
                if known is None:
                    self.cases[case_id] = case.copy()
                else:
                    known.absorb(case)
        if other.rolling.at:
            self.rolling.absorb(other.rolling)
        if not self.preferences:
            self.preferences = {**other.preferences}
        elif other.preferences:
            for key, (at, event_id, value, evidence) in other.preferences.items():
                self._prefer(key, at, event_id, value, evidence)
        if other.signals is not None:
            if self.signals is None:
                self.signals = Signals()
            self.signals.absorb(other.signals)
        if other.groups is not None:
            self._join(other.groups)
        if other.places is not None:
            for ref, units in other.places.items():
                for unit, said in units.items():
                    self._locate(ref, unit, said)
        if other.loose_units is not None:
            self.loose_units = {**(self.loose_units or {}), **other.loose_units}

    def copy(self) -> Summary:
        """An independent copy."""
        twin = Summary()
        twin.absorb(self)
        return twin


def str_of(event_id: bytes) -> str:
    """The text form of an event id's 16 bytes (RFC 9562)."""
    text = event_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
