"""Connections to ClickHouse, a server or the embedded engine's HTTP interface: the same client, by address."""

from __future__ import annotations

from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.httputil import get_pool_manager_options
from urllib3 import PoolManager

from schemas import tls
from schemas.endpoint import Endpoint, EndpointError
from schemas.masking import hidden, learn
from schemas.service import refusal
from sinks.clickhouse.errors import ClickHouseRefusedError, ClickHouseUnavailableError, in_short, is_retriable

_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def connect(where: str | Endpoint, database: str | None = "cx", *, timeout: float = 300.0) -> Client:
    """A client for http[s]://[user[:password]@]host[:port][/?database=NAME&send_receive_timeout=SECONDS&SETTING=VALUE...].

    A password is better named than written: with `password_file=PATH` it is the first line of that file.
    database: what unqualified names refer to; one in the URL wins; None: the server's default (it need not exist yet).
    timeout: seconds without any answer after which a call fails; send_receive_timeout in the URL wins.
    The client may be shared by threads: it has no session. Files of certificates and of a token are read anew by each
    call. A client with a certificate and neither password nor token is identified by the certificate.
    Raises ClickHouseUnavailableError when nothing usable answers there (the same call may succeed later),
    ClickHouseRefusedError for wrong credentials, certificates or database, EndpointError for a malformed URL,
    ValueError for an unreadable file.
    """
    endpoint = Endpoint.parse(where, name="clickhouse") if isinstance(where, str) else where
    settings: dict[str, str] = dict(endpoint.query)
    database = settings.pop("database", "") or database
    timeout = float(settings.pop("send_receive_timeout", timeout))
    password = _password(settings.pop("password_file", None), endpoint.password)
    port = endpoint.port or (8443 if endpoint.scheme == "https" else 8123)
    try:
        return clickhouse_connect.get_client(
            interface=endpoint.scheme,
            host=endpoint.host,
            port=port,
            database=database or "__default__",
            settings=settings,
            connect_timeout=10,
            send_receive_timeout=timeout,
            compress=False if endpoint.host in _THIS_MACHINE else "lz4",
            client_name="rihla",
            autogenerate_session_id=False,
            **_credentials(endpoint, password),
        )
    except (tls.TlsError, EndpointError) as error:
        raise ClickHouseRefusedError(str(error)) from error
    except ClickHouseError as error:
        reason = refusal(endpoint, error, "RIHLA_CLICKHOUSE", port)
        if reason is not None:
            raise ClickHouseRefusedError(f"ClickHouse: {reason.sentence}; {reason.remedy}") from error
        why = hidden(in_short(error))
        if is_retriable(error):
            raise ClickHouseUnavailableError(f"ClickHouse does not answer at {endpoint.address}: {why}") from error
        raise ClickHouseRefusedError(f"ClickHouse at {endpoint.address} refuses the connection: {why}") from error


def _password(file: str | None, given: str | None) -> str | None:
    if file is None:
        return given
    try:
        with open(file) as lines:
            password = lines.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the password of ClickHouse cannot be read from {file}: {error}") from error
    learn(password)
    return password


def _credentials(endpoint: Endpoint, password: str | None) -> dict[str, Any]:
    """Arguments of clickhouse-connect that say who we are, and over what."""
    token = endpoint.bearer()
    user = {"username": endpoint.username, "password": password or ""}
    arguments: dict[str, Any] = user if token is None else {"access_token": token}
    files = endpoint.tls
    if not files.given:
        return {**arguments, "dedicated_pool": True}
    if files.certificate is not None:
        by_certificate = token is None and password is None
        arguments |= {"client_cert": files.certificate, "tls_mode": "mutual" if by_certificate else "strict"}
    options = {} if files.check_hostname else {"assert_hostname": False}
    pool = PoolManager(**get_pool_manager_options(ssl_context=files.context("clickhouse"), **options))
    return {**arguments, "pool_mgr": pool}
