"""A batch of interactions, in columns, becomes the events of each subject."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import repeat
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas import catalogue
from streams.alerts.signals import Watched
from streams.stitch.journey import CHANNELS, INSTRUMENTS, MICRO, MILESTONES, Event
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
    """Makes events of interactions; holds what the catalogue says of touchpoints."""

    def __init__(self) -> None:
        self._preferences = Preferences()
        points = catalogue.load()
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
    ) -> dict[K, list[tuple[int, bytes, Event]]]:
        """Group a batch by subject.

        Args:
            frame: interactions in frame form, at least COLUMNS.
            subjects: the subject of each row, or what else to group by.
            offsets: the offset of each row, those of a subject ascending.
            watched: what rows say to the rules of alerts.
            restored: rows that come from what was stored.
            last: those of them that end the recall of their subject, and before which offset all have come with it.

        Returns:
            Per subject its (offset, eight-byte hash of the event id, event), in order of offsets.
        """
        raw = bytes.fromhex("".join(frame["event_id"].to_list()).replace("-", ""))
        packed = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 16)
        ids = packed.view("V16").ravel().tolist()
        hashes = event_hashes(packed).astype(">u8").view("V8").tolist()
        # No expression of Polars: a query costs as much as all of this for a few events.
        survey, money = frame["survey"].struct.unnest(), frame["money"].struct.unnest()
        touchpoints = frame["touchpoint"].to_list()
        columns = [  # of Event, in its order
            frame["occurred_at"].to_list(),
            ids,
            frame["booking_ref"].to_list(),
            touchpoints,
            map(_CHANNEL.__getitem__, frame["channel"].to_list()),
            map(self._milestones.get, touchpoints, repeat(-1)),
            map(self._case_roles.get, touchpoints),
            frame["case_id"].to_list(),
            frame["unit"].to_list(),
            [score if score is None else _micro(score) for score in frame["score"].to_list()],
            [weight or 0.0 for weight in frame["score_weight"].to_list()],
            map(_INSTRUMENT.get, survey["instrument"].to_list(), repeat(-1)),
            [answer or 0.0 for answer in survey["score"].to_list()],
            [amount or 0 for amount in money["amount_minor"].to_list()],
            money["currency"].to_list(),
            self._preferences.stated(frame),
        ]
        made = list(map(Event, *columns))
        grouped: dict[K, list[tuple[int, bytes, Event]]] = {}
        for subject, record in zip(subjects, zip(offsets, hashes, made, strict=True), strict=True):
            of_subject = grouped.get(subject)
            if of_subject is None:
                grouped[subject] = [record]
            else:
                of_subject.append(record)
        for row, said in (watched or {}).items():
            made[row].watched = said
        for row in restored:
            made[row].restored = True
        for row, applied in (last or {}).items():
            made[row].ends_recall = applied
        return grouped
