"""Signatures of webhooks, by the open scheme Standard Webhooks (standardwebhooks.com), which has libraries in many
languages: `webhook-id`, `webhook-timestamp` (seconds), `webhook-signature` (`v1,BASE64` of HMAC-SHA256 over
`id.timestamp.body`; with two keys two of them, separated by a space). Pure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from streams.loop.keys import SigningKeyError, keys_of

__all__ = ["SigningKeyError", "headers", "keys_of"]


def headers(keys: Sequence[bytes], id_: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; each key makes a signature."""
    signed = b"%b.%d.%b" % (id_.encode(), seconds, body)
    made = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{one}" for one in made),
    }
