"""What may be printed: URLs without their secrets, and text from elsewhere (exceptions, logs) without known secrets.

No URL is printed but through `masked`. Texts that we did not write go through `hidden`, which masks the URLs in them
and every secret that was read in this process (`learn`).
"""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import Final
from urllib.parse import quote, quote_plus, unquote

HIDDEN: Final = "***"
LEAST: Final = 6
"""Length of the shortest secret that is looked for in texts: a shorter one would match ordinary words."""

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*:)?//")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[\w.-]*)(:\d{0,5})?")
# Each pattern begins where a run begins, so that a text takes time in proportion to its length: texts of others are
# logged, and a log line that takes minutes holds up its worker.
_URL = re.compile(r"(?<=[A-Za-z0-9+.-])://[^\s\"'<>]*[^\s\"'<>.,;)\]}]")
_NAME = re.compile(r"(?<![\w-])[\w-]+=(?=[^&\s\"'])")
_VALUE = re.compile(r"[^&\s\"']+")
_SECRET = re.compile(r"(?i)password|passwd|passphrase|secret|token|api_?key|access_?key|credential|signature")
_TO_AT = re.compile(r"(?<![^\s@\"'])[^\s@\"']+@(?=[\w\[])")
_PAIR = re.compile(r"(?<![^/(])[^/(]+:(?!//)(?=[^@])")
"""`user:password@` without a scheme in front, in what `_TO_AT` finds: from where the user begins."""

_known: set[str] = set()


def masked(url: str) -> str:
    """A URL, well-formed or not, for people: scheme, host, port and path; `***` for anything that may be a secret.

    Whatever stands before the last `@` may be a password, with any character in it; whatever follows a `?` or `#` may
    hold one; and what is no host may be one whose host was forgotten.
    """
    found = _SCHEME.match(url)
    scheme, rest = (found[0].strip(), url[found.end() :]) if found else ("", url.strip())
    _, at, rest = rest.rpartition("@")
    address = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = address.partition("/")
    if not _HOST.fullmatch(host):
        host = HIDDEN
    return "".join(
        (scheme, HIDDEN + at if at else "", host, slash, path, f"?{HIDDEN}" if len(rest) > len(address) else "")
    )


def learn(*secrets: str | None) -> None:
    """Remember secrets, which `hidden` then takes out of every text: percent-encoded, in base64, and as Python and JSON
    write them between quotes, too (what many exceptions say of a value that they refuse)."""
    for secret in secrets:
        if secret and len(secret) >= LEAST:
            _known.update((secret, quote(secret, safe=""), quote_plus(secret), quote(secret), unquote(secret)))
            _known.add(base64.b64encode(secret.encode()).decode())
            _known.update((repr(secret)[1:-1], repr(secret.encode())[2:-1], json.dumps(secret)[1:-1]))


def learn_pair(username: str, password: str) -> None:
    """Remember a user's password, and both as HTTP's basic authentication writes them."""
    learn(password)
    if len(password) >= LEAST:
        _known.add(base64.b64encode(f"{username}:{password}".encode()).decode())


def hidden(text: str) -> str:
    """A text of somebody else without the secrets in it: those learnt, users in URLs, parameters named like secrets."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _URL.sub(lambda found: _without_user(found[0]), text)
    return _without_values(_TO_AT.sub(lambda found: _without_pair(found[0]), text))


def _without_user(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    _, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{HIDDEN}{at}{host}" if at else url


def _without_pair(text: str) -> str:
    found = _PAIR.search(text)
    return text if found is None else f"{text[: found.start()]}{HIDDEN}@"


def _without_values(text: str) -> str:
    """A text without the values of parameters that are named like secrets."""
    parts, done = [], 0
    for name in _NAME.finditer(text):
        if name.start() >= done and _SECRET.search(name[0]):
            parts += [text[done : name.end()], HIDDEN]
            value = _VALUE.match(text, name.end())
            done = name.end() if value is None else value.end()
    return "".join((*parts, text[done:]))


class Masking(logging.Formatter):
    """A formatter whose lines hold no secret, neither in the message nor in a traceback."""

    def __init__(self, around: logging.Formatter | None = None) -> None:
        """around: makes the lines; messages alone without it."""
        super().__init__()
        self._around = around or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return hidden(self._around.format(record))


def mask_handlers() -> None:
    """Let every handler of the root logger, and the one that stands in where there is none, write through Masking."""
    for handler in (*logging.getLogger().handlers, logging.lastResort):
        if handler is not None and not isinstance(handler.formatter, Masking):
            handler.setFormatter(Masking(handler.formatter))
