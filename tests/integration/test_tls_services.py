"""Registry and ClickHouse over TLS: own authority, client certificates, users and tokens, and what goes wrong."""

from __future__ import annotations

import base64
import datetime
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from schemas.registry import HttpRegistry, RegistryError
from schemas.wire import CONFLUENT, WireHeader
from sinks.clickhouse.client import connect
from sinks.clickhouse.errors import ClickHouseRefusedError
from streams.embedded.clickhouse.access import OWNER
from streams.embedded.clickhouse.http_interface import Served
from streams.settings import Settings
from tests.support.clickhouse import TOKENS

SCHEMA = {"type": "record", "name": "R", "fields": [{"name": "x", "type": "long"}]}


class Handler(BaseHTTPRequestHandler):
    """Answers as a registry, or passes on to the engine (`upstream`); remembers who asked."""

    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append({name.lower(): value for name, value in self.headers.items()})
        if self.server.upstream is None:
            self._send(200, {"Content-Type": "application/json"}, json.dumps({"schema": json.dumps(SCHEMA)}).encode())
            return
        url, token = self.server.upstream
        as_owner = {"X-ClickHouse-User": OWNER.name, "X-ClickHouse-Key": token}
        request = urllib.request.Request(url + self.path, body or None, as_owner, method=self.command)
        try:
            with urllib.request.urlopen(request) as response:
                self._send(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            self._send(error.code, dict(error.headers), error.read())

    do_GET = do_POST = _answer

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """One server; certificate None: without TLS."""

    daemon_threads = True

    def __init__(self, certificate: Path | None, client_ca: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream: tuple[str, str] | None = None
        self.asked: list[dict[str, str]] = []
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            if client_ca is not None:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Handshakes that fail are what is tested."""


class Site:
    """Certificates, and servers that use them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stack, self.ca = folder, ExitStack(), trustme.CA()
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        trustme.CA().cert_pem.write_to_path(str(folder / "other-ca.pem"))
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
        self.issue("server", "localhost", "127.0.0.1")
        self.issue("expired", "localhost", not_before=past, not_after=past + datetime.timedelta(days=1))
        self.issue("elsewhere", "elsewhere.example")
        self.issue("client", "client.example")

    def issue(self, name: str, *hosts: str, **more: Any) -> None:
        """A certificate with its key in NAME.pem."""
        self.ca.issue_cert(*hosts, **more).private_key_and_cert_chain_pem.write_to_path(str(self / name))

    def __truediv__(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def serve(self, certificate: str | None = "server", *, mutual: bool = False) -> Server:
        """A running server."""
        server = Server(None if certificate is None else self / certificate, self / "ca" if mutual else None)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.stack.callback(server.server_close)
        self.stack.callback(server.shutdown)
        return server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Certificates made here."""
    made = Site(tmp_path_factory.mktemp("tls"))
    with made.stack:
        yield made


def ask_registry(url: str, **told: Any) -> None:
    """Look a schema up."""
    settings = Settings(registry=url, **{f"registry_{name}": value for name, value in told.items()})
    assert settings.registry_endpoint is not None
    found = HttpRegistry(settings.registry_endpoint).writer_schema(WireHeader(CONFLUENT, 1))
    assert found["name"] == "R"


def ask_clickhouse(url: str, **told: Any) -> None:
    """Run a query."""
    settings = Settings(clickhouse=url, **{f"clickhouse_{name}": value for name, value in told.items()})
    with closing(connect(settings.clickhouse_endpoint, None)) as client:
        assert client.command("SELECT 41 + 1") == 42


Ask = Callable[..., None]


@pytest.fixture(params=["registry", "clickhouse"])
def ask(request: pytest.FixtureRequest, site: Site, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Each of the two services in turn; servers made from now on are of this kind."""
    if request.param == "registry":
        return ask_registry
    served: Served = request.getfixturevalue("served")
    upstream = served.url, TOKENS[OWNER.name]
    serve = site.serve

    def of_the_engine(*args: Any, **kwargs: Any) -> Server:
        server = serve(*args, **kwargs)
        server.upstream = upstream
        return server

    monkeypatch.setattr(site, "serve", of_the_engine)
    return ask_clickhouse


def test_own_authority_with_user_and_password(site: Site, ask: Ask) -> None:
    server = site.serve()
    ask(server.url, ca=str(site / "ca"), username="me", password="pass/wor?d@1")
    assert server.asked[0]["authorization"] == "Basic " + base64.b64encode(b"me:pass/wor?d@1").decode()


def test_a_token_by_file_is_read_again(site: Site, ask: Ask, tmp_path: Path) -> None:
    server = site.serve()
    for token in ("first-token", "second-token"):
        (tmp_path / "token").write_text(f"{token}\n")
        ask(server.url, ca=str(site / "ca"), token_file=str(tmp_path / "token"))
        assert server.asked[-1]["authorization"] == f"Bearer {token}"


def test_mutual_tls(site: Site, ask: Ask) -> None:
    server = site.serve(mutual=True)
    ours = {"ca": str(site / "ca"), "certificate": str(site / "client"), "username": "me"}
    ask(server.url, **ours)
    ask(server.url, **ours, password="and-a-password")
    assert server.asked[-1]["authorization"].startswith("Basic ")


REFUSALS = [
    ("expired", {}, "has expired"),
    ("elsewhere", {}, "is for another host name"),
    ("server", {"ca": "other-ca"}, "signed by an authority that is not trusted; name the file of its authority"),
    ("server", {"ca": None}, "not trusted"),
    (None, {"scheme": "https"}, "does not speak TLS"),
    ("server", {"scheme": "http", "ca": None}, "speaks TLS; write https://"),
    ("mutual", {}, "asks for a client certificate, and none is set"),
]


@pytest.mark.parametrize(("certificate", "changes", "said"), REFUSALS, ids=[one[2] for one in REFUSALS])
def test_each_refusal_has_its_own_sentence(
    site: Site, ask: Ask, certificate: str | None, changes: dict[str, Any], said: str
) -> None:
    server = site.serve("server", mutual=True) if certificate == "mutual" else site.serve(certificate)
    told = {"ca": "ca", **changes}
    scheme = told.pop("scheme", server.scheme)
    ca = told.pop("ca")
    url = f"{scheme}://localhost:{server.server_port}"
    with pytest.raises((RegistryError, ClickHouseRefusedError), match=said):
        ask(url, username="me", password="S3CR3T-S3CR3T", **({"ca": str(site / ca)} if ca else {}))
    assert not server.asked


def test_a_host_name_need_not_fit_where_that_is_said(site: Site, ask: Ask) -> None:
    ask(site.serve("elsewhere").url, ca=str(site / "ca"), check_hostname=False)


def test_files_that_cannot_be_used_are_told(site: Site, ask: Ask) -> None:
    server = site.serve()
    with pytest.raises((RegistryError, ClickHouseRefusedError), match=r"_ca: .*nowhere.* cannot be read: No such file"):
        ask(server.url, ca="/nowhere")
    with pytest.raises((RegistryError, ClickHouseRefusedError), match="token's file /nowhere cannot be read"):
        ask(server.url, ca=str(site / "ca"), token_file="/nowhere")
