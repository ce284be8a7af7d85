"""Keys of signatures, as the open scheme Standard Webhooks writes them: `whsec_` and base64, a line each. Pure."""

from __future__ import annotations

import base64
import binascii

PREFIX = "whsec_"
LEAST = 24
"""Bytes of the shortest key that is accepted, as the scheme says."""
MOST_KEYS = 2


class SigningKeyError(ValueError):
    """A text that is no key; the message never quotes it."""


def keys_of(text: str) -> list[bytes]:
    """The keys of a file: a line each, `whsec_` and base64; while keys are rotated, the new one and the old one.

    Raises SigningKeyError.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not 1 <= len(lines) <= MOST_KEYS:
        raise SigningKeyError(f"holds {len(lines)} keys; there is one, or two while they are rotated, each on its line")
    found = []
    for number, line in enumerate(lines, 1):
        try:
            key = base64.b64decode(line.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            raise SigningKeyError(f"line {number} is no key in base64") from None
        if len(key) < LEAST:
            raise SigningKeyError(f"line {number} is a key of {len(key)} bytes; {LEAST} are the least")
        found.append(key)
    return found
