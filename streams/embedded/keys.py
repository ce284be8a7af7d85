"""The tokens of an embedded database's users, and of the collector: a file each (0600) in the folder `keys`.

They are made when they are first needed and stay from start to start, so that a connection set up in DBeaver or Grafana
goes on working. If a file is removed, its user gets a new token at the next start. No token is on a command line, in
the environment or in a log: processes hand each other the URL of the database with the path of the file (see
sinks.clickhouse.client.connect), and the path of the collector's.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from sinks.clickhouse.roles import Manager, RolesError, load_managers
from streams.embedded.clickhouse.access import Tokens, roles_of
from streams.errors import RihlaError

MANAGERS = "managers.toml"
"""The file, in the same folder, of the managers of units, each of whom has a token: see sinks.clickhouse.roles."""


def managers_of(keys: Path) -> tuple[Manager, ...]:
    """The managers in a folder's file of them; none where there is no file. Raises RihlaError."""
    path = keys / MANAGERS
    if not path.exists():
        return ()
    if path.stat().st_mode & 0o022:
        raise RihlaError(f"others can change {path}, which says who sees what", f"chmod 600 {path}")
    try:
        return load_managers(path)
    except RolesError as error:
        raise RihlaError(str(error)) from error


def tokens_of(keys: Path, managers: Sequence[Manager] = ()) -> Tokens:
    """The tokens in a folder, made where they are missing. Raises RihlaError when one cannot be trusted."""
    keys.mkdir(mode=0o700, exist_ok=True)
    known = roles_of(managers=managers)
    return Tokens({name: _token(keys / name) for name in known}, known)


def read_token(path: Path) -> str:
    """A user's token. Raises RihlaError when it is missing, or not its owner's alone to read and write."""
    try:
        with path.open() as file:
            state = os.fstat(file.fileno())
            token = file.readline().strip()
    except OSError as error:
        raise RihlaError(f"the token in {path} cannot be read: {error.strerror}") from error
    again = f"make a new one: rm {path}, then start again"
    if state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise RihlaError(f"others can read or change the token in {path}", again)
    if len(token) < 16:
        raise RihlaError(f"there is no token in {path}", again)
    return token


def url_for(url: str, keys: Path, user: str) -> str:
    """The database's URL for one of its users: names the file of the token, not the token."""
    return f"{url.replace('://', f'://{user}@', 1)}/?password_file={quote(str(keys / user))}"


def address_of(url: str) -> str:
    """The address in a URL of url_for, for people and for other clients."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def token_file(keys: Path, name: str) -> Path:
    """The file of a token that is no user's of the database, made where it is missing. Raises RihlaError."""
    keys.mkdir(mode=0o700, exist_ok=True)
    _token(keys / name)
    return keys / name


def _token(path: Path) -> str:
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return read_token(path)
    with os.fdopen(made, "w") as file:
        token = secrets.token_urlsafe(32)
        file.write(token + "\n")
    return token
