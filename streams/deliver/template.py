"""JSON bodies of your own: in their texts, {{ expression }} is filled in from the fields of a message. Pure.

An expression is one of mappings: SQL over the fields, all of them text (streams.sources.mapping.expressions). A text
that is one placeholder becomes null if the expression is null; within a longer text null is empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import polars as pl

from streams.errors import RihlaError
from streams.sources.mapping.expressions import columns_of, evaluate, probe
from streams.sources.mapping.model import MappingError

_PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)

FIELDS = (
    *("key", "type", "kind", "id", "version", "state", "rule", "severity", "unit", "reason", "touchpoint", "status"),
    *("occurred_at", "raised_at", "acknowledged_at", "closed_at", "opened_at", "first_response_at", "resolved_at"),
    *("reopened_at", "contacts", "case_id", "handler", "snoozed_until", "from_profile", "to_profile", "score"),
    *("customer_id", "journey_id", "event_id", "subject", "text", "link", "escalation"),
    *("unit_basis", "owner", "brand", "tier", "causes", "customers", "alerts", "open", "last_at", "segment", "member"),
    *("action", "evidence", "begins_at", "ends_at", "published_at"),
    *("metric", "period", "starts", "wanted", "actual", "low", "high", "n", "observed_at"),
    *("report", "language", "since", "last", "title", "summary", "made_at"),
)
"""Names that an expression may use: the fields of all kinds of messages; those that a message lacks are null."""


class TemplateError(RihlaError):
    """A body that cannot be filled in; the message says which placeholder."""


def check(body: Any) -> None:
    """Raises TemplateError for a placeholder that no message could fill in."""
    for text in _texts(body):
        for sql in _PLACE.findall(text):
            try:
                probe(sql.strip(), condition=False)
                unknown = [name for name in columns_of(sql.strip()) if name not in FIELDS]
            except MappingError as error:
                raise TemplateError(str(error)) from None
            if unknown:
                raise TemplateError(f"no message has the field {unknown[0]!r}; there are {', '.join(FIELDS)}")


def fill_path(url: str, fields: Mapping[str, Any]) -> str:
    """An address with its placeholders filled in, each as one piece of a path."""
    if "{{" not in url:
        return url
    parts = _PLACE.split(url)  # text and expression in turn
    filled = [fill(f"{{{{{part}}}}}", fields) if at % 2 else part for at, part in enumerate(parts)]
    return "".join(quote(str(part or ""), safe="") if at % 2 else part for at, part in enumerate(filled))


def fill(body: Any, fields: Mapping[str, Any]) -> Any:
    """The body with its placeholders filled in."""
    row = {name: None if fields.get(name) is None else str(fields[name]) for name in FIELDS}
    return _filled(body, pl.DataFrame([row], schema=dict.fromkeys(FIELDS, pl.String)))


def _filled(body: Any, row: pl.DataFrame) -> Any:
    if isinstance(body, str):
        whole = _PLACE.fullmatch(body)
        if whole:
            return evaluate(whole[1].strip(), row).item()
        return _PLACE.sub(lambda place: _text(evaluate(place[1].strip(), row).item()), body)
    if isinstance(body, Mapping):
        return {key: _filled(value, row) for key, value in body.items()}
    return [_filled(value, row) for value in body] if isinstance(body, list) else body


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _texts(body: Any) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for value in body.values():
            yield from _texts(value)
    elif isinstance(body, list):
        for value in body:
            yield from _texts(value)
