"""A batch of interactions, in columns, becomes the events of each subject."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.alerts.signals import Watched
from streams.model.brands import Brands
from streams.model.company import Model, built_in
from streams.model.vocabulary import INSTRUMENTS
from streams.stitch.facts import RULES, Facts
from streams.stitch.journey import CHANNELS, MICRO, MILESTONES, Event
from streams.stitch.membership import GroupSaid
from streams.stitch.messages import Record
from streams.stitch.preferences import Preferences

K = TypeVar("K", bound=Hashable)

COLUMNS = (
    "event_id",
    "occurred_at",
    "booking_ref",
    "touchpoint",
    "channel",
    "unit",
    "locale",
    "survey",
    "money",
    "case_id",
    "score",
    "score_weight",
    "meal_plan",
    "room_type",
    "attributes",
    "arrival_date",
    "country",
)
"""Fields of interaction.avsc that the fold reads."""


_CHANNEL = {name: index for index, name in enumerate(CHANNELS)}
_INSTRUMENT = {name: index for index, name in enumerate(INSTRUMENTS)}


def _micro(score: float) -> int:
    """A score in millionths, halves away from 0."""
    return int(score * MICRO + (0.5 if score >= 0.0 else -0.5))


def event_hashes(event_ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each event id: two rounds of splitmix64's finaliser (Steele et al. 2014) over its halves.

    Args:
        event_ids: shape (n, 16), the bytes of n event ids.
    """
    halves = event_ids.view(">u8").astype(np.uint64)
    with np.errstate(over="ignore"):
        return _mix(_mix(halves[:, 0]) ^ halves[:, 1])


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


class Events:
    """Makes events of interactions; holds the catalogue's data on touchpoints."""

    def __init__(self, model: Model | None = None) -> None:
        """model: what events mean; the one that comes with Rihla by default."""
        model = built_in() if model is None else model
        self._preferences = Preferences((*model.preferences, *RULES))
        self._facts = Facts(model)
        self._brands = model.brands if model.brands.units else None
        points = model.touchpoints
        self._milestones = {
            name: MILESTONES.index(point.milestone) for name, point in points.items() if point.milestone
        }
        self._case_roles = {name: point.case_role for name, point in points.items() if point.case_role}

    def by_subject(
        self,
        frame: pl.DataFrame,
        subjects: Sequence[K],
        offsets: Sequence[int],
        watched: Mapping[int, Watched] | None = None,
        restored: Collection[int] = (),
        last: Mapping[int, int] | None = None,
        spoken: Mapping[int, GroupSaid] | None = None,
    ) -> dict[K, list[Record]]:
        """Group a batch by subject.

        Args:
            frame: interactions in frame form, at least COLUMNS.
            subjects: the subject of each row, or what else to group by.
            offsets: the offset of each row, those of a subject ascending.
            watched: what rows say to the rules of alerts.
            restored: rows that come from what was stored.
            last: row -> offset, of those that end the recall of their subject: all events applied before that offset
                have come back with it.
            spoken: what rows say of groups.

        Returns:
            Per subject its (offset, eight-byte hash of the event id, event), in order of offsets.
        """
        raw = bytes.fromhex("".join(frame["event_id"].to_list()).replace("-", ""))
        packed = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 16)
        ids: list[bytes] = packed.view("V16").ravel().tolist()
        hashes: list[bytes] = event_hashes(packed).astype(">u8").view("V8").tolist()
        made = self._made(frame, ids)
        grouped: dict[K, list[Record]] = {}
        for row, event in enumerate(made):
            record = (offsets[row], hashes[row], event)
            of_subject = grouped.get(subjects[row])
            if of_subject is None:
                grouped[subjects[row]] = [record]
            else:
                of_subject.append(record)
        for row, said in (watched or {}).items():
            made[row].watched = said
        for row in restored:
            made[row].restored = True
        for row, applied in (last or {}).items():
            made[row].ends_recall = applied
        for row, of_groups in (spoken or {}).items():
            made[row].group = of_groups
        return grouped

    def _made(self, frame: pl.DataFrame, ids: list[bytes]) -> list[Event]:
        """The event of each row, of which `ids` are the ids."""
        # No expression of Polars: a query costs as much as all of this for a few events.
        survey, money = frame["survey"].struct.unnest(), frame["money"].struct.unnest()
        occurred_at: list[int] = frame["occurred_at"].to_list()
        booking_refs: list[str | None] = frame["booking_ref"].to_list()
        touchpoints: list[str] = frame["touchpoint"].to_list()
        channels: list[str] = frame["channel"].to_list()
        case_ids: list[str | None] = frame["case_id"].to_list()
        units: list[str | None] = frame["unit"].to_list()
        scores: list[float | None] = frame["score"].to_list()
        weights: list[float | None] = frame["score_weight"].to_list()
        instruments: list[str | None] = survey["instrument"].to_list()
        answers: list[float | None] = survey["score"].to_list()
        amounts: list[int | None] = money["amount_minor"].to_list()
        currencies: list[str | None] = money["currency"].to_list()
        preferences = self._facts.added(frame, self._preferences.stated(frame))
        milestones, case_roles = self._milestones, self._case_roles
        made: list[Event] = []
        for row, touchpoint in enumerate(touchpoints):
            score, instrument = scores[row], instruments[row]
            event = Event(
                occurred_at[row],
                ids[row],
                booking_refs[row],
                touchpoint,
                _CHANNEL[channels[row]],
                milestones.get(touchpoint, -1),
                case_roles.get(touchpoint),
                case_ids[row] or None,  # an empty one names no case
                units[row],
                None if score is None else _micro(score),
                weights[row] or 0.0,
                -1 if instrument is None else _INSTRUMENT[instrument],
                answers[row] or 0.0,
                amounts[row] or 0,
                currencies[row],
                preferences[row],
            )
            made.append(event)
        if self._brands is not None:
            _name_brands(made, frame["attributes"], self._brands)
        return made


def _name_brands(made: Sequence[Event], attributes: pl.Series, brands: Brands) -> None:
    """Say the brand of those events whose attributes name one."""
    keys = attributes.explode().struct.field("key")
    if not (keys == brands.attribute).any():
        return
    for event, pairs in zip(made, attributes.to_list(), strict=True):
        if pairs:
            event.brand = brands.named([(one["key"], one["value"]) for one in pairs])
