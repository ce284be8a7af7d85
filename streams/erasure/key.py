"""The secret key of fingerprints. Without it, nobody can match a fingerprint with a name, not even by trying names.

It is no field of Settings, since those are logged and published for other commands. Where there is no variable, an
embedded pipeline keeps a key of its own in its data folder.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from schemas.masking import learn
from streams.errors import RihlaError
from streams.secret_files import SUFFIX, secret

VARIABLE = "RIHLA_ERASURE_KEY"
LEAST = 16
"""Characters of the shortest key that is accepted."""
_FILE = "erasure.key"
_SIZE = 16


def from_environment(environment: Mapping[str, str] | None = None) -> bytes | None:
    """The key of RIHLA_ERASURE_KEY, or of the file that RIHLA_ERASURE_KEY_FILE names; None where neither is set.

    Raises RihlaError when it is too short, or the file cannot be read.
    """
    text = secret(VARIABLE, environment)
    if not text:
        return None
    learn(text)
    if len(text) < LEAST:
        raise RihlaError(f"{VARIABLE} has {len(text)} characters, which is no secret", "openssl rand -hex 32 makes one")
    return hashlib.sha256(text.encode()).digest()


def of_folder(folder: Path) -> str:
    """The text of RIHLA_ERASURE_KEY for a data folder: the variable's own, else that of the folder, made if missing."""
    given = secret(VARIABLE)
    if given:
        return given
    file = folder / _FILE
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        text = secrets.token_hex(32)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(text + "\n")
        return text


def copy(old: Path, new: Path) -> None:
    """Give a new data folder the key of another, so that its fingerprints mean the same; none if that has none."""
    file = old / _FILE
    if file.exists():
        new.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(new / _FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(file.read_text())


def key_variables(text: str) -> dict[str, str]:
    """The variables that give the key to a child process, whatever else is in its environment."""
    return {VARIABLE: text, VARIABLE + SUFFIX: ""}


def key_id(key: bytes) -> str:
    """A short hash that tells two keys apart without revealing either."""
    return hashlib.sha256(b"id of " + key).hexdigest()[:8]


def fingerprint(identifier: str, key: bytes) -> str:
    """Keyed BLAKE2b-128 (RFC 7693) of `kind:value`, hexadecimal."""
    return hashlib.blake2b(identifier.encode(), key=key, digest_size=_SIZE).hexdigest()
