"""The schema registry, by GET alone: whether it is one, lets us in, and what it has under our names."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from schemas import records
from schemas.compatibility import problems
from schemas.wire import CONFLUENT
from streams.doctor.finding import Finding, without_password
from streams.settings import Settings

SECONDS = 10.0
_ELSEWHERE = "mend the URL (RIHLA_REGISTRY or --registry), or leave it out to use the files of schemas/"


class _Wrong(Exception):
    """What is wrong, and the remedy."""


def findings(settings: Settings) -> list[Finding]:
    """All about the registry of the settings."""
    url = settings.registry or ""
    about = f"registry {without_password(url)}"
    try:
        subjects = _get(url, "/subjects")
        if not isinstance(subjects, list) or not all(isinstance(one, str) for one in subjects):
            raise _Wrong("answers /subjects with no list: it is no schema registry", _ELSEWHERE)
        found, missing = list[Finding](), list[str]()
        for name in records.NAMES:
            schema = records.raw(name)
            subject = f"{schema['namespace']}.{schema['name']}"
            if subject not in subjects:
                missing.append(subject)
            else:
                found += _compatible(about, subject, schema, _get(url, f"/subjects/{quote(subject)}/versions/latest"))
    except _Wrong as wrong:
        return [Finding("problem", about, *wrong.args)]
    if missing and settings.wire == CONFLUENT:
        detail = f"has no schema yet for {', '.join(missing)}"
        found.append(Finding("note", about, detail, "the first worker or producer that writes one registers it"))
    return [Finding("ok", about, f"answers, with {len(records.NAMES) - len(missing)} of our schemas"), *found]


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


def _get(url: str, path: str) -> Any:
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    try:
        with urllib.request.urlopen(urllib.request.Request(base + path, headers=headers), timeout=SECONDS) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise _Wrong(*_of_status(error.code, path)) from error
    except urllib.error.URLError as error:
        raise _Wrong(*_of_failure(error.reason, parts.hostname, parts.port)) from error
    except (OSError, ValueError) as error:
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
