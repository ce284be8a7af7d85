"""The collector's OpenAPI document: the fields of events are those of the Avro schemas."""

from __future__ import annotations

from typing import Any, Final

from schemas.records import CHANNELS, inlined
from streams.collect.forms import CALLS
from streams.metrics import package_version

_TYPES = {"string": "string", "long": "integer", "double": "number", "boolean": "boolean"}
_ANY_ID = {"type": ["string", "integer"], "minLength": 1}


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, Any] = {
        "/v1/events": {"post": _events()},
        "/v1/batch": {"post": _segment("batch", "Batch", "Calls of Segment's libraries, together")},
        "/v1/webhooks/{name}": {"post": _webhook(), "get": _verified()},
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document",
                "security": [],
                "responses": {"200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {}}}}},
            }
        },
    }
    for call in CALLS:
        paths[f"/v1/{call}"] = {"post": _segment(call, "Call", f"One {call} call of Segment's libraries")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rihla collector",
            "version": package_version(),
            "description": "Takes events of customers' journeys. An answer of 202 (Segment's routes: 200) means that "
            "Kafka has what `accepted` counts; an event that is sent twice with the same id counts once.",
        },
        "paths": paths,
        "security": [{"bearer": []}, {"basic": []}],
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The token as the user, no password."},
            },
            "schemas": _schemas(),
            "responses": _problems(),
        },
    }


def _events() -> dict[str, Any]:
    one, many = {"$ref": "#/components/schemas/Event"}, {"$ref": "#/components/schemas/Events"}
    cloud = {"$ref": "#/components/schemas/CloudEvent"}
    return {
        "operationId": "events",
        "summary": "Events of Rihla's own form, or CloudEvents 1.0",
        "description": "CloudEvents in binary mode are application/json with the attributes as ce- headers.",
        "parameters": [
            {
                "name": "source",
                "in": "query",
                "schema": {"type": "string", "minLength": 1},
                "description": "System that the ids of the events are of; without it, the first source of the token.",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [one, many]}},
                "application/x-ndjson": {"schema": {"type": "string", "description": "An event a line."}},
                "application/cloudevents+json": {"schema": cloud},
                "application/cloudevents-batch+json": {"schema": {"type": "array", "items": cloud, "maxItems": 10_000}},
            },
        },
        "responses": _responses("202", "Taken", "Taken: Kafka has what `accepted` counts."),
    }


def _segment(name: str, schema: str, summary: str) -> dict[str, Any]:
    body = {"$ref": f"#/components/schemas/{schema}"}
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": _responses("200", "Taken", "Taken: Kafka has what `accepted` counts."),
    }


_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
}


def _verified() -> dict[str, Any]:
    asked = [
        {"name": f"hub.{name}", "in": "query", "required": True, "schema": {"type": "string"}}
        for name in ("mode", "verify_token", "challenge")
    ]
    problem = {"$ref": "#/components/responses/Problem"}
    return {
        "operationId": "verify",
        "summary": "Meta's question, when a webhook is set up, whether it is ours",
        "security": [],
        "parameters": [_NAME, *asked],
        "responses": {
            "200": {"description": "hub.challenge", "content": {"text/plain": {"schema": {"type": "string"}}}},
            "403": problem,
            "404": problem,
        },
    }


def _webhook() -> dict[str, Any]:
    found = _responses("202", "Kept", "Kept: Kafka has the events, and dead letters of what is none.")
    found["404"] = {"$ref": "#/components/responses/Problem"}
    return {
        "operationId": "webhook",
        "summary": "Requests of another system, read by a mapping, signed in that system's way",
        "security": [],
        "parameters": [_NAME],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": found,
    }


def _responses(good: str, schema: str, description: str) -> dict[str, Any]:
    taken = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[str, Any] = {good: {"description": description, "content": taken}}
    bad = {**taken, **problem} if schema == "Taken" else problem
    found["400"] = {"description": "Nothing of it was taken.", "content": bad}
    found |= {code: {"$ref": "#/components/responses/Problem"} for code in ("401", "403", "408", "413", "415")}
    return found | {code: {"$ref": "#/components/responses/Later"} for code in ("429", "503")}


def _problems() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    after = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds.", "required": True}}
    return {
        "Problem": {"description": "The request is not taken.", "content": content},
        "Later": {"description": "Send it again later.", "content": content, "headers": after},
    }


def _schemas() -> dict[str, Any]:
    refused = {
        "type": "object",
        "required": ["index", "reason", "detail"],
        "properties": {
            "index": {"type": "integer", "description": "Place among what was sent, from 0; of JSON Lines, the line."},
            "reason": {"type": "string"},
            "detail": {"type": "string"},
        },
    }
    taken = {
        "type": "object",
        "required": ["accepted", "refused", "errors"],
        "properties": {
            "accepted": {"type": "integer"},
            "refused": {"type": "integer"},
            "success": {"type": "boolean", "description": "On Segment's routes."},
            "errors": {"type": "array", "items": refused, "description": "The first hundred."},
        },
    }
    number = {"type": "integer"}
    names = ("accepted", "dead_letters", "ignored")
    return {
        "Event": {"anyOf": [_event(channel) for channel in CHANNELS]},
        "Events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"}, "maxItems": 10_000},
        "CloudEvent": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "minLength": 1},
                "source": {"type": "string", "minLength": 1},
                "type": {"type": "string", "minLength": 1, "description": "The touchpoint, if data has none."},
                "time": {"type": "string", "format": "date-time"},
                "data": {"type": "object", "description": "The fields of an event."},
            },
        },
        "Call": {
            "type": "object",
            "required": ["messageId", "timestamp"],
            "properties": {
                "type": {"enum": list(CALLS)},
                "messageId": {"type": "string", "minLength": 1},
                "timestamp": {"type": "string", "format": "date-time"},
                "userId": {"type": ["string", "integer", "null"]},
                "anonymousId": {"type": ["string", "integer", "null"]},
                "previousId": {"type": ["string", "integer", "null"]},
                "event": {"type": "string", "minLength": 1},
                "properties": {"type": ["object", "null"]},
                "traits": {"type": ["object", "null"]},
                "context": {"type": ["object", "null"]},
            },
        },
        "Batch": {
            "type": "object",
            "required": ["batch"],
            "properties": {
                "batch": {"type": "array", "items": {"$ref": "#/components/schemas/Call"}, "maxItems": 10_000}
            },
        },
        "Taken": taken,
        "Kept": {"type": "object", "required": [*names], "properties": dict.fromkeys(names, number)},
        "Problem": {
            "type": "object",
            "required": ["status", "detail"],
            "properties": {"status": number, "detail": {"type": "string"}},
        },
    }


def _event(channel: str) -> dict[str, Any]:
    said = "What the touchpoint begins with, where it is left out."
    properties: dict[str, Any] = {"channel": {"const": channel, "description": said}}
    required = []
    for field in inlined(channel)["fields"]:
        name = field["name"]
        properties[name] = {**_schema(field["type"]), "description": field["doc"]}
        if "default" not in field:
            required.append(name)
    properties["event_id"] |= _ANY_ID
    properties["occurred_at"] |= {"type": ["string", "integer"], "description": "ISO 8601, or epoch milliseconds."}
    return {"type": "object", "title": channel, "required": required, "properties": properties}


def _schema(avro: Any) -> dict[str, Any]:
    """The JSON Schema of an Avro type without references."""
    if isinstance(avro, list):
        inner = [one for one in avro if one != "null"]
        return {"anyOf": [_schema(inner[0]), {"type": "null"}]}
    if isinstance(avro, str):
        return {"type": _TYPES[avro]}
    if avro["type"] == "record":
        fields = avro["fields"]
        members = {field["name"]: _schema(field["type"]) for field in fields}
        return {"type": "object", "required": [*members], "properties": members, "additionalProperties": False}
    if avro["type"] == "array":
        return {"type": "array", "items": _schema(avro["items"])}
    if avro["type"] == "enum":
        return {"enum": avro["symbols"]}
    return {"type": _TYPES[avro["type"]]}
