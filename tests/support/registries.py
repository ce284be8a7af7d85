"""A service that speaks Confluent's HTTP API, in this process: as much of it as readers and writers need."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ConfluentService(ThreadingHTTPServer):
    """Registers and serves schemas; `broken` is what it answers instead, if set."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.by_id: dict[int, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.authorisations: list[str | None] = []
        self.broken: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ConfluentService

    def do_GET(self) -> None:
        path, _, asked = self.path.partition("?")
        found = self.server.by_id.get(int(path.rpartition("/")[2]))
        if found is not None and asked == "format=serialized":
            found = {**found, "schema": found["serialized"]}
        if found is None:
            self._answer(404, {"error_code": 40403, "message": "Schema not found"})
        else:
            self._answer(200, found)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = [id_ for id_, schema in self.server.by_id.items() if schema == body]
        id_ = known[0] if known else 100 + len(self.server.by_id)
        self.server.by_id[id_] = body
        self._answer(200, {"id": id_})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.server.requests.append((self.command, self.path))
        self.server.authorisations.append(self.headers["Authorization"])
        status, raw = self.server.broken or (status, json.dumps(body).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving(port: int = 0, by_id: dict[int, dict[str, Any]] | None = None) -> Iterator[ConfluentService]:
    """A service that runs; then nothing answers at its address. by_id: what it knows from the beginning."""
    server = ConfluentService(port)
    server.by_id = {} if by_id is None else by_id
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
