"""The inbox of some units: open alerts and cases, the gravest first, with their deadlines. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from streams.alerts import rules
from streams.model.company import Model
from streams.model.sla import Sla, of
from streams.model.whose import owner_of
from streams.serve.customer import GRAVITY, LATEST, Document, handled, iso, members
from streams.serve.store import Transaction, digest, unpack
from streams.serve.view import stored_alert, unit_key

HOUR = 3_600_000
STORM = 5
"""As many open alerts of one rule at one unit are shown as one line: one bus is late, and forty people report it."""
MEMBERS = 50
"""Most alerts of such a line that are listed."""
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How soon the model wants alerts and cases to be answered. Durations are in ms.

    case_response, case_resolution: the delays of the rules case_unanswered and case_overdue, which raise an alert then;
    a model without these rules leaves Rihla's own, a day and five days.
    """

    sla: Sequence[Sla]
    case_response: int
    case_resolution: int

    def of_alert(self, row: Mapping[str, Any]) -> int:
        """Time from its being raised until somebody must have answered the customer."""
        return of(self.sla, row["severity"], row.get("brand"), row.get("tier")).respond


def deadlines_of(model: Model) -> Deadlines:
    """The deadlines of a model."""
    known = rules.of(model)
    response, resolution = (known.get(name) for name in ("case_unanswered", "case_overdue"))
    return Deadlines(
        model.sla,
        24 * HOUR if response is None else response.after,
        5 * 24 * HOUR if resolution is None else resolution.after,
    )


def inbox(view: Transaction, deadlines: Deadlines, units: Iterable[str] | None, limit: int = SHOWN) -> Document:
    """Lines of the inbox of some units, or of all: the gravest first, then those due first.

    `total` counts alerts and cases, also those that are folded or beyond the limit.
    """
    keys = None if units is None else [unit_key(unit) for unit in units]
    alerts = list(_open_alerts(view, deadlines, keys))
    told = {(one["customer_id"], one["case_id"]) for one in alerts}  # an open alert speaks for its case
    cases = [
        _case(one, deadlines) for one in _open_cases(view, keys) if (one["customer_id"], one["case_id"]) not in told
    ]
    lines = sorted([*_folded(alerts), *cases], key=_order)
    shown = [_with_handler(view, one) if one["kind"] == "case" else one for one in lines[:limit]]
    return {"items": [_shown(one) for one in shown], "total": len(alerts) + len(cases), "lines": len(lines)}


def open_record(view: Transaction, kind: str, customer_id: str, key: str) -> dict[str, Any] | None:
    """The open alert or case of an id, as streams.loop.answers takes it; None where there is none.

    customer_id: the customer of a case; an alert is found by its own id even if its customer_id has changed.
    """
    stored = stored_alert(view, key) if kind == "alert" else view.get(b"k" + digest(customer_id) + digest(key))
    if stored is None:
        return None
    row: dict[str, Any] = unpack(stored)
    is_open = row["closed_at"] is None if kind == "alert" else row["status"] == "open" and not row["withdrawn"]
    return {"touchpoint": None, "case_id": None, **row} if is_open else None


def units_known(view: Transaction, limit: int = 500) -> list[str]:
    """Names of the units that occur in the topics."""
    found = []
    for _, value in view.scan(b"w"):
        found.append(value.decode())
        if len(found) == limit:
            break
    return sorted(found)


def _open_alerts(view: Transaction, deadlines: Deadlines, keys: list[bytes] | None) -> Iterable[Document]:
    prefixes = [b"o"] if keys is None else [b"o" + key for key in keys]
    for _, value in chain.from_iterable(map(view.scan, prefixes)):
        customer_id, alert_id = unpack(value)
        if (stored := view.get(b"a" + digest(customer_id) + digest(alert_id))) is not None:
            yield _alert(unpack(stored), deadlines)


def _open_cases(view: Transaction, keys: list[bytes] | None) -> Iterable[Mapping[str, Any]]:
    prefixes = [b"n"] if keys is None else [b"n" + key for key in keys]
    for _, key in chain.from_iterable(map(view.scan, prefixes)):
        if (stored := view.get(key)) is not None:
            yield unpack(stored)


def _alert(row: Mapping[str, Any], deadlines: Deadlines) -> Document:
    answered = row["acknowledged_at"] is not None
    return {
        "kind": "alert",
        "id": row["alert_id"],
        "severity": row["severity"],
        "rule": row["rule"],
        "reason": row["reason"],
        "unit": row["unit"],
        "owner": owner_of(row),
        "customer_id": row["customer_id"],
        "at": row["raised_at"],
        "due": None if answered else row["raised_at"] + deadlines.of_alert(row),
        "answered": answered,
        "handler": row.get("handler"),
        "case_id": row.get("case_id"),
        "snoozed_until": row.get("snoozed_until"),
    }


def _case(row: Mapping[str, Any], deadlines: Deadlines) -> Document:
    """A case; one that was opened again is graver than one that was opened once."""
    at = row["reopened_at"] or row["opened_at"] or 0
    answered = row["first_response_at"] is not None
    return {
        "kind": "case",
        "id": row["case_id"],
        "severity": "high" if row["reopened_at"] is not None else "medium",
        "rule": row["touchpoint"],
        "reason": None,
        "contacts": row["contacts"],
        "unit": row["unit"],
        "owner": owner_of(row),
        "customer_id": row["customer_id"],
        "at": at,
        "due": at + (deadlines.case_resolution if answered else deadlines.case_response),
        "answered": answered,
        "handler": None,
        "snoozed_until": None,
        "case_id": row["case_id"],
    }


def _with_handler(view: Transaction, one: Document) -> Document:
    """A case with its handler, and the end of its snooze."""
    customer = view.get(b"c" + digest(one["customer_id"]))
    if customer is None:
        return one
    case = {"case_id": one["case_id"], "reopened_at": one["at"], "opened_at": None}
    work = handled(view, members(view, unpack(customer)), case)
    return {**one, "handler": work.handler, "snoozed_until": work.snoozed_until}


def _folded(alerts: Iterable[Document]) -> Iterable[Document]:
    """Alerts, with many of one rule at one unit folded into one that has members."""
    groups: dict[tuple[Any, ...], list[Document]] = {}
    for one in alerts:
        groups.setdefault((one["rule"], one["unit"], one["severity"]), []).append(one)
    for (rule, unit, severity), alike in groups.items():
        if len(alike) < STORM or unit is None:
            yield from alike
            continue
        alike.sort(key=_order)
        named = [{"id": one["id"], "customer_id": one["customer_id"], "at": one["at"]} for one in alike[:MEMBERS]]
        yield {
            **alike[0],
            "kind": "storm",
            "id": f"{rule}/{unit}/{severity}",
            "customer_id": None,
            "reason": None,
            "count": len(alike),
            "members": named,
            "at": min(one["at"] for one in alike),
            "answered": all(one["answered"] for one in alike),
            "handler": None,
            "snoozed_until": None,
        }


def _order(one: Mapping[str, Any]) -> tuple[int, bool, int, str]:
    """Sort key: the gravest first, then the unanswered ones, then by deadline."""
    due = LATEST if one["due"] is None else one["due"]
    return GRAVITY.get(one["severity"], len(GRAVITY)), one["answered"], due, one["id"]


def _shown(one: Document) -> Document:
    told = {**one, **{name: iso(one[name]) for name in ("at", "due", "snoozed_until")}}
    if "members" in one:
        told["members"] = [{**each, "at": iso(each["at"])} for each in one["members"]]
    return told
