"""The API's OpenAPI document."""

from __future__ import annotations

from typing import Any

from streams.loop.corrections import VERDICTS
from streams.metrics import package_version
from streams.model.actions import ACTIONS
from streams.model.groups import LABELS
from streams.serve.asked import LONGEST

_TEXT: dict[str, Any] = {"type": "string"}
_TIME: dict[str, Any] = {"type": ["string", "null"], "description": "ISO 8601, UTC"}
_SAID: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": r"\S"}
"""An identifier, a unit, or how one begins: not only space."""
_YEARS = "^(19[789]|20[0-9]|21[0-9])[0-9]-"
"""Of FIRST_DAY to LAST_DAY."""
_NUMBER: dict[str, Any] = {"type": ["number", "null"]}
CAUTIONS = ("bereavement", "open_case", "refund_pending", "critical_alert", "last_contact_negative")
_NAME: dict[str, Any] = {"type": ["string", "null"]}


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rihla Customer 360",
            "version": package_version(),
            "description": "What is known of a customer now. `as_of` and the header Age say how old an answer is; "
            "beyond a minute, and while the view is being filled, there is none (503). Every look-up of a person is "
            "written down in cx.lookups.",
        },
        "paths": {
            "/v1/customers/{identifier}": {"get": _customer()},
            "/v1/customers/{identifier}/events": {
                "get": _get(
                    "customerEvents",
                    "Server-sent events: the customer's document whenever it changes",
                    [_identifier(), _REASON],
                    {"200": _stream()},
                    (401, 403, 404, 422, 429, 503),
                )
            },
            "/v1/lookup": {"post": _batch()},
            "/v1/search": {
                "get": _get(
                    "search",
                    "Identifiers and booking references that begin with a text, and whose they are",
                    [_query("q", _SAID, required=True), _NONE_MATCH],
                    {"200": _json("Found"), "304": _unchanged()},
                    (401, 403, 422, 429, 503),
                )
            },
            "/v1/units/{unit}/arrivals": {
                "get": _get(
                    "arrivals",
                    "Who arrives at a unit on a day, those who need care first",
                    [
                        _path("unit"),
                        _query("date", {"type": "string", "format": "date", "pattern": _YEARS}, required=True),
                        _NONE_MATCH,
                    ],
                    {"200": _json("Arrivals"), "304": _unchanged()},
                    (401, 403, 422, 429, 503),
                )
            },
            "/v1/alerts": {
                "get": _get(
                    "alerts",
                    "Open alerts, the gravest first",
                    [_UNITS, _NONE_MATCH],
                    {"200": _json("Alerts"), "304": _unchanged()},
                    (401, 403, 503),
                )
            },
            "/v1/alerts/events": {
                "get": _get(
                    "alertEvents",
                    "Server-sent events: alerts as they are raised, answered and closed",
                    [_UNITS],
                    {"200": _stream()},
                    (401, 403),
                )
            },
            "/openapi.json": {
                "get": {
                    "operationId": "openapi",
                    "summary": "This document",
                    "security": [],
                    "responses": {
                        "200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {}}}}
                    },
                }
            },
        },
        "security": [{"bearer": []}],
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
            "responses": {
                str(status): {
                    "description": why,
                    "content": {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
                    },
                }
                for status, why in _PROBLEMS.items()
            },
        },
    }


_PROBLEMS = {
    400: "The body is not JSON",
    401: "No token, or one that nobody has",
    403: "The token's role, or its units, do not allow this",
    404: "Nobody is known by this",
    413: "The body is too large",
    422: "A parameter cannot be right",
    429: "Too many customers in a minute; see Retry-After",
    503: "The view is being filled, or too old; see Retry-After",
}


def _get(
    name: str, summary: str, parameters: list[Any], responses: dict[str, Any], problems: tuple[int, ...]
) -> dict[str, Any]:
    failing = {str(status): {"$ref": f"#/components/responses/{status}"} for status in problems}
    return {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses | failing}


def _customer() -> dict[str, Any]:
    answers = {
        "200": _json("Customer"),
        "300": _json("Several"),
        "304": _unchanged(),
    }
    return _get(
        "customer",
        "Everything that matters about one customer, found by any identifier or booking reference",
        [_identifier(), _REVEAL, _REASON, _NONE_MATCH],
        answers,
        (401, 403, 404, 422, 429, 503),
    )


def _batch() -> dict[str, Any]:
    body = {
        "type": "object",
        "properties": {
            "identifiers": {
                "type": "array",
                "maxItems": 500,
                "items": _SAID,
            }
        },
        "required": ["identifiers"],
    }
    got = _get(
        "lookup",
        "Several customers at once, by any identifiers",
        [_REVEAL, _REASON, _NONE_MATCH],
        {"200": _json("Answers"), "304": _unchanged()},
        (400, 401, 403, 413, 422, 429, 503),
    )
    return got | {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}


def _json(name: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {
        "description": name,
        "headers": {"ETag": {"schema": _TEXT}, "Age": {"schema": {"type": "integer"}}},
        "content": {"application/json": {"schema": schema}},
    }


def _stream() -> dict[str, Any]:
    return {"description": "Server-sent events", "content": {"text/event-stream": {"schema": _TEXT}}}


def _unchanged() -> dict[str, Any]:
    return {"description": "The same as the client has"}


def _query(name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _SAID}


def _identifier() -> dict[str, Any]:
    return _path("identifier") | {
        "description": "A customer_id, kind:value, the value of any known kind, or a booking reference"
    }


_REVEAL = _query("reveal", {"type": "string", "enum": ["true", "false"]}) | {
    "description": "Show identifiers in full; a reason is needed then"
}
_REASON = _query("reason", {"type": "string", "maxLength": 200})
_UNITS = _query("unit", {"type": "array", "items": _TEXT}) | {"explode": True, "description": "These units alone"}
_NONE_MATCH = {"name": "If-None-Match", "in": "header", "required": False, "schema": _TEXT}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties] if required is None else required,
    }


def _many(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _schemas() -> dict[str, Any]:
    as_of = {"as_of": _TEXT}
    count = {"type": "integer"}
    identifier = _object({"kind": _TEXT, "value": _TEXT})
    contact = _object(
        {"event_id": _TEXT, "occurred_at": _TEXT, "channel": _TEXT, "touchpoint": _TEXT, "medium": _TEXT}
        | dict.fromkeys(("unit", "agent_id", "booking_ref", "case_id", "score_source", "language", "text"), _TEXT)
        | {"score": {"type": "number"}, "score_weight": {"type": "number"}, "survey": {"type": "object"}}
        | {"corrected": _object({"verdict": {"enum": [*VERDICTS]}, "who": _NAME, "at": _TIME})},
        ["event_id", "occurred_at", "channel", "touchpoint", "medium"],
    )
    journey = _object(
        {"journey_id": _TEXT, "booking_ref": _NAME, "status": _TEXT, "next_milestone": _NAME, "started_at": _TIME}
        | {"last_event_at": _TIME, "interactions": count, "lowest_score": _NUMBER, "lowest_touchpoint": _NAME}
        | {"nps": _NUMBER, "plan": {"type": "object"}}
    )
    case = _object(
        {"case_id": _TEXT, "touchpoint": _TEXT, "unit": _NAME, "owner": _NAME, "journey_id": _NAME, "contacts": count}
        | {"opened_at": _TIME, "reopened_at": _TIME, "first_response_at": _TIME}
        | {"handler": _NAME, "snoozed_until": _TIME}
    )
    alert = _object(
        {"alert_id": _TEXT, "rule": _TEXT, "severity": _TEXT, "customer_id": _TEXT, "journey_id": _NAME}
        | {"unit": _NAME, "reason": _TEXT, "occurred_at": _TIME, "raised_at": _TIME, "acknowledged_at": _TIME}
        | {"closed_at": _TIME, "case_id": _NAME, "touchpoint": _NAME, "handler": _NAME, "snoozed_until": _TIME}
        | {"unit_basis": _NAME, "owner": _NAME}
    )
    profile = _object(
        {"name": {"enum": ["negative", "non_committal", "advocate"]}, "sentiment_7d": _NUMBER}
        | {"sentiment_30d": _NUMBER, "sentiment_90d": _NUMBER, "evidence": {"type": "number"}}
        | {"trend": {"enum": ["improving", "steady", "declining", None]}, "at": _TIME}
    )
    known = {
        "customer_id": _TEXT,
        "identifiers": _many(identifier),
        "profile": profile,
        "interactions": count,
        "first_event_at": _TIME,
        "last_event_at": _TIME,
        "open_journeys": _many(journey),
        "past_journeys": _many(journey),
        "open_cases": _many(case),
        "open_alerts": _many(alert),
        "last_contacts": _many(contact),
        "lowest_point": {"anyOf": [contact, {"type": "null"}]},
        "preferences": _many({"type": "object"}),
        "cautions": _many({"enum": [*CAUTIONS]}),
    }
    known["consent"] = _many(
        _object({"purpose": _TEXT, "channel": _TEXT, "given": {"type": "boolean"}, "source": _NAME, "at": _TIME})
    )
    known["groups"] = _many(
        _object(
            {"group": _TEXT, "since": _TIME, "until": _TIME} | dict.fromkeys(LABELS, _TEXT), ["group", "since", "until"]
        )
    )
    action = _object({"priority": count, "action": {"enum": [*ACTIONS]}, "reason": _TEXT, "evidence": _TEXT})
    found = _object({"kind": _TEXT, "value": _TEXT, "customer_id": _TEXT})
    answer = _object({"identifier": _TEXT, "customers": _many(_object(known))})
    arrival = _object(
        {"booking_ref": _TEXT, "plan": {"type": "object"}, "status": _NAME}
        | {"needs_care": {"type": "boolean"}, "customer": _object(known)}
    )
    return {
        "Customer": _object(as_of | known | {"next_actions": _many(action)}),
        "Several": _object(as_of | {"customers": _many(_TEXT)}),
        "Found": _object(as_of | {"found": _many(found)}),
        "Answers": _object(as_of | {"answers": _many(answer)}),
        "Arrivals": _object(as_of | {"unit": _TEXT, "day": _TEXT, "arrivals": _many(arrival)}),
        "Alerts": _object(as_of | {"alerts": _many(alert)}),
        "Problem": _object({"status": count, "title": _TEXT}),
    }
