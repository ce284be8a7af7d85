"""Makes notes of interactions that concern contact with their customer. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import polars as pl

from streams.guest import consent, events
from streams.guest import notes as of
from streams.guest.notes import KEPT_MS, Note, Noted
from streams.model.catalogue import Touchpoint
from streams.model.guests import LANGUAGES, Guests

COLUMNS = (
    *("event_id", "occurred_at", "touchpoint", "booking_ref", "unit", "agent_id", "case_id", "locale", "language"),
    *("medium", "survey", "aspects", "attributes"),
)
"""Fields of interaction.avsc that are used."""
REACHED: Final = frozenset({"email", "sms", "chat", "app"})
"""Media through which a guest who uses them can be contacted."""
_OPENED_MS: Final = 60 * 86_400_000
"""How long (ms) complaints are remembered: they may be resolved, or their subject improved."""
_FOR_EVER: Final = frozenset(consent.TOUCHPOINTS)
_WHAT: Final[Mapping[str, int]] = {
    events.INVITED: of.INVITED,
    events.TOLD: of.TOLD,
    events.MADE: of.MADE,
    events.APPROVED: of.APPROVED,
    events.REJECTED: of.REJECTED,
}


class Noter:
    """Looks at batches. touchpoints: of the model, by name."""

    def __init__(self, guests: Guests, touchpoints: Mapping[str, Touchpoint]) -> None:
        self._what = dict(_WHAT)
        for name, point in touchpoints.items():
            if point.case_role in ("open", "reopen"):
                self._what.setdefault(name, of.OPENED)
            elif point.case_role == "resolve":
                self._what.setdefault(name, of.RESOLVED)
        self._aspects = {name: point.aspect for name, point in touchpoints.items()}
        self._moments = frozenset[str]().union(*(one.after for one in guests.surveys))
        self._wanted = pl.Series([*_FOR_EVER, *self._what, *self._moments])

    def noted(self, frame: pl.DataFrame, now: int, restored: bool = False) -> dict[int, Noted]:
        """The notes by row; rows without a note are left out.

        frame: interactions in frame form, at least COLUMNS. now: the worker's clock, epoch ms: except for consent,
        what is older than a state would remember is ignored. restored: whether they are sent again.
        """
        oldest = now - (KEPT_MS if restored else _OPENED_MS)
        touchpoints = frame["touchpoint"]
        wanted = touchpoints.is_in(self._wanted.implode()) | frame["survey"].struct.field("score").is_not_null()
        found: dict[int, Noted] = {}
        rows = wanted.arg_true()
        if rows.is_empty():
            return found
        some = frame.select(COLUMNS)[rows]
        for row, values in zip(rows.to_list(), some.iter_rows(named=True), strict=True):
            if values["occurred_at"] >= oldest or values["touchpoint"] in _FOR_EVER:
                noted = tuple(self._of(values))
                if noted:
                    found[row] = noted
        return found

    def _of(self, event: Mapping[str, Any]) -> Iterable[Note | consent.Said | consent.Source]:
        name, at, event_id = event["touchpoint"], event["occurred_at"], UUID(event["event_id"]).bytes
        if name in _FOR_EVER:
            yield consent.said(name, at, event_id, event["attributes"] or ())
            yield consent.source(event_id, event["attributes"] or ())
            return
        said = {one["key"]: str(one["value"]) for one in event["attributes"] or ()}
        what = self._what.get(name)
        if what is not None:
            yield self._note(event, what, at, event_id, said)
        if name in self._moments:
            yield self._note(event, of.MOMENT, at, event_id, {})
        if (event["survey"] is not None and event["survey"]["score"] is not None) or (
            events.KIND in said and what is None
        ):
            yield self._note(event, of.ANSWERED, at, event_id, said)

    def _note(self, event: Mapping[str, Any], what: int, at: int, event_id: bytes, said: Mapping[str, str]) -> Note:
        aspects: Collection[Mapping[str, Any]] = event["aspects"] or () if what == of.OPENED else ()
        worst = min(
            aspects, key=lambda one: (one["score"] if one["score"] is not None else 1.0, one["aspect"]), default=None
        )
        aspect = said.get("aspect") or (self._aspects.get(event["touchpoint"]) if worst is None else worst["aspect"])
        text = {of.MADE: said.get("done"), of.APPROVED: event["agent_id"], of.REJECTED: event["agent_id"]}
        text |= {of.ANSWERED: said.get(events.KIND), of.INVITED: said.get(events.KIND)}
        own_case = str(UUID(bytes=event_id)) if what == of.OPENED else None
        spoken = (event["locale"] or event["language"] or "").partition("-")[0].lower()
        return Note(
            at,
            event_id,
            what,
            event["touchpoint"],
            event["booking_ref"],
            event["unit"],
            event["case_id"] or own_case,  # a complaint without a case id is a case of its own, as in the summaries
            spoken if spoken in LANGUAGES and what in (of.MOMENT, of.OPENED, of.ANSWERED) else None,
            event["medium"] if event["medium"] in REACHED and what in (of.MOMENT, of.OPENED) else None,
            events.cause_of(said),
            aspect if what in (of.OPENED, of.MADE) else None,
            text.get(what),
        )
