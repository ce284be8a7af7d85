"""Secrets from the environment: RIHLA_X itself, or RIHLA_X_FILE, which names a file that holds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from schemas.masking import learn
from streams.errors import RihlaError

SUFFIX = "_FILE"
LONGEST = 64 << 10
"""Most bytes of a secret's file: anything longer, such as a device without an end, is a mistake."""


class SecretError(RihlaError):
    """A secret is given twice, or its file cannot be used; the message names the variable and never the secret."""


def secret(variable: str, environment: Mapping[str, str] | None = None) -> str | None:
    """The value of a variable, or the stripped content of the file that VARIABLE_FILE names; None where neither is set.

    An empty variable counts as not set. Raises SecretError when both are, or the file cannot be read or is empty.
    """
    source = os.environ if environment is None else environment
    value, file = source.get(variable), source.get(variable + SUFFIX)
    if not file:
        return value
    if value:
        raise SecretError(f"{variable} and {variable}{SUFFIX} are both set", "set one of them")
    content = content_of(Path(file), f"{variable}{SUFFIX}")
    if "://" not in content:  # of an address, only the password is secret
        learn(content)
    return content


def content_of(file: Path, what: str) -> str:
    """The stripped text of a file that holds a secret. what: names it in messages.

    Raises SecretError where it cannot be read, is empty, or is too long to be one.
    """
    try:
        with file.open("rb") as opened:
            octets = opened.read(LONGEST + 1)
        content = octets.decode("utf-8").strip()
    except OSError as error:
        raise SecretError(f"{what}: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SecretError(f"{what}: {file} is no text in UTF-8") from error
    if len(octets) > LONGEST:
        raise SecretError(f"{what}: {file} holds more than {LONGEST // 1024} KiB: it is no secret")
    if not content:
        raise SecretError(f"{what}: {file} is empty")
    return content
