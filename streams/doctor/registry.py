"""The schema registry, by GET alone: whether it is one, lets us in, and what it has under our names."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from schemas import records
from schemas.compatibility import problems
from schemas.endpoint import Endpoint
from schemas.service import open_url, refusal
from schemas.wire import CONFLUENT
from streams.doctor.finding import Finding
from streams.settings import Settings

SECONDS = 10.0
_ELSEWHERE = "mend the URL (RIHLA_REGISTRY or --registry), or leave it out to use the files of schemas/"


class _Wrong(Exception):
    """What is wrong, and the remedy."""


def findings(settings: Settings) -> list[Finding]:
    """All about the registry of the settings."""
    endpoint = settings.registry_endpoint
    assert endpoint is not None, "only called when a registry is set"
    about = f"registry {endpoint.address}"
    try:
        subjects = _get(endpoint, "/subjects")
        if not isinstance(subjects, list) or not all(isinstance(one, str) for one in subjects):
            raise _Wrong("answers /subjects with no list: it is no schema registry", _ELSEWHERE)
        found, missing = list[Finding](), list[str]()
        for name in records.NAMES:
            schema = records.raw(name)
            subject = f"{schema['namespace']}.{schema['name']}"
            if subject not in subjects:
                missing.append(subject)
            else:
                found += _compatible(
                    about, subject, schema, _get(endpoint, f"/subjects/{quote(subject)}/versions/latest")
                )
    except _Wrong as wrong:
        return [Finding("problem", about, *wrong.args)]
    if missing and settings.wire == CONFLUENT:
        detail = f"has no schema yet for {', '.join(missing)}"
        found.append(Finding("note", about, detail, "the first worker or producer that writes one registers it"))
    return [Finding("ok", about, f"answers, with {len(records.NAMES) - len(missing)} of our schemas"), *found]


def _latest(subject: str) -> str:
    return f"/subjects/{quote(subject)}/versions/latest"


def _compatible(about: str, subject: str, ours: dict[str, Any], answer: Any) -> list[Finding]:
    """Whether what is registered can be read by us."""
    try:
        theirs = json.loads(answer["schema"])
        wrong = problems(theirs, ours)
    except (KeyError, TypeError, ValueError) as error:
        wrong = [f"no Avro schema: {error}"]
    if not wrong:
        return []
    remedy = f"register ours under {subject} in a registry of Rihla's own, or bring the writers of the other to ours"
    return [Finding("problem", about, f"{subject} there cannot be read as ours: {'; '.join(wrong[:3])}", remedy)]


def _get(endpoint: Endpoint, path: str) -> Any:
    headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
    request = urllib.request.Request(endpoint.address + path, headers=headers)
    port = endpoint.port or (443 if endpoint.scheme == "https" else 80)
    try:
        with open_url(endpoint, request, SECONDS) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise _Wrong(*_of_status(error.code, path)) from error
    except (OSError, ValueError, HTTPException) as error:
        if (reason := refusal(endpoint, error, "RIHLA_REGISTRY", port)) is not None:
            raise _Wrong(reason.sentence, reason.remedy) from error
        if isinstance(error, urllib.error.URLError):
            raise _Wrong(*_of_failure(error.reason, endpoint.host, port)) from error
        raise _Wrong(f"does not answer in HTTP: {error}", _ELSEWHERE) from error
    try:
        return json.loads(text)
    except ValueError:
        what = "a web page" if text.lstrip().startswith(b"<") else "no JSON"
        raise _Wrong(f"answers {path} with {what}: it is no schema registry", _ELSEWHERE) from None


def _of_status(code: int, path: str) -> tuple[str, str]:
    if code in (401, 403):
        return f"refuses these credentials ({code})", "give a user and password that may read: RIHLA_REGISTRY"
    if code == 404:
        return f"has no {path}: another service, or a path is missing from the URL", _ELSEWHERE
    return f"answers {path} with status {code}", "look at the registry's own log"


def _of_failure(reason: Any, host: str | None, port: int | None) -> tuple[str, str]:
    if isinstance(reason, socket.gaierror):
        return f"there is no host of the name {host}", _ELSEWHERE
    if isinstance(reason, ConnectionRefusedError):
        return f"nothing listens on port {port or 80} of {host}", f"start it, or {_ELSEWHERE}"
    if isinstance(reason, ssl.SSLError):
        return f"TLS fails: {reason.reason or reason}", f"http:// or the right port, or its certificate; {_ELSEWHERE}"
    if isinstance(reason, TimeoutError):
        return f"no answer within {SECONDS:.0f} s", "look at the registry, and at firewalls between"
    return str(reason), _ELSEWHERE
