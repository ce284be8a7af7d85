"""Connections to ClickHouse, a server or the embedded engine's HTTP interface: the same client, by URL."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.errors import ClickHouseRefusedError, ClickHouseUnavailableError, in_short, is_retriable

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def connect(url: str, database: str | None = "cx", *, timeout: float = 300.0) -> Client:
    """A client for http[s]://[user[:password]@]host[:port][/?database=NAME&send_receive_timeout=SECONDS&SETTING=VALUE...].

    A password is better named than written: with `password_file=PATH` it is the first line of that file.
    database: what unqualified names refer to; one in the URL wins; None: the server's default (it need not exist yet).
    timeout: seconds without any answer after which a call fails; send_receive_timeout in the URL wins.
    The client may be shared by threads: it has no session.
    Raises ClickHouseUnavailableError when nothing usable answers there (the same call may succeed later),
    ClickHouseRefusedError for wrong credentials or database, ValueError for a malformed URL or an unreadable file.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not a ClickHouse URL: {_shown(url)!r} (http://user:password@host:8123)")
    settings: dict[str, str] = dict(parse_qsl(parts.query))
    database = settings.pop("database", "") or database
    timeout = float(settings.pop("send_receive_timeout", timeout))
    password = _password(settings.pop("password_file", None), unquote(parts.password or ""))
    try:
        return clickhouse_connect.get_client(
            interface=parts.scheme,
            host=parts.hostname,
            port=parts.port or (8443 if parts.scheme == "https" else 8123),
            username=unquote(parts.username) if parts.username else None,
            password=password,
            database=database or "__default__",
            settings=settings,
            connect_timeout=10,
            send_receive_timeout=timeout,
            compress=False if parts.hostname in _THIS_MACHINE else "lz4",
            client_name="rihla",
            autogenerate_session_id=False,
            dedicated_pool=True,
        )
    except ClickHouseError as error:
        why = in_short(error)
        if is_retriable(error):
            raise ClickHouseUnavailableError(f"ClickHouse does not answer at {_shown(url)}: {why}") from error
        raise ClickHouseRefusedError(f"ClickHouse at {_shown(url)} refuses the connection: {why}") from error


def _password(file: str | None, given: str) -> str:
    if file is None:
        return given
    try:
        with open(file) as lines:
            return lines.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the password of ClickHouse cannot be read from {file}: {error}") from error


def _shown(url: str) -> str:
    """The URL without its password, for messages."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{parts.username + '@' if parts.username else ''}{host}"
